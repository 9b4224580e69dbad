"""Questions about messages, hits, business events, columns of lists and people's own clocks, beside a slow evaluator; of people
who are merged, too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, true

from core.db import Connection
from core.targeting.check import CheckedExpression, CheckedValue, check, check_value
from core.targeting.compiled import Plan
from core.targeting.expansion import expand
from core.targeting.language import Expression, Test
from core.targeting.linked import entity_table
from core.targeting.parse import parse_text
from core.targeting.shortcuts import SHORTCUT_DEFINITIONS
from core.targeting.sql import compile_statement, population, predicate, present, value
from tests.core.targeting.facts import LIST, Facts, SlowOfFacts, furnish
from tests.core.targeting.shop import Row
from tests.core.targeting.test_linked import ASKED_AT, COMPARED, ZONES, either, filled

FIRST = datetime(2025, 6, 1, tzinfo=UTC)
CLOCKS = ["Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "europe/paris", "Nowhere", "", None]
CHANGES = [  # about when clocks of the zones skip an hour, or show one twice
    datetime(2025, 3, 30, 0, 59, 59, tzinfo=UTC), datetime(2025, 3, 30, 1, 30, tzinfo=UTC),
    datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
    datetime(2025, 3, 9, 7, 15, tzinfo=UTC), datetime(2024, 11, 3, 5, 45, tzinfo=UTC), datetime(2024, 11, 3, 6, 45, tzinfo=UTC),
]  # fmt: skip
TIMES = st.builds(
    lambda day, hour, minute: FIRST + timedelta(days=day, hours=hour, minutes=minute),
    st.integers(0, 20), st.sampled_from([0, 1, 12, 22, 23]), st.integers(0, 59),
) | st.sampled_from(CHANGES)  # fmt: skip
ASKED = ASKED_AT | st.sampled_from(CHANGES)


def or_none(some: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | some


@st.composite
def told(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """A few people and what is known of them."""
    ids = [1000 + index for index in range(draw(st.integers(1, 4)))]
    people = [
        {
            "id": key, "country": draw(or_none(st.sampled_from(["FR", "DE"]))), "time_zone": draw(st.sampled_from(CLOCKS)),
            "created_at": draw(TIMES), "opt_out": draw(st.booleans()),
            "merged_into": ids[0] if key != ids[0] and draw(st.integers(0, 3)) == 0 else None,
        }
        for key in ids
    ]  # fmt: skip
    moments = draw(st.lists(TIMES, min_size=30, max_size=30, unique=True))  # who was first is never left to chance
    pairs = sorted(draw(st.sets(st.tuples(st.sampled_from([1, 2]), st.sampled_from(ids)), max_size=5)))
    ledger = [
        {
            "delivery_id": delivery, "recipient_id": person, "recipient_kind": draw(st.sampled_from([1, 1, 1, 3])),
            "due_at": FIRST, "settled_at": draw(or_none(st.just(moments.pop()))),
            "state": draw(st.sampled_from([0, 1, 4, 4, 5])), "reason": draw(st.integers(0, 3)),
        }
        for delivery, person in pairs
    ]  # fmt: skip
    people_ids = st.sampled_from(ids)
    hits: list[dict[str, Any]] = []
    for position in range(1, draw(st.integers(0, 6)) + 1):
        earlier = [one for one in hits if one["corrects"] is None]
        mended = draw(st.sampled_from(earlier)) if earlier and draw(st.integers(0, 4)) == 0 else None
        of = mended or {"delivery_id": draw(st.sampled_from([1, 2])), "recipient_id": draw(people_ids)}
        hits.append(
            {
                "position": position, "at": moments.pop(), "delivery_id": of["delivery_id"], "recipient_id": of["recipient_id"],
                "corrects": mended["position"] if mended else None, "kind": draw(st.sampled_from([1, 1, 2, 2, 3, 6])),
                "link": draw(st.integers(0, 2)), "url": draw(or_none(st.sampled_from(["https://x.example", "https://y.example"]))),
                "machine_rule": draw(st.sampled_from([0, 0, 0, 2])), "recipient_kind": draw(st.sampled_from([1, 1, 1, 3])),
            }
        )  # fmt: skip
    orders = [
        {
            "id": index, "profile_id": draw(people_ids), "occurred_at": moments.pop(), "received_at": draw(TIMES),
            "key": f"k{index}", "x_amount": draw(st.sampled_from([Decimal(0), Decimal("7.5"), Decimal(20)])),
            "x_product": draw(or_none(st.sampled_from(["Shoe", "sock"]))), "x_pieces": draw(or_none(st.integers(0, 3))),
            "x_gift": draw(or_none(st.booleans())), "x_due": draw(or_none(TIMES.map(lambda at: at.date()))),
            "x_shipped": draw(or_none(TIMES)), "x_way": draw(or_none(st.sampled_from(["shop", "web"]))),
        }
        for index in range(1, draw(st.integers(0, 5)) + 1)
    ]  # fmt: skip
    members = [
        {"audience_id": LIST.id, "profile_id": person, "added_at": moments.pop(), "data": draw(or_none(BROUGHT))}
        for person in sorted(draw(st.sets(people_ids)))
    ]
    return {
        "profile": people, "ledger": ledger, "tracking_event": hits, "e_order": orders, "audience_member": members,
        **draw(merges(people)), **draw(said(ids)),
    }  # fmt: skip


@st.composite
def merges(draw: st.DrawFn, people: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """When those of the people were merged who are, some of them more than once."""
    found: dict[str, list[dict[str, Any]]] = {"profile_merge": [], "profile_alias": []}
    for person in people:
        for undone in (True, False)[draw(st.integers(0, 1)) :] if person["merged_into"] else []:
            number = len(found["profile_merge"]) + 1
            found["profile_merge"].append(
                {"id": number, "survivor_id": person["merged_into"], "before": "{}", "after": "{}", "merged_at": draw(TIMES),
                 "merged_by": "x", "undone_at": FIRST if undone else None}
            )  # fmt: skip
            found["profile_alias"].append({"profile_id": person["id"], "merge_id": number})
    return found


@st.composite
def said(draw: st.DrawFn, ids: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """What people said to two services and two purposes."""
    pairs = st.sets(st.tuples(st.sampled_from([1, 2]), st.sampled_from(ids)), max_size=6).map(sorted)
    subscriptions = [
        {
            "service_id": service, "profile_id": person, "since": draw(TIMES), "expires_at": draw(or_none(TIMES)),
            "state": draw(st.sampled_from(["pending", "active", "active", "unsubscribed", "expired"])),
            "origin": draw(st.sampled_from(["", "shop"])),
        }
        for service, person in draw(pairs)
    ]  # fmt: skip
    consents = [
        {"purpose_id": purpose, "profile_id": person, "since": draw(TIMES),
         "decision": draw(st.sampled_from(["granted", "refused", "withdrawn"]))}
        for purpose, person in draw(pairs)
    ]  # fmt: skip
    return {"subscription": subscriptions, "purpose_consent": consents}


BROUGHT = st.fixed_dictionaries(
    {},
    optional={
        "score": st.integers(-1, 5), "share": st.sampled_from([0.5, 2]), "note": st.sampled_from(["", "a", "B"]),
        "vip": st.booleans(), "since": TIMES.map(lambda at: at.date().isoformat()),
        "seen": TIMES.map(lambda at: at.isoformat()),
    },
)  # fmt: skip

N = either("0", "1", "2", "5", "7.5", "20")
EQUAL = either("=", "!=")
INSTANTS = either(
    "created_at", "now", "now - 3 days", "max(opens.at)", "last(event_order.shipped)", "audience_column('fair', 'seen')",
    "to_instant(audience_column('fair', 'since'))",
)  # fmt: skip
OWN = filled("in_zone({at}, {zone})", at=INSTANTS, zone=either("time_zone", "'Asia/Kathmandu'", "coalesce(time_zone, 'UTC')"))
OF_MESSAGE = either(
    "", " where delivery.name = 'spring'", " where not delivery.name = 'spring'", " where at > now - 5 days",
    " where at is_null",
    " where to_date(at) <= 2025-06-08", " where hour(in_zone(at, profile.time_zone)) >= 12", " where profile.country = 'FR'",
    " where not profile.country = 'FR'", " where exists(profile.clicks)", " where count(profile.event_order) > 1",
    " where delivery.campaign.name is_null", " where at = max(profile.received.at)",
)  # fmt: skip
OF_REACTION = OF_MESSAGE.filter(lambda text: "at is_null" not in text) | either(
    " where kind in ('click', 'open')", " where label = 'sale'", " where not label = 'SALE'", " where link = 1",
    " where link is_null", " where category is_null", " where url contains 'X.example'",
    " where rank(by at, per profile) = 1", " where rank(by at desc, per profile, kind) <= 2",
    " where coalesce(rank(by at, per delivery where kind = 'click'), 1) = 1", " where rank(by at, per profile.country) < 3",
)  # fmt: skip
OF_ORDER = either(
    "", " where amount > 5", " where way = 'web'", " where not way = 'web'", " where way is_null", " where gift",
    " where not gift", " where product = 'SHOE'", " where pieces in (0, 2)", " where due <= today",
    " where shipped > occurred_at",
    " where due = shipped", " where to_date(in_zone(occurred_at, profile.time_zone)) = to_date(occurred_at)",
    " where profile.country is_null", " where occurred_at >= now - 1 week", " where key != 'k1'",
    " where exists(profile.opens)",
    " where amount = max(profile.event_order.amount)",
    " where rank(by occurred_at, per profile) = 1", " where rank(by amount desc then occurred_at, per way) <= 2",
    " where rank(by pieces, per profile where gift) is_null",
)  # fmt: skip
REACTIONS = either("reactions", "opens", "clicks", "unsubscribes")
COLUMN = {
    "score": filled("{op} {n}", op=COMPARED, n=N), "share": filled("{op} {n}", op=COMPARED, n=N),
    "note": either("= 'A'", "!= 'b'", "contains 'b'", "in ('a', 'b')", "is_null", "= country"),
    "vip": either("= true", "!= opt_out", "is_null"),
    "since": either("< today", "= created_at", ">= 2025-06-09", "between 2025-06-03 and today"),
    "seen": either("< now", "= 2025-06-09", ">= today", "!= created_at", "is_null"),
}  # fmt: skip
RANK = filled("rank(by {by}{desc}{per})", desc=either("", " desc"),
              by=either("created_at", "count(clicks)", "last(event_order.amount)", "hour(in_zone(now, time_zone))",
                        "audience_column('fair', 'score') desc then count(opens)"),
              per=either("", ", per country", ", per time_zone", ", per opt_out where not in_audience('fair')"))  # fmt: skip
SERVICE = either(
    "", " where service.name = 'news'", " where state = 'active'", " where state = 'unsubscribed'", " where origin = 'shop'",
    " where service.name = 'news' and state in ('active', 'pending')", " where not state = 'active' and service.name = 'news'",
    " where since >= profile.created_at", " where expires_at > now", " where expires_at is_null",
    " where profile.country = 'FR'",
)  # fmt: skip
PURPOSE = either(
    "", " where purpose.name = 'profiling'", " where decision = 'granted'", " where decision != 'granted'",
    " where purpose.name = 'sharing' and decision = 'granted'", " where since > now - 5 days",
)  # fmt: skip
ATOMS = st.one_of(
    either("subscribes_to('news')", "subscribes_to('offers')"),
    filled("exists(subscriptions{where})", where=SERVICE),
    filled("exists(consents{where})", where=PURPOSE),
    filled("count(subscriptions{where}) {op} {n}", where=SERVICE, op=COMPARED, n=either("0", "1", "2")),
    filled("count(consents{where}) {op} {n}", where=PURPOSE, op=COMPARED, n=either("0", "1", "2")),
    filled("{m}(subscriptions.since{where}) {op} 2025-06-08", m=either("min", "max"), where=SERVICE, op=COMPARED),
    filled("exists({rows}{where})", rows=either("received", "messages"), where=OF_MESSAGE),
    filled("exists({rows}{where})", rows=REACTIONS, where=OF_REACTION),
    filled("exists(event_order{where})", where=OF_ORDER),
    filled("count({rows}{where}) {op} {n}", rows=either("received", "messages"), where=OF_MESSAGE, op=COMPARED, n=N),
    filled("count({rows}{where}) {op} {n}", rows=REACTIONS, where=OF_REACTION, op=COMPARED, n=N),
    filled("count(distinct {of}) {op} 1", of=either("clicks.url", "reactions.kind", "event_order.way"), op=COMPARED),
    filled("{m}(event_order.{field}{where}) {op} {n}", m=either("sum", "min", "max"), field=either("amount", "pieces"),
           where=OF_ORDER, op=COMPARED, n=N),
    filled("{m}(event_order.way{where}) {op} 'web'", m=either("first", "last"), where=OF_ORDER, op=EQUAL),
    filled("{m}(event_order.{field}{where}) is_null", m=either("first", "last"), field=either("due", "gift", "product"),
           where=OF_ORDER),
    filled("last(event_order.gift{where})", where=OF_ORDER),
    filled("{m}({rows}.at{where}) {op} {at}", m=either("min", "max", "first"), rows=REACTIONS, where=OF_REACTION, op=COMPARED,
           at=either("2025-06-08", "now - 4 days", "today", "created_at")),
    filled("{m}(delivery.name of {rows}{where}) {op} 'spring'", m=either("first", "last"), rows=either("received", "opens"),
           where=OF_MESSAGE, op=EQUAL),
    filled("last(messages.state{where}) in ('accepted', 'pending')", where=OF_MESSAGE),
    filled("join({of}{where}) {op} 'sock, shoe'", of=either("event_order.product"), where=OF_ORDER, op=EQUAL),
    filled("sequence(received{a} then {rows}{b}{within})", a=OF_MESSAGE, rows=REACTIONS, b=OF_REACTION,
           within=either("", " within 3 days", " within 30 hours")),
    filled("sequence(opens{a} then event_order{b}{within})", a=OF_REACTION, b=OF_ORDER, within=either("", " within 2 days")),
    filled("sequence(event_order by due{a} then clicks{b} within 4 days)", a=OF_ORDER, b=OF_REACTION),
    filled("{rank} {op} {n}", rank=RANK, op=COMPARED, n=either("1", "2", "count(clicks)")),
    filled("coalesce({rank}, 2) % 2 = {n}", rank=RANK, n=either("0", "1")),
    filled("hour({own}) {op} {n}", own=OWN, op=COMPARED, n=either("0", "6", "12", "22")),
    filled("to_date({own}) {op} to_date({other})", own=OWN, op=COMPARED, other=OWN),
    filled("{own} {op} {at}", own=OWN, op=COMPARED, at=either("now", "today", "2025-06-09", "created_at")),
    filled("{own} is_null", own=OWN),
    st.one_of(*(filled(f"audience_column('fair', '{name}') {{test}}", test=test) for name, test in COLUMN.items())),
    filled("coalesce(audience_column('fair', 'score'), count(clicks)) {op} {n}", op=COMPARED, n=N),
    filled("{m}(event_order.amount) {op} audience_column('fair', 'share')", m=either("max", "sum"), op=COMPARED),
    either("in_audience('fair')", "audience_column('fair', 'vip')", "country = 'FR'", "time_zone is_null"),
    either("was_contacted(3)", "not_contacted(5)", "is_active(4)", "has_received('spring')", "has_opened('autumn')",
           "has_clicked('spring')", "has_clicked_label('Sale')", "has_clicked_link('y.ex')"),
)  # fmt: skip
QUESTIONS = st.recursive(
    ATOMS,
    lambda inner: filled("({a} {op} {b})", a=inner, op=either("and", "or"), b=inner) | filled("not {a}", a=inner),
    max_leaves=3,
)
COMPUTED = st.one_of(
    INSTANTS, OWN,
    filled("hour({own})", own=OWN),
    filled("audience_column('fair', '{name}')", name=st.sampled_from(sorted(COLUMN))),
    filled("count({rows}{where})", rows=REACTIONS, where=OF_REACTION),
    filled("count(subscriptions{where})", where=SERVICE),
    filled("{m}(event_order.{field}{where})", m=either("first", "last", "min", "max"), field=either("amount", "due", "pieces"),
           where=OF_ORDER),
    filled("last(event_order.{field}{where})", field=either("way", "gift", "product"), where=OF_ORDER),
    filled("sum(event_order.amount{where})", where=OF_ORDER),
    filled("case when {a} then {n} when {b} then audience_column('fair', 'score') end", a=ATOMS, b=ATOMS,
           n=either("1", "count(opens)")),
    filled("to_text({own})", own=OWN),
    RANK,
    filled("max(rank(by {by}, per {per}) of event_order{where})", by=either("occurred_at", "amount desc", "pieces"),
           per=either("profile", "way", "profile, gift"), where=OF_ORDER),
    ATOMS,
)  # fmt: skip
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def opened(source: str) -> Expression:
    """With the questions of filters in the place of their calls."""
    parsed = parse_text(source)
    return Expression(root=expand(parsed.root, SHORTCUT_DEFINITIONS), text=source)


async def answers(
    conn: Connection, asked: Sequence[CheckedExpression], plan: Plan, at: datetime, zone: ZoneInfo
) -> list[set[int]]:
    """Whom each question finds; by the plan of one by one all in one statement."""
    if plan is not Plan.ONE_BY_ONE:
        statements = [compile_statement(population(one, at=at, zone=zone, plan=plan)) for one in asked]
        return [{row[0] for row in await conn.fetch(one.text, *one.args)} for one in statements]
    entity = asked[0].entity
    rows = entity_table(entity).alias("p")
    tests = [predicate(one, at=at, zone=zone, source=rows).is_(true()) for one in asked]
    named = (test.label(f"t{index}") for index, test in enumerate(tests))
    statement = compile_statement(select(rows.c.id, *named).where(present(entity, rows)))
    found = await conn.fetch(statement.text, *statement.args)
    return [{row[0] for row in found if row[index + 1]} for index in range(len(asked))]


@settings(deadline=None, max_examples=30, suppress_health_check=QUIET)
@given(rows=told(), questions=st.lists(QUESTIONS, min_size=6, max_size=12), at=ASKED, zone=ZONES)
async def test_the_answer_is_that_of_a_slow_evaluator(
    conn: Connection, rows: dict[str, list[Row]], questions: list[str], at: datetime, zone: ZoneInfo
) -> None:
    data, trees = Facts.of(rows), [opened(source) for source in questions]
    asked = [check(tree, data.catalogue, audiences={("fair", None): LIST}) for tree in trees]
    living = [row for row in data.tables["profile"] if row["merged_into"] is None]
    await furnish(conn)
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        await data.store(conn)
        for plan in Plan:
            got = await answers(conn, asked, plan, at, zone)
            for source, tree, found in zip(questions, trees, got, strict=True):
                expected = {row["id"] for row in living if about(data, row, at, zone).holds(tree.root)}
                assert found == expected, f"{plan}: {source} at {at} in {zone}"
    finally:
        await savepoint.rollback()


@settings(deadline=None, max_examples=20, suppress_health_check=QUIET)
@given(rows=told(), sources=st.lists(COMPUTED, min_size=6, max_size=12), at=ASKED, zone=ZONES)
async def test_what_is_computed_is_what_a_slow_evaluator_computes(
    conn: Connection, rows: dict[str, list[Row]], sources: list[str], at: datetime, zone: ZoneInfo
) -> None:
    data = Facts.of(rows)
    checked = [check_value(opened(source), data.catalogue, audiences={("fair", None): LIST}) for source in sources]
    await furnish(conn)
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        await data.store(conn)
        table = entity_table(checked[0].entity)
        columns = (value(one, at=at, zone=zone).label(f"v{index}") for index, one in enumerate(checked))
        statement = compile_statement(select(table.c.id, *columns).where(present(checked[0].entity)))
        for key, *got in map(tuple, await conn.fetch(statement.text, *statement.args)):
            slow = about(data, data.person(key), at, zone)
            for source, one, found in zip(sources, checked, got, strict=True):
                assert found == computed(slow, one), f"{source} of {key} at {at} in {zone}"
    finally:
        await savepoint.rollback()


def about(data: Facts, row: Any, at: datetime, zone: ZoneInfo) -> SlowOfFacts:
    return SlowOfFacts(data, "profile", row, at, zone)


def computed(slow: SlowOfFacts, one: CheckedValue) -> Any:
    root = one.expression.root
    return slow.holds(root) if isinstance(root, Test) else slow.value(root)
