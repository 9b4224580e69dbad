"""Property: whatever happens, in whatever order, what is kept equals a full count, and the log tells how it came about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, true

from core.db import Connection
from core.targeting.membership import upkeep
from core.targeting.sql import compile_statement
from tests.core.targeting.house import GOOD, PEOPLE, House, model
from tests.core.targeting.kept import AT, counted, keep, members, replayed, settle, state

QUESTIONS = (
    "country = 'FR' and not opt_out",
    "city starts_with 'P' or first_name is_null",
    "sample(0.5, 'x') and country = 'DE'",
    "age >= 18",
    "age between 17 and 30",
    "birth_date < today - 18 years",
    "birth_date > today - 1 month",
    "month(birth_date) = month(today) and day(birth_date) = day(today)",
    "birthday_within(-3)",
    "has_birthday(1) or country = 'FR' and not birthday_within(30)",
    "years_old(birth_date) >= 18",
    "created_at >= days_ago(3)",
    "not created_at < months_ago(1) and months_old(birth_date) != 0",
    "exists(purchases where days_old(bought_at) < 2)",
    "exists(purchases where anniversary_within(bought_at, 363, 364) and amount > 5)",
    "days_old(last(purchases.bought_at)) > 2",
    "count(event_visit where occurred_at > days_ago(2)) >= 2",
    "created_at >= now - 3 days",
    "created_at < now - 1 month",
    "not (created_at between now - 2 months and now - 1 day)",
    "created_at >= today - 1 week and country = 'FR'",
    "add_days(created_at, 30) < now",
    "exists(purchases where amount > 10)",
    "not exists(purchases where bought_at >= now - 2 days)",
    "count(purchases where bought_at >= today - 30 days) >= 2",
    "sum(purchases.amount where bought_at >= now - 36 hours) > 15",
    "last(purchases.bought_at) < now - 5 days",
    "exists(purchases where product.code = 'A')",
    "exists(purchases where product.price > 5 and bought_at > now - 10 days)",
    "sequence(event_visit then purchases within 3 days)",
    "exists(event_visit where occurred_at >= now - 1 day)",
    "count(event_visit where way = 'web') = 1",
    "exists(opens where at >= now - 2 days)",
    "exists(received) and not exists(clicks)",
    "has_clicked_label('sale')",
    "exists(received where delivery.name = 'd1' and at > now - 4 days)",
    "exists(subscriptions where service.name = 'news' and state = 'active' and (expires_at is_null or expires_at > now))",
    "subscribes_to('news')",
    "exists(subscriptions where origin = '') and count(subscriptions where state = 'unsubscribed') = 0",
    "in_audience('chosen') and country = 'FR'",
    "in_audience('base') or exists(event_visit)",
    "in_audience('base', 1) and not opt_out",
    "in_audience('calls') and not in_audience('chosen')",
    "good()",
    "not (good() and exists(opens where at > now - 3 days))",
    "is_active(5)",
    "in_audience('fair')",
    "audience_column('fair', 'score') > 1 or country = 'FR' and created_at >= now - 3 days",
    "held_out and city = 'Paris'",
    "not (country = 'FR' and exists(purchases where amount > 5 and bought_at > now - 3 days))",
    "country = 'DE' and (created_at > now - 9 days or exists(opens where at > now - 1 day and delivery.name = 'd1'))",
    "exists(purchases where bought_at > now - 5 days and amount < buyer.latitude)",
    "exists(purchases where exists(buyer.event_visit where occurred_at >= now - 1 day) and amount > 3)",
    "count(received where at > now - 4 days) = 0 and city = 'Paris'",
    "last(opens.at) < now - 2 days",
    "exists(purchases where buyer.country = 'FR' and amount < buyer.latitude)",
    "favourite.code = 'A'",
    "exists(clubs where title = 'Chess')",
    "top(2 by count(purchases))",
    "rank(by count(purchases) desc) <= 2 and not rank(by created_at) = 1",
    "exists(purchases where rank(by bought_at, per buyer) = 1 and amount > 5)",
    "count(purchases where rank(by amount desc) <= 3) + 0 >= 1",
    "count(purchases where bought_at >= now - 2 days) + 0 >= 1",
    "days_between(created_at, now) < 3",
)
OFTEN = {
    "held_out and city = 'Paris'",
    "top(2 by count(purchases))",
    "rank(by count(purchases) desc) <= 2 and not rank(by created_at) = 1",
    "exists(purchases where rank(by bought_at, per buyer) = 1 and amount > 5)",
    "count(purchases where rank(by amount desc) <= 3) + 0 >= 1",
    "count(purchases where bought_at >= now - 2 days) + 0 >= 1",
    "days_between(created_at, now) < 3",
}
compile_statement(select(true()))  # raises the interpreter's limit, which must not happen while hypothesis watches it
COUNTRIES = st.sampled_from(["FR", "DE", None])
NUMBERS = st.integers(0, PEOPLE - 1)
AGO = st.sampled_from([timedelta(hours=h) for h in (0, 1, 5, 23, 24, 25, 36, 48, 72, 120, 167, 240, 719, 720, 745, 1500)])
STEPS = st.sampled_from(
    [timedelta(seconds=1), timedelta(minutes=40), *(timedelta(hours=hours) for hours in (1, 11, 24, 51, 29 * 24, 31 * 24))]
)
BIRTHS = st.sampled_from([date(2008, 6, 1), date(2008, 6, 2), date(2008, 2, 29), date(2008, 7, 31), date(2026, 5, 31),
                          date(2026, 4, 30), date(1996, 6, 3), None])  # fmt: skip

Act = Callable[[House], Awaitable[Any]]


def _act(name: str, *given: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, tuple[Any, ...]]]:
    return st.tuples(st.just(name), st.tuples(*given))


ACTS = st.one_of(
    _act("change", NUMBERS, COUNTRIES, BIRTHS, st.sampled_from(["Paris", "Rome", None])),
    _act("change_all", st.sampled_from(["Paris", None])),
    _act("person", st.integers(0, 9), COUNTRIES, BIRTHS),
    _act("buy", NUMBERS, st.integers(1, 20), AGO, st.integers(0, 1)),
    _act("give", NUMBERS, NUMBERS),
    _act("send_back", NUMBERS),
    _act("rename_product", st.sampled_from(["A", "Z"])),
    _act("prefer", NUMBERS, st.integers(0, 1)),
    _act("belong", NUMBERS),
    _act("visit", NUMBERS, AGO, st.sampled_from(["web", "shop"])),
    _act("receive", NUMBERS, st.integers(0, 1)),
    _act("hit", NUMBERS, st.integers(1, 2), AGO),
    _act("correct"),
    _act("subscribe", NUMBERS, AGO),
    _act("leave", NUMBERS),
    _act("choose", NUMBERS, st.booleans()),
    _act("reconcile", NUMBERS, st.integers(1, 3)),
    _act("score", NUMBERS, st.integers(1, 3)),
    _act("refine", st.sampled_from(GOOD)),
    _act("hold_out", st.sampled_from([10, 50])),
    _act("rephrase", st.sampled_from(["city = 'Rome'", "country = 'FR' and created_at > now - 15 days"])),
    _act("merge", NUMBERS, NUMBERS),
    _act("part"),
    _act("delete", NUMBERS),
    _act("wait", STEPS),
    _act("wait", STEPS),
)


@settings(
    deadline=None,
    max_examples=50,
    phases=[Phase.explicit, Phase.generate],  # to make a case smaller takes longer than to read it
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    questions=st.lists(st.sampled_from(QUESTIONS), min_size=4, max_size=9, unique=True),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/Havana"]),
    rounds=st.lists(st.lists(ACTS, min_size=1, max_size=6), min_size=1, max_size=8),
)
async def test_what_is_kept_equals_a_full_count_whatever_happens(
    conn: Connection, questions: Sequence[str], zone: str, rounds: list[list[tuple[str, tuple[Any, ...]]]]
) -> None:
    upkeep.LOG_KEPT = timedelta(days=10_000)  # the whole log is replayed
    if not await conn.fetchval("SELECT EXISTS (SELECT FROM event_type)"):
        await model(conn)
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        house = House(conn, ZoneInfo(zone))
        await house.furnish()
        for number, question in enumerate(questions):
            house.kept[question] = await keep(conn, f"k{number}", question, house.now, house.zone)
        await settle(conn, house.now)
        for acts in rounds:
            for name, arguments in acts:
                await getattr(house, name)(*arguments)
            await settle(conn, house.now)
            await hold(house)
    finally:
        await savepoint.rollback()


async def hold(house: House) -> None:
    """What is kept is right, as far as it says that it is."""
    for question, key in house.kept.items():
        kept = await members(house.conn, key)
        if question not in OFTEN:
            assert kept == await counted(house.conn, key, house.now, house.zone), question
        assert kept == await replayed(house.conn, key), question
        told = await state(house.conn, key, house.now)
        assert told.members == len(kept), question
        assert told.freshness is not None


async def test_an_audience_of_the_whole_population_is_counted_at_intervals(conn: Connection) -> None:
    await model(conn)
    house = House(conn, ZoneInfo("UTC"))
    await house.furnish()
    key = await keep(conn, "best", "top(2 by count(purchases))", house.now, house.zone)
    await settle(conn, house.now)
    await house.buy(3, 5, timedelta(), 0)
    await settle(conn, house.now)
    assert await members(conn, key) == set()
    told = await state(conn, key, house.now)
    assert (told.upkeep.value, told.reasons) == ("recounted", ("it asks who is among the highest of all",))
    house.now += timedelta(minutes=15)
    await settle(conn, house.now)
    assert await members(conn, key) == {house.ids[3]} == await counted(conn, key, house.now, house.zone)
    await house.delete(3)
    await settle(conn, house.now)
    assert await members(conn, key) == set() == await replayed(conn, key)


async def test_ranks_are_counted_at_intervals(conn: Connection) -> None:
    await model(conn)
    house = House(conn, ZoneInfo("UTC"))
    await house.furnish()
    first = await keep(conn, "first", "rank(by count(purchases) desc) = 1", house.now, house.zone)
    early = await keep(conn, "early", "exists(purchases where rank(by bought_at, per buyer) = 2)", house.now, house.zone)
    await settle(conn, house.now)
    for number in (3, 3, 4):
        await house.buy(number, 5, timedelta(), 0)
    await settle(conn, house.now)
    assert (await members(conn, first), await members(conn, early)) == (set(), set())
    told = await state(conn, early, house.now)
    assert (told.upkeep.value, told.reasons) == ("recounted", ("it asks for ranks among all rows",))
    house.now += timedelta(minutes=15)
    await settle(conn, house.now)
    assert await members(conn, first) == {house.ids[3]} == await counted(conn, first, house.now, house.zone)
    assert await members(conn, early) == {house.ids[3]} == await counted(conn, early, house.now, house.zone)
    await house.delete(3)
    await settle(conn, house.now)
    assert (await members(conn, first), await members(conn, early)) == (set(), set())
    assert await replayed(conn, first) == set()


def test_instants_are_known() -> None:
    """What the property relies on: the beginning lies in summer time, and the steps cross the end of it."""
    assert datetime.fromisoformat("2026-06-01T14:00+02:00") == AT
