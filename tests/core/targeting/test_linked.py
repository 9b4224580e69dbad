"""Questions about linked rows: what they answer, in both plans, beside a slow evaluator; what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, true

from core.datamodel.records import Entity, Link, LinkKind, Model
from core.db import Connection
from core.targeting.audiences import count
from core.targeting.check import CheckedExpression, check
from core.targeting.checked import Listed
from core.targeting.compiled import Plan
from core.targeting.datasets import extended
from core.targeting.errors import ExpressionError
from core.targeting.json_form import to_json
from core.targeting.json_parse import parse_json
from core.targeting.language import MAX_RANKS, Condition, Expression
from core.targeting.linked import entity_table
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, population, predicate
from core.targeting.text_form import to_text
from tests.core.datamodel.model import field
from tests.core.targeting.shop import CATALOGUE, Data, Slow, paid, visit

AT, ZONE = datetime(2025, 6, 20, 12, tzinfo=UTC), ZoneInfo("Europe/Paris")

REFS = [UUID(f"{digit * 8}-0000-4000-8000-000000000001") for digit in "ab"]
DATA = Data(
    tables={
        "profile": [
            {"id": 1, "first_name": "Ann", "country": "FR", "external_id": "a"},
            {"id": 2, "first_name": "Bob", "country": "DE", "external_id": "b"},
            {"id": 3, "first_name": "Cyd", "country": None, "external_id": None},
            {"id": 4, "first_name": "Dee", "country": "FR", "external_id": "d"},
        ],
        "x_product": [{"id": 1, "x_code": "shoe", "x_price": Decimal(80)}, {"id": 2, "x_code": "sock", "x_price": None}],
        "x_purchase": [
            paid("10.5", 1, 1, 1, x_product_id=1, x_pieces=2, x_ref=REFS[0]),
            paid("200", 5, 1, 2, x_product_id=2, x_shop="Lyon", x_pieces=1),
            paid("30", 6, 2, 3, x_state="open", x_product_id=1, x_pieces=None, x_ref=REFS[1]),
            paid(None, 7, 2, 4, x_shop=None, x_state=None),
            paid("99", 8, None, 5, x_product_id=1),
        ],
        "x_visit": [visit(1, 1, "a"), visit(2, 4, "a", "shoes"), visit(3, 6, "b"), visit(4, 2, "nobody"), visit(5, 3, None)],
        "x_club": [{"id": 1, "x_title": "Runners"}, {"id": 2, "x_title": "Readers"}],
        "x__club__members": [
            {"source_id": 1, "target_id": 1}, {"source_id": 1, "target_id": 2}, {"source_id": 2, "target_id": 1},
        ],
    }
)  # fmt: skip

CASES: list[tuple[str, set[int]]] = [
    ("exists(purchases)", {1, 2}),
    ("not exists(purchases)", {3, 4}),
    ("exists(purchases where amount > 100)", {1}),
    ("exists(purchases where shop = 'paris' and state = 'open')", {2}),
    (f"exists(purchases where ref = '{REFS[1]}')", {2}),
    (f"exists(purchases where '{REFS[0]}' != ref)", {2}),
    (f"exists(purchases where not ref in ('{str(REFS[0]).upper()}', '{REFS[1]}'))", {1, 2}),
    (f"first(purchases.ref) = '{REFS[0]}'", {1}),
    ("first(purchases.ref) = last(purchases.ref by amount)", {2}),
    ("count(distinct purchases.ref) = 1 and max(upper(ref) of purchases) starts_with 'B'", {2}),
    ("max(length(ref) of purchases) = 36", {1, 2}),
    ("exists(purchases where not ref is_null and coalesce(ref, shop) = shop)", set()),
    ("exists(purchases where state is_null)", {2}),
    ("exists(purchases where not state = 'paid')", {2}),
    ("exists(purchases where product.code = 'shoe')", {1, 2}),
    ("exists(purchases where product.price is_null)", {1, 2}),
    ("exists(purchases where not product.price is_null and state = 'paid')", {1}),
    ("exists(purchases where profile.country = 'DE')", {2}),
    ("exists(purchases where not exists(product))", {2}),
    ("exists(purchases.product where code = 'sock')", {1}),
    ("count(purchases) = 2", {1, 2}),
    ("count(purchases) = 0", {3, 4}),
    ("count(purchases) < 2", {3, 4}),
    ("3 > count(purchases)", {1, 2, 3, 4}),
    ("not count(purchases) = 0", {1, 2}),
    ("count(purchases) in (0, 2)", {1, 2, 3, 4}),
    ("count(purchases where amount > 20) between 1 and 5", {1, 2}),
    ("count(amount of purchases) = 1", {2}),
    ("count(distinct purchases.shop) >= 2", {1}),
    ("sum(purchases.amount) > 100", {1}),
    ("sum(purchases.amount) = 0", {3, 4}),
    ("sum(purchases.amount where state = 'open') >= 0", {1, 2, 3, 4}),
    ("max(purchases.amount) = 200", {1}),
    ("max(purchases.amount) != 200", {2}),
    ("not max(purchases.amount) = 200", {2, 3, 4}),
    ("max(purchases.amount) is_null", {3, 4}),
    ("min(purchases.shop) = 'LYON'", {1}),
    ("avg(purchases.amount) > 100", {1}),
    ("last(purchases.shop) = 'lyon'", {1}),
    ("last(purchases.state) = 'paid'", {1}),
    ("join(purchases.shop) = 'paris, lyon'", {1}),
    ("join(purchases.shop by amount, ' | ') = 'Paris | Lyon'", {1}),
    ("join(purchases.shop where amount > 20, '') is_null", {3, 4}),
    ("join(upper(shop) of purchases by amount) contains 'S, L'", {1}),
    ("not join(purchases.shop) starts_with 'paris, '", {2, 3, 4}),
    ("first(purchases.state) in ('paid', 'open')", {1, 2}),
    ("last(purchases.amount) is_null", {2, 3, 4}),
    ("first(purchases.shop by amount where amount > 0) = 'Paris'", {1, 2}),
    ("max(purchases.bought_at) >= now - 15 days", {1, 2}),
    ("max(purchases.bought_at) = 2025-06-05", {1}),
    ("max(purchases.bought_at) > min(purchases.bought_at)", {1, 2}),
    ("count(purchases) > count(visits)", {2}),
    ("count(visits) = 2", {1}),
    ("exists(visits where page = 'shoes')", {1}),
    ("exists(clubs)", {1, 2}),
    ("exists(clubs where title = 'readers')", {1}),
    ("count(clubs) = 2", {1}),
    ("count(clubs.members) = 3", {1}),
    ("exists(clubs.members where first_name = 'Bob')", {1, 2}),
    ("sequence(visits then purchases)", {1, 2}),
    ("sequence(purchases then visits where page = 'shoes')", {1}),
    ("sequence(visits where page = 'shoes' then purchases within 1 day)", {1}),
    ("sequence(purchases where amount < 20 then purchases where amount > 100 within 4 days)", {1}),
    ("sequence(purchases where amount < 20 then purchases where amount > 100 within 3 days)", set()),
    ("not sequence(visits then purchases)", {3, 4}),
    ("top(1 by sum(purchases.amount))", {1}),
    ("top(5 by sum(purchases.amount))", {1, 2}),
    ("top(1 by sum(purchases.amount) where country = 'DE')", {2}),
    ("top(lowest 2 by count(purchases))", {1, 2}),
    ("top(1 by max(purchases.bought_at))", {2}),
    ("top(lowest 2 by id)", {1, 2}),
    ("not top(1 by id)", {1, 2, 3}),
    ("first_name = 'Ann' or exists(purchases where amount = 30)", {1, 2}),
    ("exists(purchases where count(product.purchases) >= 3)", {1, 2}),
    ("exists(purchases where amount > min(profile.purchases.amount))", {1}),
]


def checked(source: str, entity: str = "profile") -> CheckedExpression:
    if entity == "profile":  # `id` of a profile is no field of the questions
        source = source.replace("by id", "by external_id")
    return check(parse_text(source), CATALOGUE, entity=entity)


async def found(conn: Connection, asked: CheckedExpression, plan: Plan, at: datetime = AT, zone: ZoneInfo = ZONE) -> set[int]:
    statement = compile_statement(population(asked, at=at, zone=zone, plan=plan))
    return {row[0] for row in await conn.fetch(statement.text, *statement.args)}


async def test_what_questions_find(conn: Connection) -> None:
    await DATA.store(conn)
    for source, expected in CASES:
        asked = checked(source)
        for plan in Plan:
            assert await found(conn, asked, plan) == expected, (source, plan)


@pytest.mark.parametrize(("source", "_"), CASES)
def test_both_spellings_give_the_tree_back(source: str, _: set[int]) -> None:
    tree = parse_text(source)

    assert parse_text(to_text(tree)) == tree
    assert parse_json(to_json(tree)) == tree


async def test_the_rows_themselves_can_be_asked_for(conn: Connection) -> None:
    await DATA.store(conn)
    for source, expected in [
        ("amount > 20 and profile.country = 'FR'", {2}),
        ("not profile.country = 'FR'", {3, 4, 5}),
        ("not exists(profile)", {5}),
        ("count(profile.purchases) = 2", {1, 2, 3, 4}),
        ("product.code = 'shoe' and profile.first_name != product.code", {1, 3}),
        ("amount = max(profile.purchases.amount)", {2, 3}),
    ]:
        for plan in Plan:
            assert await found(conn, checked(source, "purchase"), plan) == expected, (source, plan)


@pytest.mark.parametrize(
    ("source", "place", "said", "suggestion"),
    [
        ("exists(purchase)", "column 8", "profile has no link 'purchase'", "purchases"),
        ("purchases.amount > 3", "column 1", "purchases leads to many rows", "exists(purchases where …) or max(purchases.…)"),
        ("exists(purchases where prize > 3)", "column 24", "purchase has no field 'prize'", None),
        ("exists(purchases where product = 3)", "column 24", "purchase.product is a link, not a field", "exists(product)"),
        (
            "exists(purchases where count(product) > 1)",
            "column 30",
            "product leads to one row",
            "a field of it, as in product.name",
        ),
        ("exists(purchases where exists(profile))", "column 31", "profile is the row that is asked about itself", None),
        ("count(purchases.amount) > 1", "column 7", "purchase has no link 'amount'", "purchases where not amount is_null"),
        ("sum(purchases.shop) > 1", "column 5", "sum does not work with a text", None),
        ("sum(distinct purchases.amount) > 1", "column 1", "sum takes every value", "count(distinct …)"),
        ("max(purchases.amount by shop) > 1", "column 25", "max has no order", "first or last"),
        ("max(purchases.amount, ', ') > 1", "column 1", "max puts nothing between", "join(… , ', ')"),
        ("join(purchases.amount) = 'x'", "column 6", "join does not work with a decimal", None),
        ("join(purchases.shop, '" + "x" * 201 + "') = 'x'", "column 1", "a separator is too long", None),
        ("last(clubs.title) = 'x'", "column 1", "club has several times", "by updated_at"),
        ("last(purchases.state) = 'gone'", "column 25", "state has no value 'gone'", None),
        ("count(purchases) = 'x'", "column 20", "an integer cannot be compared with a text", None),
        ("sequence(visits within 3 days then purchases)", "column 10", "the first of a sequence follows nothing", None),
        ("sequence(visits then purchases within 3 hours)", "column 22", "a day has no hours", None),
        ("sequence(visits then purchases within 999999 years)", "column 22", "a step of a sequence is too long", None),
        ("top(0 by country)", "column 1", "a top has too many rows or none", None),
        ("top(3 by opt_out)", "column 10", "rows are not put in order by a boolean", None),
        ("exists(purchases.profile.visits)", "column 8", "profile leads back to the row that one came from", None),
        (
            "count(purchases.product.purchases.product.purchases) > 1",
            "column 7",
            "product leads back to the row that one came from",
            None,
        ),
        ("sequence(received.delivery then opens)", "column 10", "delivery has no time", None),
        ("last(received.delivery.name) = 'x'", "column 1", "delivery has no time", None),
        ("sequence(opens then clicks within 0 days)", "column 21", "within no time nothing follows", None),
        ("exists(messages where top(1 by at))", "column 23", "there is no top of message", None),
        ("in_audience('vip')", "column 1", "there is no audience 'vip'", None),
        ("exists(purchases)  = true", "column 20", "unexpected '='", None),
    ],
)
def test_what_is_refused(source: str, place: str, said: str, suggestion: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        checked(source)

    assert (caught.value.message, caught.value.suggestion) == (said, suggestion)
    assert str(caught.value.place).endswith(place)


def test_what_numbers_may_be_is_said() -> None:
    for source, expected in (
        ("top(0 by age)", "a number from 1 to 10000000"),
        ("created_at > now - 1000000000 years", "a whole number of at most 9 digits"),
    ):
        with pytest.raises(ExpressionError) as caught:
            checked(source)
        assert caught.value.expected == expected


def test_what_is_read_is_told() -> None:
    asked = checked("exists(purchases where amount > 3 and product.code = 'x') or country = 'FR' or last(visits.page) = 'y'")

    assert asked.reads == {
        "purchases", "purchase.amount", "purchase.product", "product.code", "country", "visits", "visit.page", "visit.day",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("sum(purchases.amount) > 100", "GROUP BY"),
        ("exists(purchases where amount > avg(profile.purchases.amount))", "(SELECT avg("),
    ],
)
def test_aggregates_are_grouped_where_they_can_be(source: str, words: str) -> None:
    """What an aggregate says of the row asked about cannot be grouped before that row is looked at."""
    assert words in compile_statement(population(checked(source), at=AT, zone=ZONE)).text


async def test_what_merged_profiles_have_is_their_survivors(conn: Connection) -> None:
    """Every question about the survivor answers as if all rows were its own, and nobody else is found for them."""
    await DATA.store(conn)
    await conn.execute("UPDATE profile SET merged_into = 2 WHERE id = 1")
    merged = replace(CATALOGUE, merged=True)
    await conn.execute("INSERT INTO audience (id, name, label, expression, expression_text, created_by)"
                       " OVERRIDING SYSTEM VALUE VALUES (1, 'l', 'l', '1', 'l', 'x')")  # fmt: skip
    await conn.execute("INSERT INTO audience_member (audience_id, profile_id, added_at) VALUES (1, 1, now()), (1, 4, now())")
    for source, expected in [
        ("exists(purchases)", {2}),
        ("count(purchases) = 4", {2}),
        ("sum(purchases.amount) = 240.5", {2}),
        ("sum(purchases.amount) > 200", {2}),
        ("count(purchases) = 0", {3, 4}),
        ("not exists(purchases)", {3, 4}),
        ("last(purchases.shop where not shop is_null) = 'paris'", {2}),
        ("max(purchases.amount) = 200", {2}),
        ("count(clubs) = 3", {2}),
        ("exists(clubs where title = 'readers')", {2}),
        ("sequence(purchases where amount < 20 then purchases where amount = 30 within 5 days)", {2}),
        ("top(1 by sum(purchases.amount))", {2}),
        ("top(4 by country)", {2, 4}),
        ("top(lowest 1 by count(purchases))", {2}),
        ("first_name = 'ann'", set()),
        ("in_audience('l')", {2, 4}),
        ("not in_audience('l')", {3}),
    ]:
        asked = check(parse_text(source), merged, audiences={("l", None): Listed(id=1)})
        for plan in Plan:
            assert await found(conn, asked, plan) == expected, (source, plan)


async def test_a_link_to_who_is_merged_leads_to_the_survivor(conn: Connection) -> None:
    await DATA.store(conn)
    await conn.execute("UPDATE profile SET merged_into = 2 WHERE id = 1")
    merged = replace(CATALOGUE, merged=True)
    for entity, source, expected in [
        ("purchase", "profile.country = 'DE'", {1, 2, 3, 4}),
        ("purchase", "profile.id = 2", {1, 2, 3, 4}),
        ("purchase", "profile.external_id = 'a'", set()),
        ("purchase", "not profile.external_id = 'a'", {1, 2, 3, 4, 5}),
        ("purchase", "profile.external_id in ('b', 'c')", {1, 2, 3, 4}),
        ("purchase", "profile.first_name is_null", {5}),
        ("purchase", "not exists(profile)", {5}),
        ("purchase", "upper(profile.first_name) = concat('B', upper('ob'))", {1, 2, 3, 4}),
        ("purchase", "count(profile.purchases) = 4", {1, 2, 3, 4}),
        ("visit", "visitor.country = 'DE'", {1, 2, 3}),
        ("visit", "visitor.first_name = 'Bob' and page = 'shoes'", {2}),
    ]:
        asked = check(parse_text(source), merged, entity=entity)
        for plan in Plan:
            assert await found(conn, asked, plan) == expected, (source, plan)


async def test_the_cheaper_plan_is_taken(conn: Connection) -> None:
    """Both give the same answer: that it is the cheaper one is what Postgres says."""
    await DATA.store(conn)
    for source, expected in CASES[-20:]:
        assert await count(conn, checked(source), at=AT, zone=ZONE) == len(expected)


NAMES = st.sampled_from(["Ann", "ann", "Bob", "Zoë"])
COUNTRY = st.sampled_from(["FR", "DE"]) | st.none()
DAYS = st.integers(1, 12)
MOMENTS = st.builds(lambda day, hour: datetime(2025, 6, day, hour, tzinfo=UTC), DAYS, st.sampled_from([0, 12, 23]))
AMOUNTS = st.sampled_from([Decimal(0), Decimal(5), Decimal("10.5"), Decimal(200)]) | st.none()


@st.composite
def shops(draw: st.DrawFn) -> Data:
    """A few people and what they did."""
    people = [
        {"id": 1000 + index, "first_name": draw(NAMES), "country": draw(COUNTRY), "external_id": f"e{index}"}
        for index in range(draw(st.integers(1, 4)))
    ]
    owners = st.sampled_from([row["id"] for row in people]) | st.none()
    products = [
        {"id": index + 1, "x_code": draw(st.sampled_from(["shoe", "sock"])), "x_price": draw(AMOUNTS)} for index in range(2)
    ]
    purchases = [
        {
            "id": index + 1, "x_shop": draw(st.sampled_from(["Paris", "paris", "Lyon"]) | st.none()), "x_amount": draw(AMOUNTS),
            "x_pieces": draw(st.integers(0, 3) | st.none()), "x_state": draw(st.sampled_from(["paid", "open"]) | st.none()),
            "x_bought_at": draw(MOMENTS | st.none()), "x_ref": draw(st.sampled_from(REFS) | st.none()),
            "x_profile_id": draw(owners), "x_product_id": draw(st.sampled_from([1, 2]) | st.none()),
        }
        for index in range(draw(st.integers(0, 6)))
    ]  # fmt: skip
    visits = [
        {"id": index + 1, "x_day": draw(DAYS.map(lambda day: date(2025, 6, day)) | st.none()),
         "x_who": draw(st.sampled_from(["e0", "e1", "nobody"]) | st.none()), "x_page": draw(st.sampled_from(["home", "shoes"]))}
        for index in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    clubs = [{"id": index + 1, "x_title": title} for index, title in enumerate(["Runners", "Readers"])]
    members = draw(st.sets(st.tuples(st.sampled_from([1, 2]), st.sampled_from([row["id"] for row in people])), max_size=4))
    pairs = [{"source_id": club, "target_id": person} for club, person in sorted(members)]
    return Data(
        tables={
            "profile": people, "x_product": products, "x_purchase": purchases, "x_visit": visits, "x_club": clubs,
            "x__club__members": pairs, **draw(said([1000 + index for index in range(len(people))])),
        }
    )  # fmt: skip


@st.composite
def said(draw: st.DrawFn, people: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """Two services and two purposes, and how some of the people stand with them."""
    made = {"label": "x", "created_by": "x"}
    pairs = st.sets(st.tuples(st.sampled_from([1, 2]), st.sampled_from(people)), max_size=4)
    services = [{"id": number, "name": name, "address_kind": "email", **made} for number, name in ((1, "news"), (2, "offers"))]
    subscriptions = [
        {
            "service_id": service, "profile_id": person, "state": draw(st.sampled_from(["pending", "active", "expired"])),
            "since": draw(MOMENTS), "expires_at": draw(MOMENTS | st.none()), "origin": draw(st.sampled_from(["", "shop"])),
        }
        for service, person in sorted(draw(pairs))
    ]  # fmt: skip
    purposes = [{"id": number, "name": name, **made} for number, name in ((1, "profiling"), (2, "sharing"))]
    consents = [
        {"purpose_id": purpose, "profile_id": person, "decision": draw(st.sampled_from(["granted", "refused"])),
         "since": draw(MOMENTS)}
        for purpose, person in sorted(draw(pairs))
    ]  # fmt: skip
    return {"service": services, "subscription": subscriptions, "consent_purpose": purposes, "purpose_consent": consents}


def either(*some: str) -> st.SearchStrategy[str]:
    return st.sampled_from(some)


def filled(form: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.fixed_dictionaries(parts).map(lambda chosen: form.format(**chosen))


NUMBER = either("0", "1", "2", "5", "10.5", "200")
COMPARED = either("=", "!=", "<", "<=", ">", ">=")
DESC = either("", " desc")
OF_PURCHASE = st.recursive(
    st.one_of(
        filled("amount {op} {n}", op=COMPARED, n=NUMBER),
        filled("pieces in ({n}, 1)", n=NUMBER),
        filled("shop {op} 'paris'", op=COMPARED),
        filled("state {op} '{state}'", op=either("=", "!="), state=either("paid", "open")),
        filled("ref {op} '{ref}'", op=either("=", "!="), ref=either(*map(str, REFS))),
        filled("ref in ('{ref}')", ref=either(*map(str, REFS))),
        filled("product.code {op} 'shoe'", op=either("=", "!=")),
        filled("product.price {op} {n}", op=COMPARED, n=NUMBER),
        filled("product.price {op} amount", op=COMPARED),
        filled(
            "{field} is_null", field=either("amount", "product.price", "profile.country", "product.code", "bought_at", "ref")
        ),
        filled("profile.country {op} 'FR'", op=either("=", "!=")),
        filled("{m}(profile.purchases.amount) {op} amount", m=either("max", "min", "sum"), op=COMPARED),
        filled("count(product.purchases) {op} {n}", op=COMPARED, n=either("1", "2")),
        filled("bought_at {op} 2025-06-06", op=COMPARED),
        filled(
            "rank(by {by}{desc}, per {per}{only}) {op} {n}",
            by=either("amount", "bought_at", "pieces then bought_at", "product.price"),
            desc=DESC,
            per=either("profile", "product", "shop", "state, pieces", "profile, shop", "profile.country"),
            only=either("", " where state = 'paid'", " where amount > 5"),
            op=COMPARED,
            n=either("1", "2"),
        ),
        filled(
            "coalesce(rank(by {by}{desc}), 2) = {n}",
            by=either("amount", "count(profile.purchases)"),
            desc=DESC,
            n=either("1", "2"),
        ),
        either("exists(product)", "exists(profile.visits)", "exists(profile.clubs where title = 'runners')"),
    ),
    lambda inner: filled("({a} {op} {b})", a=inner, op=either("and", "or"), b=inner) | filled("not {a}", a=inner),
    max_leaves=3,
)
WHERE = st.just("") | filled(" where {test}", test=OF_PURCHASE)
RANK = filled(
    "rank(by {by}{desc}{then}{per}{only})",
    desc=DESC,
    by=either("count(purchases)", "sum(purchases.amount)", "max(purchases.bought_at)", "count(visits) - count(clubs)"),
    then=either("", " then min(purchases.amount)", " then last(purchases.bought_at) desc"),
    per=either("", ", per country", ", per country, count(visits)"),
    only=either("", " where country = 'FR'", " where exists(visits)", " where in_audience('buyers')"),
)
OF_PERSON = st.one_of(
    filled("{rank} {op} {n}", rank=RANK, op=COMPARED, n=either("1", "2", "count(visits)")),
    filled("{rank} {op} {other}", rank=RANK, op=COMPARED, other=RANK),
    filled("{rank} between 1 and {n}", rank=RANK, n=either("1", "2")),
    filled("coalesce({rank}, 0) % 2 = {n}", rank=RANK, n=either("0", "1")),
    filled("if({rank} = 1, country, 'US') = 'US'", rank=RANK),
    filled("{rank} is_null", rank=RANK),
    filled("max(rank(by {by}{desc}, per {per}) of purchases{where}) {op} {n}", by=either("amount", "bought_at"), desc=DESC,
           per=either("profile", "shop"), where=WHERE, op=COMPARED, n=either("1", "2")),
    filled("exists(purchases{where})", where=WHERE),
    filled("count(purchases{where}) {op} {n}", where=WHERE, op=COMPARED, n=either("0", "1", "2")),
    filled("{n} {op} count(purchases{where})", where=WHERE, op=COMPARED, n=either("0", "1", "2")),
    filled("count(purchases{where}) between {n} and 2", where=WHERE, n=either("0", "1")),
    filled("count(distinct purchases.{field}{where}) = {n}", field=either("pieces", "amount", "state", "ref"), where=WHERE,
           n=NUMBER),
    filled("{m}(purchases.{field}{where}) {op} {n}", m=either("sum", "min", "max"), field=either("amount", "pieces"),
           where=WHERE, op=COMPARED, n=NUMBER),
    filled("avg(purchases.pieces{where}) {op} {n}", where=WHERE, op=COMPARED, n=NUMBER),
    filled("{m}({field} of purchases{where}) is_null", m=either("max", "first", "last"),
           field=either("amount", "bought_at", "product.price"), where=WHERE),
    filled("{m}(purchases.{field} by {by}{where}) {op} 'paris'", m=either("first", "last"), field=either("shop"),
           by=either("bought_at", "amount"), where=WHERE, op=COMPARED),
    filled("join({field} of purchases by {by}{where}{separator}) {op} 'paris, lyon'", field=either("shop", "product.code"),
           by=either("bought_at", "amount"), where=WHERE, separator=either("", ", ', '", ", ''"), op=COMPARED),
    filled("join(purchases.shop{where}) contains 's, p'", where=WHERE),
    filled("{m}(purchases.ref{where}) {op} '{ref}'", m=either("first", "last"), where=WHERE, op=either("=", "!="),
           ref=either(*map(str, REFS))),
    filled("{m}(purchases.state{where}) in ('paid')", m=either("first", "last"), where=WHERE),
    filled("max(purchases.amount{where}) {op} min(purchases.amount)", where=WHERE, op=COMPARED),
    filled("max(purchases.bought_at{where}) {op} 2025-06-06", where=WHERE, op=COMPARED),
    filled("sequence(visits then purchases{where}{within})", where=WHERE, within=either("", " within 2 days")),
    filled("sequence(purchases{where} then purchases{other}{within})", where=WHERE, other=WHERE,
           within=either("", " within 36 hours", " within 2 days")),
    filled("sequence(purchases{where} then visits then purchases)", where=WHERE),
    filled("top({n} by {m}(purchases.amount{where}){only})", n=either("1", "2"), m=either("sum", "max"), where=WHERE,
           only=either("", " where country = 'FR'")),
    filled("top(lowest {n} by count(purchases{where}))", n=either("1", "2"), where=WHERE),
    filled("country {op} 'FR'", op=either("=", "!=")),
    filled("exists(subscriptions where {test})", test=either(
        "state = 'active'", "service.name = 'news'", "expires_at < now", "expires_at is_null and not origin = 'shop'",
        "since >= today - 9 days", "state != 'active' and service.name = 'offers'")),
    filled("exists(consents where purpose.name = 'profiling' and decision {op} 'granted')", op=either("=", "!=")),
    filled("count(consents) {op} 1", op=COMPARED),
    filled("{m}(subscriptions.since) {op} 2025-06-06", m=either("max", "min", "last"), op=COMPARED),
    either("sequence(subscriptions then purchases within 3 days)", "sequence(consents then subscriptions)",
           "last(consents.decision) = 'granted'", "last(service.name of subscriptions) = 'news'",
           "exists(purchases where to_date(bought_at) = today - 9 days)", "max(hour(bought_at) of purchases) >= 12"),
    filled("in_audience('{name}')", name=either("buyers", "french")),
    either("exists(clubs where title = 'readers')", "count(clubs.members) > 1", "exists(clubs.members.purchases)"),
)  # fmt: skip
QUESTIONS = st.recursive(
    OF_PERSON,
    lambda inner: filled("({a} {op} {b})", a=inner, op=either("and", "or"), b=inner) | filled("not {a}", a=inner),
    max_leaves=3,
).filter(lambda question: question.count("rank(") <= MAX_RANKS)
MEMBERS = {"buyers": parse_text("count(purchases) >= 1"), "french": parse_text("country = 'FR'")}
AUDIENCES: Mapping[tuple[str, int | None], CheckedExpression] = {
    (name, None): check(question, CATALOGUE) for name, question in MEMBERS.items()
}


ZONES = st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]).map(ZoneInfo)
ASKED_AT = st.just(AT) | st.builds(lambda day, hour: datetime(2025, 6, day, hour, 30, tzinfo=UTC), DAYS, st.integers(0, 23))


async def answers(
    conn: Connection, asked: Sequence[CheckedExpression], plan: Plan, at: datetime, zone: ZoneInfo
) -> dict[int, list[bool]]:
    """For each profile, whether each question finds it; the plan of one by one all in one statement."""
    if plan is Plan.ONE_BY_ONE:
        rows = entity_table(CATALOGUE.entities["profile"]).alias("p")
        tests = [predicate(one, at=at, zone=zone, source=rows).is_(true()) for one in asked]
        statement = compile_statement(select(rows.c.id, *(test.label(f"t{index}") for index, test in enumerate(tests))))
        return {row[0]: list(row)[1:] for row in await conn.fetch(statement.text, *statement.args)}
    sets = [await found(conn, one, plan, at, zone) for one in asked]
    return {row["id"]: [row["id"] in one for one in sets] for row in await conn.fetch("SELECT id FROM profile")}


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=shops(), questions=st.lists(QUESTIONS, min_size=4, max_size=10), at=ASKED_AT, zone=ZONES)
async def test_the_answer_is_that_of_a_slow_evaluator(
    conn: Connection, data: Data, questions: list[str], at: datetime, zone: ZoneInfo
) -> None:
    trees: list[Expression] = [parse_text(source) for source in questions]
    members: dict[str, Condition] = {name: question.root for name, question in MEMBERS.items()}
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        await data.store(conn)
        asked = [check(tree, CATALOGUE, audiences=AUDIENCES) for tree in trees]
        for plan in Plan:
            got = await answers(conn, asked, plan, at, zone)
            for row in data.tables["profile"]:
                slow = Slow(data, "profile", row, at, zone, members=members)
                for source, tree, answered in zip(questions, trees, got[row["id"]], strict=True):
                    assert answered is slow.holds(tree.root), f"{plan}: {source} about {row} at {at} in {zone}"
    finally:
        await savepoint.rollback()


def test_a_day_is_a_day_in_the_zone_asked_in() -> None:
    """That the evaluator tells days in a zone is what the property above relies on."""
    moment: Any = datetime(2025, 6, 5, 23, tzinfo=UTC)
    assert Slow(DATA, "profile", DATA.tables["profile"][0], AT, ZONE).day(moment) == date(2025, 6, 5) + timedelta(days=1)


async def test_two_values_can_be_compared(conn: Connection) -> None:
    await DATA.store(conn)
    for source, expected in [("1 = 1", {1, 2, 3, 4}), ("1 > 2", set()), ("count(purchases where 1 = 1) = 2", {1, 2})]:
        for plan in Plan:
            assert await found(conn, checked(source), plan) == expected, (source, plan)


PERSON = Model(
    entities=(
        Entity(name="profile", label="Profile", built_in=True),
        Entity(
            name="place", label="Place", fields=(field("title"), field("code")),
            links=(
                Link(name="parent", label="Lies in", target="place", kind=LinkKind.MANY_TO_ONE, reverse_name="parts",
                     reverse_label="Parts"),
                Link(name="twin", label="Has the code of", target="place", kind=LinkKind.MANY_TO_ONE, reverse_name="twins",
                     reverse_label="Twins", source_fields=("title",), target_fields=("code",)),
            ),
        ),
    )
)  # fmt: skip
PLACES = extended(PERSON)


async def places(conn: Connection, source: str) -> list[set[int]]:
    asked = check(parse_text(source), PLACES, entity="place")
    return [await found(conn, asked, plan) for plan in Plan]


async def make_places(conn: Connection) -> None:
    await conn.execute(
        """
        CREATE TABLE x_place (id bigint PRIMARY KEY, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
            x_title text, x_code text, x_parent_id bigint);
        INSERT INTO x_place (id, x_title, x_code, x_parent_id)
        VALUES (1, 'a', NULL, NULL), (2, 'b', 'a', 1), (3, 'c', 'a', 1), (4, 'd', NULL, 2), (5, 'e', NULL, 2), (6, 'f', 'x', 3)
        """
    )


async def test_a_link_to_rows_of_the_same_kind_is_followed_more_than_once(conn: Connection) -> None:
    await make_places(conn)

    assert await places(conn, "parent.id = 1") == [{2, 3}] * len(Plan)
    assert await places(conn, "parent.parent.id = 1") == [{4, 5, 6}] * len(Plan)
    assert await places(conn, "not parent.parent.id = 1") == [{1, 2, 3}] * len(Plan)
    assert await places(conn, "parent.parent.parent.id = 1") == [set()] * len(Plan)
    assert await places(conn, "exists(parts where exists(parts where id = 6))") == [{1}] * len(Plan)


async def test_of_several_rows_where_one_was_meant_the_first_counts_in_every_question(conn: Connection) -> None:
    await make_places(conn)

    for source, expected in [
        ("twin.title = 'b'", {1}),
        ("twin.title = 'c'", set()),
        ("not twin.title = 'c'", {1, 2, 3, 4, 5, 6}),
        ("case when true then twin.title end = 'b'", {1}),
        ("case when true then twin.title end = 'c'", set()),
        ("twin.title is_null", {2, 3, 4, 5, 6}),
        ("exists(twin where title = 'c')", {1}),
    ]:
        assert await places(conn, source) == [expected] * len(Plan), source


async def test_people_who_are_gone_take_no_place_in_a_top(conn: Connection) -> None:
    await DATA.store(conn)
    await conn.execute(
        """
        CREATE TEMPORARY TABLE message (delivery_id bigint, profile_id bigint, state smallint, reason smallint, at timestamptz);
        INSERT INTO message VALUES (1, 99, 4, 0, now()), (2, 99, 4, 0, now()), (1, 3, 4, 0, now())
        """
    )

    for plan in Plan:
        assert await found(conn, checked("top(1 by count(received))"), plan) == {3}


async def test_who_has_nothing_to_add_up_is_in_no_top(conn: Connection) -> None:
    await DATA.store(conn)
    for source, expected in [
        ("top(lowest 4 by sum(purchases.pieces where profile.id > 0))", {1, 2}),
        ("top(4 by count(purchases where profile.country = 'FR'))", {1}),
        ("top(1 by count(purchases) + count(visits))", {1}),
    ]:
        for plan in Plan:
            assert await found(conn, checked(source), plan) == expected, (source, plan)
