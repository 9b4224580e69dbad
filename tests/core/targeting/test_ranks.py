"""Which one a row is among all: what ranks are, in whatever place they stand, beside SQL by hand; what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM
from core.db import Connection
from core.errors import ClarionError
from core.targeting.audiences import count, open_question
from core.targeting.catalogue import Kind
from core.targeting.check import Audiences, CheckedExpression, check, check_value
from core.targeting.compiled import Plan
from core.targeting.describe import describe, describe_value
from core.targeting.errors import BAD_VALUE, SYNTAX, TOO_LARGE, UNKNOWN_FUNCTION, WRONG_TYPE, ExpressionError
from core.targeting.examine import examine_value
from core.targeting.filters import create_filter, parameter_of
from core.targeting.json_form import to_json
from core.targeting.json_parse import parse_json
from core.targeting.parse import parse_text
from core.targeting.records import FilterDraft
from core.targeting.sql import compile_statement, population, values
from core.targeting.text_form import to_text
from tests.core.targeting.shop import CATALOGUE, Data
from tests.core.targeting.test_linked import AT, DATA, ZONE, either, filled, found, make_places, places, shops
from tests.core.targeting.test_member_columns import people

MERGED = replace(CATALOGUE, merged=True)

OF_PEOPLE: list[tuple[str, set[int]]] = [
    ("rank(by sum(purchases.amount) desc) = 1", {1}),
    ("rank(by sum(purchases.amount) desc) = 2", {2}),
    ("rank(by sum(purchases.amount) desc) is_null", {3, 4}),
    ("not rank(by sum(purchases.amount) desc) is_null", {1, 2}),
    ("not rank(by sum(purchases.amount) desc) = 1", {2, 3, 4}),
    ("rank(by sum(purchases.amount), per country) = 1", {1, 2}),
    ("rank(by count(visits) desc) <= 2", {1, 2}),
    ("2 >= rank(by count(visits) asc)", {1, 2}),
    ("rank(by first_name desc where country = 'FR') = 1", {4}),
    ("rank(by country then first_name desc) in (1, 3)", {1, 2}),
    ("rank(by country then count(purchases) desc then first_name) = 2", {1}),
    ("rank(by first_name) between 2 and 3", {2, 3}),
    ("rank(by first_name) % 2 = 1", {1, 3}),
    ("rank(by first_name) = count(purchases)", {2}),
    ("country = 'DE' or rank(by first_name) = 1", {1, 2}),
    ("not (country = 'DE' or rank(by first_name) = 1)", {3, 4}),
    ("country = 'FR' and rank(by first_name) > 1", {4}),
    ("rank(by first_name) >= rank(by sum(purchases.amount) desc)", {1, 2}),
    ("coalesce(rank(by sum(purchases.amount)), 0) = 0", {3, 4}),
    ("case when rank(by first_name) = 1 then 'first' else 'later' end = 'later'", {2, 3, 4}),
    ("rank(by 1 desc) = 1", {1}),
    ("rank(by first_name, per country, 1 where not country is_null) = 2", {4}),
    ("rank(by first_name, per if(exists(purchases), 1, 2)) = 2", {2, 4}),
    ("top(2 by rank(by first_name desc))", {1, 2}),
    ("exists(purchases where rank(by bought_at, per profile) = 1 and amount > 20)", {2}),
    ("exists(purchases where not rank(by bought_at, per profile) = 1 and amount > 20)", {1}),
    ("not exists(purchases where rank(by amount desc, per profile) = 2)", {2, 3, 4}),
    ("count(purchases where rank(by amount desc, per product) <= 1) = 1", {1}),
    ("sum(purchases.amount where rank(by bought_at, per profile) = 2) > 100", {1}),
    ("max(rank(by amount desc) of purchases) = 4", {1}),
    ("max(rank(by bought_at, per profile) of purchases) = 2", {1, 2}),
    ("last(purchases.shop by rank(by bought_at desc)) = 'paris'", {1, 2}),
    ("exists(clubs.members where rank(by first_name) = 2)", {1, 2}),
    ("in_audience('best') or first_name = 'Dee'", {1, 4}),
    ("not in_audience('best')", {2, 3, 4}),
    ("in_audience('best') and country = 'FR'", {1}),
    ("rank(by first_name where in_audience('some')) = 2", {4}),
    ("rank(by first_name where not in_audience('best')) = 1", {2}),
]
OF_PURCHASES: list[tuple[str, set[int]]] = [
    ("rank(by bought_at, per profile) = 1", {1, 3}),
    ("rank(by bought_at desc, per profile) = 1", {2, 4}),
    ("rank(by bought_at, per profile) is_null", {5}),
    ("rank(by bought_at, per profile) = 2 and profile.country = 'FR'", {2}),
    ("rank(by bought_at, per profile) = 2 or shop = 'lyon'", {2, 4}),
    ("rank(by bought_at, per profile, shop) = 1", {1, 2, 3}),
    ("rank(by amount desc) = 1", {2}),
    ("rank(by amount, per profile.country) = 2", {2}),
    ("rank(by amount, per shop, state) = 1", {1, 2, 3}),
    ("rank(by amount desc, per product where state = 'paid') = 1", {2, 5}),
    ("rank(by profile.first_name desc then bought_at desc) = 1", {4}),
    ("rank(by bought_at, per profile where amount > 0) + 1 = 2", {1, 3}),
    ("rank(by count(profile.purchases) then amount desc, per product.code) = 1", {2, 3}),
    ("rank(by bought_at, per ref) = 1", {1, 3}),
]  # fmt: skip
AUDIENCES: Audiences = {
    ("best", None): check(parse_text("rank(by sum(purchases.amount) desc) = 1"), CATALOGUE),
    ("some", None): check(parse_text("country = 'FR'"), CATALOGUE),
}


def asked(source: str, entity: str = "profile") -> CheckedExpression:
    return check(parse_text(source), CATALOGUE, entity=entity, audiences=AUDIENCES)


@pytest.mark.parametrize("entity", ["profile", "purchase"])
async def test_what_ranks_find(conn: Connection, entity: str) -> None:
    await DATA.store(conn)
    for source, expected in OF_PEOPLE if entity == "profile" else OF_PURCHASES:
        for plan in Plan:
            assert await found(conn, asked(source, entity), plan) == expected, (source, plan)
        assert await count(conn, asked(source, entity), at=AT, zone=ZONE) == len(expected), source


@pytest.mark.parametrize(("source", "_"), OF_PEOPLE + OF_PURCHASES)
def test_both_spellings_give_the_tree_back(source: str, _: set[int]) -> None:
    tree = parse_text(source)
    assert parse_text(to_text(tree)) == tree
    assert parse_json(to_json(tree)) == tree


def test_a_rank_in_both_spellings() -> None:
    tree = parse_text("RANK ( by sum(purchases.amount) DESC THEN age asc PER country, city where age > 3 ) <= 3")
    assert to_text(tree) == "rank(by sum(purchases.amount) desc then age, per country, city where age > 3) <= 3"
    assert to_json(tree) == {
        "operator": "<=",
        "operands": [
            {
                "rank": [
                    {"by": {"aggregate": "sum", "value": {"field": "amount"}, "of": "purchases"}, "desc": True},
                    {"by": {"field": "age"}},
                ],
                "per": [{"field": "country"}, {"field": "city"}],
                "where": {"operator": ">", "operands": [{"field": "age"}, 3]},
            },
            3,
        ],
    }


def test_its_words_still_name_fields_and_filters() -> None:
    for source in ("desc = 1 and per = 2 and rank = 3", "rank(by desc desc then asc, per per, rank) = 1", "rank(5)", "rank()"):
        assert to_text(parse_text(source)) == source


async def shown(conn: Connection, source: str, entity: str = "purchase", *, merged: bool = False) -> list[Any]:
    """What it comes to on each row, in the order of their keys."""
    value = check_value(parse_text(source), MERGED if merged else CATALOGUE, entity=entity)
    statement = compile_statement(values(value, at=AT, zone=ZONE))
    return [row[1] for row in sorted(await conn.fetch(statement.text, *statement.args))]


async def test_ranks_are_values(conn: Connection) -> None:
    await DATA.store(conn)
    assert await shown(conn, "rank(by bought_at, per profile)") == [1, 2, 1, 2, None]
    assert await shown(conn, "rank(by amount desc)") == [4, 1, 3, None, 2]
    assert await shown(conn, "rank(by amount desc) = 1") == [False, True, False, False, False]
    assert await shown(conn, "case when rank(by bought_at, per profile) = 1 then 'new' else shop end") == [
        "new", "Lyon", "new", None, "Paris",
    ]  # fmt: skip
    assert await shown(conn, "rank(by sum(purchases.amount) desc, per country)", "profile") == [1, 1, None, None]
    assert await shown(conn, "count(purchases where rank(by amount desc) <= 3)", "profile") == [1, 1, 0, 0]
    assert await shown(conn, "rank(by day, per visitor)", "visit") == [1, 2, 1, None, None]
    assert check_value(parse_text("rank(by age)")).kind.value == "integer"


async def test_groups_are_of_the_one_row_at_the_end_of_links(conn: Connection) -> None:
    await make_places(conn)
    for source, expected in [
        ("rank(by title, per parent) = 1", {2, 4, 6}),
        ("rank(by title desc, per parent) + 1 = 2", {3, 5, 6}),
        ("rank(by title, per parent.parent) = 1", {4}),
        ("rank(by title desc, per parent.parent) + 1 = 2", {6}),
        ("rank(by id, per twin) = 1", {1}),
        ("exists(parts where rank(by id desc, per parent) = 1 and title = 'c')", {1}),
        ("parent.title = 'b' and rank(by parent.title, per parent.title) = 2", {5}),
    ]:
        assert await places(conn, source) == [expected] * len(Plan), source


async def test_who_is_gone_owns_no_ranks(conn: Connection) -> None:
    """Rows of people who are no more, where no foreign key keeps them from staying."""
    await DATA.store(conn)
    await conn.execute(
        """
        CREATE TEMPORARY TABLE reaction (position bigint, profile_id bigint, delivery_id bigint, kind smallint, at timestamptz);
        INSERT INTO reaction VALUES (1, 99, 1, 1, now()), (2, 3, 1, 1, now()), (3, 3, 1, 1, now() - interval '1 day')
        """
    )
    assert await shown(conn, "rank(by at, per profile)", "reaction") == [None, 2, 1]
    for plan in Plan:
        assert await found(conn, asked("rank(by at, per profile) = 1", "reaction"), plan) == {3}
        assert await found(conn, asked("exists(clicks where rank(by at desc, per profile) = 2)"), plan) == {3}


async def test_a_filter_may_call_for_a_rank(conn: Connection) -> None:
    await people(conn, date(1990, 5, 1), date(1980, 5, 1), None)
    question = parse_text("rank(by birth_date desc) <= parameter('most')")
    most = parameter_of(name="most", label="At most", kind=Kind.INTEGER, default=None)
    draft = FilterDraft(name="young", label="Young", expression=question, parameters=(most,))
    await create_filter(conn, SYSTEM, draft)
    for source, expected in [("young(1)", 1), ("young(5)", 2), ("not young(1)", 2)]:
        assert await count(conn, await open_question(conn, parse_text(source)), at=AT, zone=ZONE) == expected
    with pytest.raises(ClarionError) as caught:
        await create_filter(conn, SYSTEM, replace(draft, name="rank"))
    assert caught.value.code == "BAD_NAME"


async def test_who_is_merged_has_no_rank_and_what_was_theirs_is_the_survivors(conn: Connection) -> None:
    await DATA.store(conn)
    await conn.execute("UPDATE profile SET merged_into = 2 WHERE id = 1")
    assert await shown(conn, "rank(by bought_at, per profile)", merged=True) == [1, 2, 3, 4, None]
    assert await shown(conn, "rank(by bought_at, per profile, shop)", merged=True) == [1, 1, 2, None, None]
    assert await shown(conn, "rank(by amount, per profile.country)", merged=True) == [1, 3, 2, None, None]
    assert await shown(conn, "rank(by first_name)", "profile", merged=True) == [1, 2, 3]
    for entity, source, expected in [
        ("profile", "rank(by first_name) = 1", {2}),
        ("profile", "rank(by first_name) = 1 or age = 900", {2}),
        ("profile", "rank(by sum(purchases.amount)) = 1 and sum(purchases.amount) = 240.5", {2}),
        ("profile", "exists(purchases where rank(by bought_at, per profile) = 4)", {2}),
        ("profile", "count(purchases where rank(by bought_at desc, per profile) <= 3) = 3", {2}),
        ("purchase", "rank(by bought_at, per profile) = 3", {3}),
        ("visit", "rank(by day, per visitor) = 3", {3}),
    ]:
        question = check(parse_text(source), MERGED, entity=entity)
        for plan in Plan:
            assert await found(conn, question, plan) == expected, (source, plan)


async def a_market(conn: Connection, people: int, purchases: int) -> None:
    """Many, of whom some are alike."""
    chance = Random(7)
    await Data(tables={}).store(conn)
    await conn.executemany(
        "INSERT INTO profile (id, country) OVERRIDING SYSTEM VALUE VALUES ($1, $2)",
        [(number, chance.choice(["FR", "DE", "US", None])) for number in range(1, people + 1)],
    )
    await conn.executemany(
        "INSERT INTO x_purchase (id, x_profile_id, x_amount, x_shop, x_bought_at) VALUES ($1, $2, $3, $4, $5)",
        [
            (
                number, chance.choice([None, *range(1, people + 1)]), chance.choice([None, *range(20)]), chance.choice("ABC"),
                datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(300)),
            )
            for number in range(1, purchases + 1)
        ],
    )  # fmt: skip


BY_HAND = [
    (
        "purchase", "rank(by amount desc, per profile)",
        """
        SELECT p.id, r.n FROM x_purchase p LEFT JOIN (
            SELECT id, row_number() OVER (PARTITION BY x_profile_id ORDER BY x_amount DESC, id) AS n
              FROM x_purchase WHERE x_amount IS NOT NULL AND x_profile_id IS NOT NULL
        ) r USING (id)
        """,
    ),
    (
        "purchase", "rank(by bought_at then amount desc, per shop where amount > 3)",
        """
        SELECT p.id, r.n FROM x_purchase p LEFT JOIN (
            SELECT id, row_number() OVER (PARTITION BY x_shop ORDER BY x_bought_at, x_amount DESC NULLS LAST, id) AS n
              FROM x_purchase WHERE x_amount > 3
        ) r USING (id)
        """,
    ),
    (
        "profile", "rank(by sum(purchases.amount) desc, per country)",
        """
        SELECT p.id, r.n FROM profile p LEFT JOIN (
            SELECT o.id, row_number() OVER (PARTITION BY country ORDER BY coalesce(s.total, 0) DESC, o.id) AS n
              FROM profile o
              JOIN (SELECT x_profile_id AS id, sum(x_amount) AS total FROM x_purchase GROUP BY 1) s USING (id)
             WHERE country IS NOT NULL
        ) r USING (id)
        """,
    ),
]  # fmt: skip


async def test_ranks_are_those_that_sql_by_hand_finds(conn: Connection) -> None:
    await a_market(conn, 60, 900)
    for entity, source, by_hand in BY_HAND:
        expected = [row[1] for row in sorted(await conn.fetch(by_hand))]
        assert len(set(expected)) > 5
        assert await shown(conn, source, entity) == expected, source
        third = {row[0] for row in await conn.fetch(by_hand) if row[1] == 3}
        assert third
        for plan in Plan:
            assert await found(conn, asked(f"{source} = 3", entity), plan) == third, (source, plan)


async def windows(conn: Connection, statement: Any) -> list[int]:
    """How often each window of a statement is made."""
    made = compile_statement(statement)
    told = await conn.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {made.text}", *made.args)
    return list(_loops(json.loads(told)[0]["Plan"]))


def _loops(node: dict[str, Any]) -> Iterator[int]:
    if node["Node Type"] == "WindowAgg":
        yield node["Actual Loops"]
    for below in node.get("Plans", ()):
        yield from _loops(below)


async def test_all_rows_are_put_in_order_once_in_a_statement(conn: Connection) -> None:
    await a_market(conn, 60, 900)
    await conn.execute("ANALYZE profile; ANALYZE x_purchase")
    for source in (
        "rank(by sum(purchases.amount) desc, per country) <= 3",
        "country = 'FR' or rank(by created_at, per country) <= 3",
        "rank(by created_at, per country) % 2 = 0",
        "if(rank(by created_at, per country) = 2, 1, 0) = 1",
        "count(purchases where rank(by amount desc, per shop) <= 9) + 1 > 1",
    ):
        for plan in Plan:
            assert await windows(conn, population(asked(source), at=AT, zone=ZONE, plan=plan)) == [1], (source, plan)
    value = check_value(parse_text("rank(by amount, per shop) * 2"), CATALOGUE, entity="purchase")
    assert await windows(conn, values(value, at=AT, zone=ZONE)) == [1]
    assert (await examine_value(conn, value, at=AT, zone=ZONE)).estimate > 0


FORMS = st.one_of(
    filled("sum(purchases.amount{where})", where=either("", " where state = 'paid'", " where profile.country = 'FR'")),
    either("max(purchases.amount)", "count(purchases)", "count(purchases) + count(visits)", "max(purchases.bought_at)", "1"),
)


@settings(
    deadline=None, max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(data=shops(), value=FORMS, size=st.integers(1, 3), lowest=st.booleans(), only=either("", " where country = 'FR'"))
async def test_a_top_finds_who_has_the_first_ranks(
    conn: Connection, data: Data, value: str, size: int, lowest: bool, only: str
) -> None:
    top = f"top({'lowest ' if lowest else ''}{size} by {value}{only})"
    rank = f"rank(by {value}{'' if lowest else ' desc'}{only})"
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        await data.store(conn)
        expected = await found(conn, asked(top), Plan.ONE_BY_ONE)
        for form in (f"{rank} <= {size}", f"{rank} < {size} + 1", f"if({rank} <= {size}, true, false)"):
            assert await found(conn, asked(form), Plan.ALL_AT_ONCE) == expected, (top, form)
    finally:
        await savepoint.rollback()


@pytest.mark.parametrize(
    ("source", "place", "code", "said"),
    [
        ("rank(by opt_out) = 1", "column 9", WRONG_TYPE, "rows are not put in order by a boolean"),
        ("rank(by gender) = 1", "column 9", WRONG_TYPE, "rows are not put in order by an enumeration"),
        ("rank(by age then opt_out desc) = 1", "column 18", WRONG_TYPE, "rows are not put in order by a boolean"),
        ("rank(by age, per point(1, 2)) = 1", "column 18", WRONG_TYPE, "rows are not put in groups by a point"),
        ("rank(by age, per purchases) = 1", "column 18", WRONG_TYPE, "purchases leads to many rows"),
        ("rank(by age, per town) = 1", "column 18", "UNKNOWN_FIELD", "profile has no field 'town'"),
        ("rank(by age where opt_out = 3) = 1", "column 29", WRONG_TYPE, "a boolean cannot be compared with an integer"),
        ("rank(by age where age) = 1", "column 19", WRONG_TYPE, "a condition is incomplete"),
        ("rank(by (age > 3)) = 1", "column 14", WRONG_TYPE, "a condition cannot be an operand"),
        ("rank(by age, per (age > 3)) = 1", "column 23", WRONG_TYPE, "a condition cannot be an operand"),
        ("rank(by age) = 'x'", "column 16", WRONG_TYPE, "an integer cannot be compared with a text"),
        ("rank(by age)", "column 1", WRONG_TYPE, "a condition is incomplete"),
        ("rank(by age) contains 'x'", "column 14", WRONG_TYPE, "the operator contains does not work with an integer"),
        ("age in (rank(by age))", "column 9", WRONG_TYPE, "the operator in compares with values only"),
        ("rank(by rank(by age)) = 1", "column 9", WRONG_TYPE, "a rank is not made of ranks"),
        ("rank(by age, per rank(by age)) = 1", "column 18", WRONG_TYPE, "a rank is not made of ranks"),
        ("rank(by age where rank(by age) < 3) = 1", "column 19", WRONG_TYPE, "a rank is not made of ranks"),
        (
            "rank(by count(purchases where rank(by amount) = 1)) = 1",
            "column 31",
            WRONG_TYPE,
            "a rank is not made of ranks",
        ),
        ("exists(received where rank(by at) = 1)", "column 23", WRONG_TYPE, "there are no ranks of message"),
        ("exists(subscriptions where rank(by since) = 1)", "column 28", WRONG_TYPE, "there are no ranks of subscription"),
        ("exists(consents where top(3 by since))", "column 23", WRONG_TYPE, "there is no top of consent"),
        ("rank(age) = 1", "column 1", UNKNOWN_FUNCTION, "unknown function 'rank'"),
        ("RowNum(age) = 1", "column 1", UNKNOWN_FUNCTION, "unknown function 'RowNum'"),
        ("rank(by age desc, country) = 1", "column 19", SYNTAX, "unexpected 'country'"),
        ("rank(by age dsc) = 1", "column 13", SYNTAX, "unexpected 'dsc'"),
        ("rank(by age desc", "column 17", SYNTAX, "the expression ends too early"),
        ("rank(by) = 1", "column 8", SYNTAX, "unexpected ')'"),
        ("rank(by age, per country, ) = 1", "column 27", SYNTAX, "unexpected ')'"),
        ("rank(by birth_date > 2020-13-01) = 1", "column 20", SYNTAX, "unexpected '>'"),
        ("rank(by add_days(birth_date, 2020-13-01)) = 1", "column 30", BAD_VALUE, "the date 2020-13-01 does not exist"),
        ("rank(by age" + " then age" * 10 + ") = 1", "column 1", TOO_LARGE, "a rank has too many orders and groups"),
        ("rank(by age, per age" + ", age" * 9 + ") = 1", "column 1", TOO_LARGE, "a rank has too many orders and groups"),
        (" or ".join(["rank(by age) = 1"] * 11), "column 201", TOO_LARGE, "there are too many ranks"),
        ("in_audience('ten') and rank(by age) = 1", "column 24", TOO_LARGE, "there are too many ranks"),
        ("rank(by age) = 1 and in_audience('ten')", "column 22", TOO_LARGE, "there are too many ranks"),
    ],
)
def test_what_is_refused(source: str, place: str, code: str, said: str) -> None:
    ten = check(parse_text(" or ".join(["rank(by age) = 1"] * 10)), CATALOGUE)
    with pytest.raises(ExpressionError) as caught:
        check(parse_text(source), CATALOGUE, audiences={("ten", None): ten})

    assert (caught.value.code, caught.value.message) == (code, said)
    assert str(caught.value.place).endswith(place)


def test_who_writes_it_otherwise_is_told_how() -> None:
    for source in ("rank(age) = 1", "RowNum(age) = 1", "row_number(age) = 1", "PartitionBy(age) = 1", "Desc(age) = 1"):
        with pytest.raises(ExpressionError) as caught:
            check(parse_text(source))
        assert caught.value.suggestion == "rank(by …, per …)"


@pytest.mark.parametrize(
    ("tree", "pointer", "said"),
    [
        ({"rank": []}, "/rank", "a list is missing"),
        ({"rank": {"by": 1}}, "/rank", "a list is missing"),
        ({"rank": [1]}, "/rank/0", "an order has a key by"),
        ({"rank": [{"desc": True}]}, "/rank/0", "an order has a key by"),
        ({"rank": [{"by": 1, "lowest": True}]}, "/rank/0/lowest", "unknown key 'lowest'"),
        ({"rank": [{"by": 1, "desc": 1}]}, "/rank/0/desc", "desc is true or false"),
        ({"rank": [{"by": {"exists": "purchases"}}]}, "/rank/0/by", "a condition cannot be an operand"),
        ({"rank": [{"by": 1}], "per": []}, "/per", "a list is missing"),
        ({"rank": [{"by": 1}], "per": [None]}, "/per/0", "null is no operand"),
        ({"rank": [{"by": 1}], "by": 1}, "/by", "unknown key 'by'"),
        ({"rank": [{"by": 1}], "where": None}, "/where", "null is no operand"),
    ],
)
def test_json_that_is_refused(tree: Any, pointer: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_json(tree)

    assert (str(caught.value.place), caught.value.message) == (pointer, said)


def test_ranks_nested_in_json_without_end_are_refused() -> None:
    tree: Any = 1
    for _ in range(400):
        tree = {"rank": [{"by": tree}]}

    with pytest.raises(ExpressionError) as caught:
        parse_json(tree)

    assert caught.value.code == TOO_LARGE


def test_what_is_read_is_told() -> None:
    question = asked("exists(purchases where rank(by amount desc, per profile, product where state = 'paid') = 1)")
    assert question.reads == {"purchases", "purchase.amount", "purchase.profile", "purchase.product", "purchase.state"}
    assert asked("rank(by email, per last_name) = 1").reads == {"email", "last_name"}
    assert question.ranks == 1


@pytest.mark.parametrize(
    ("entity", "source", "words"),
    [
        (
            "profile", "rank(by sum(purchases.amount) desc, per city) <= 3",
            "the rank by the sum of Amount of Purchases descending among all with the same City is at most 3",
        ),
        (
            "purchase", "rank(by bought_at then amount desc, per profile, product.code where state = 'paid') = 1",
            "the rank by Bought_At, then by Amount descending among all with the same Buyer and Code of Product"
            " of those of whom State is 'paid' is 1",
        ),
        ("profile", "not rank(by age) is_null", "the rank by Age in years has a value"),
    ],
)  # fmt: skip
def test_the_words(entity: str, source: str, words: str) -> None:
    assert describe(asked(source, entity)) == words


def test_the_words_of_a_value() -> None:
    assert describe_value(check_value(parse_text("rank(by age desc) * 2"))) == "(the rank by Age in years descending) * 2"


def test_a_rank_that_every_row_must_have_is_joined_and_no_other() -> None:
    """What must hold of every row is found by a join with all places, of any number of rows; else each is looked up."""
    for source, joined in [
        ("rank(by age) <= 3", True),
        ("city = 'x' and not rank(by age) <= 3", True),
        ("in_audience('best')", True),
        ("city = 'x' or rank(by age) <= 3", False),
        ("in_audience('best') or city = 'x'", False),
        ("not in_audience('best')", False),
        ("rank(by age) + 1 <= 3", False),
    ]:
        text = compile_statement(population(asked(source), at=AT, zone=ZONE)).text
        assert ("jsonb_object_agg" not in text) is joined, source
