"""Birthdays, ages and days ago: who is asked about on which day, so that what is kept equals a full count on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, true

from core.db import Connection
from core.targeting.membership import upkeep
from core.targeting.membership.records import Upkeep
from core.targeting.membership.store import members as asking
from core.targeting.moments import start_of
from core.targeting.sql import compile_statement
from tests.core.targeting.kept import counted, keep, members, replayed, settle, state

QUESTIONS = (
    "has_birthday()",
    "has_birthday(1)",
    "has_birthday(-400)",
    "birthday_within(1)",
    "birthday_within(-3)",
    "birthday_within(7) and country = 'FR'",
    "not birthday_within(30) or country = 'FR'",
    "birthday_within(364)",
    "birthday_within(-363)",
    "birthday_within(366)",
    "anniversary_within(created_at, -1, 2)",
    "anniversary_within(created_at, 3, 3)",
    "anniversary_within(add_days(birth_date, 1), 0, 0)",
    "years_old(birth_date) >= 18",
    "years_old(birth_date) = 18",
    "years_old(birth_date) in (0, 18, 24)",
    "not years_old(birth_date) < 0.5",
    "18 >= years_old(add_days(birth_date, 30))",
    "years_old(created_at) between 1 and 2",
    "months_old(birth_date) > 227",
    "months_old(created_at) = 0",
    "months_old(created_at) > -1.5",
    "months_old(created_at) <= -1",
    "days_old(created_at) < 30",
    "days_old(created_at) != 0 and not birth_date is_null",
    "days_old(birth_date) = 7000",
    "created_at >= days_ago(3)",
    "created_at between days_ago(10) and days_ago(-10)",
    "birth_date = days_ago(0)",
    "birth_date < months_ago(216)",
    "not created_at < months_ago(1)",
    "birth_date = months_ago(12)",
    "birth_date > today - 18 years",
    "today - 1 month >= created_at",
    "today - 18 years - 1 day between birth_date and created_at",
    "age between 18 and 19",
)
ZONES = ("UTC", "Europe/Paris", "America/Havana", "Pacific/Kiritimati", "America/St_Johns")
BIRTHS = (
    date(2008, 2, 28), date(2008, 2, 29), date(2008, 3, 1), date(2009, 2, 28), date(2009, 3, 1), date(2004, 2, 29),
    date(2007, 12, 31), date(2008, 1, 1), date(2008, 1, 31), date(2027, 2, 28), date(2028, 2, 29), date(2029, 1, 31), None,
)  # fmt: skip
# Over the end of February of a common year and of a leap year, over the turn of a year, and where clocks are changed.
BEGINNINGS = (date(2027, 2, 26), date(2028, 2, 27), date(2027, 12, 29), date(2027, 3, 13), date(2027, 11, 6))
compile_statement(select(true()))  # raises the interpreter's limit, which must not happen while hypothesis watches it


async def people(conn: Connection, births: Sequence[date | None], came: Sequence[datetime]) -> list[int]:
    """One for each birthday, who came at those times."""
    return [
        await conn.fetchval(
            "INSERT INTO profile (birth_date, created_at, country) VALUES ($1, $2, $3) RETURNING id",
            birth, came[n % len(came)], "FR" if n % 2 else "DE",
        )
        for n, birth in enumerate(births)
    ]  # fmt: skip


async def hold(conn: Connection, kept: dict[str, int], now: datetime, zone: ZoneInfo) -> None:
    for question, key in kept.items():
        assert await members(conn, key) == await counted(conn, key, now, zone), (question, now)


@pytest.mark.parametrize("key", ["UTC", "Europe/Paris", "America/Havana"])  # of the last, clocks are changed at midnight
async def test_what_is_kept_is_right_about_every_midnight(conn: Connection, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "LOG_KEPT", timedelta(days=10_000))  # the whole log is replayed
    zone = ZoneInfo(key)
    first = BEGINNINGS[0]
    came = [
        start_of(first + timedelta(days=n), zone) + timedelta(hours=n) for n in (-400, -366, -365, -31, -28, -1, 0, 1, 2, 365)
    ]
    await people(conn, BIRTHS, came)
    kept: dict[str, int] = {}
    for n, question in enumerate(QUESTIONS):
        kept[question] = await keep(conn, f"k{n}", question, start_of(first, zone), zone)
    for beginning in sorted(BEGINNINGS):
        for day in (beginning + timedelta(days=n) for n in range(4)):
            midnight = start_of(day, zone)
            for now in (midnight - timedelta(microseconds=1), midnight):
                await settle(conn, now)
                await hold(conn, kept, now, zone)
    for question, one in kept.items():
        told = await state(conn, one, now)
        assert (told.upkeep, told.reasons) == (Upkeep.INCREMENTAL, ()), question
        assert await replayed(conn, one) == await members(conn, one), question


TIMES = st.sampled_from(["created_at", "birth_date"])
OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
UNITS = st.sampled_from(["years", "months", "days"])
DISTANCES = st.integers(-370, 370)
ANSWERS = st.one_of(
    st.builds("has_birthday({})".format, st.integers(-800, 800)),
    st.builds("birthday_within({})".format, DISTANCES),
    st.builds("anniversary_within({}, {}, {})".format, TIMES, DISTANCES, DISTANCES),
    st.builds(
        "{}_old({}) {} {}".format, UNITS, TIMES, OPERATORS, st.sampled_from([-30, -1, -0.5, 0, 0.5, 1, 2, 17.5, 18, 300])
    ),
    st.builds(
        "{} between {} and {}".format, st.builds("{}_old({})".format, UNITS, TIMES), st.integers(-2, 18), st.integers(0, 40)
    ),
    st.builds("{} {} today - {} {}".format, TIMES, OPERATORS, st.integers(0, 40), st.sampled_from(["months", "days"])),
    st.builds("{} {} {}_ago({})".format, TIMES, OPERATORS, st.sampled_from(["months", "days"]), st.integers(-40, 40)),
)
WAITS = st.one_of(
    st.integers(1, 400).map(lambda days: timedelta(days=days)),
    st.integers(1, 50).map(lambda hours: timedelta(hours=hours)),
    st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes)),
    st.just(None),  # until the next midnight
)
DAYS = st.one_of(st.none(), st.sampled_from(BIRTHS), st.dates(date(2007, 1, 1), date(2009, 12, 31)))


@settings(
    deadline=None,
    max_examples=60,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    questions=st.lists(st.builds("{}{}".format, st.sampled_from(["", "not "]), ANSWERS), min_size=3, max_size=6, unique=True),
    zone=st.sampled_from(ZONES),
    births=st.lists(DAYS, min_size=3, max_size=12),
    began=st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)),
    acts=st.lists(st.tuples(WAITS, st.one_of(st.none(), st.tuples(st.integers(0, 11), DAYS))), min_size=1, max_size=10),
)
async def test_what_is_kept_equals_a_full_count_as_days_go_by(
    conn: Connection,
    questions: list[str],
    zone: str,
    births: list[date | None],
    began: datetime,
    acts: list[tuple[timedelta | None, tuple[int, date | None] | None]],
) -> None:
    upkeep.LOG_KEPT = timedelta(days=10_000)  # the whole log is replayed
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        place, now = ZoneInfo(zone), began
        came = [began - timedelta(hours=hours) for hours in (0, 30, 40 * 24, 366 * 24, 9000, -100)]
        ids = await people(conn, births, came)
        kept = {question: await keep(conn, f"k{n}", question, now, place) for n, question in enumerate(questions)}
        await settle(conn, now)
        for wait, change in acts:
            tomorrow = now.astimezone(place).date() + timedelta(days=1)
            now = start_of(tomorrow, place) if wait is None else now + wait
            if change is not None:
                who, birth = change
                await conn.execute("UPDATE profile SET birth_date = $2 WHERE id = $1", ids[who % len(ids)], birth)
            await settle(conn, now)
            await hold(conn, kept, now, place)
        for question, key in kept.items():
            assert (await state(conn, key, now)).upkeep is Upkeep.INCREMENTAL, question
            assert await members(conn, key) == await replayed(conn, key), question
    finally:
        await savepoint.rollback()


async def test_at_midnight_nobody_is_asked_about_but_whose_answer_changes(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred people those whose birthday comes or is over, and those who are of age that day."""
    zone = ZoneInfo("Europe/Paris")
    today = date(2026, 6, 1)
    noon = datetime(2026, 6, 1, 10, tzinfo=UTC)
    born = [date(2008, 1, 1) + timedelta(days=3 * n) for n in range(97)]  # one of them on 2 June
    others = [None, date(1990, 6, 1), date(1985, 2, 28)]
    ids = await people(conn, [*born, *others], [noon - timedelta(days=50)])
    birthdays = await keep(conn, "birthdays", "has_birthday()", noon, zone)
    grown = await keep(conn, "grown", "years_old(birth_date) >= 18", noon, zone)
    recent = await keep(conn, "recent", "created_at >= days_ago(51)", noon, zone)
    await settle(conn, noon)
    asked: list[tuple[datetime, list[int]]] = []
    counts: list[int] = []
    ask, count = asking.ask_about, asking.count_everybody

    async def ask_about(conn: Connection, questions: Sequence[asking.Question], whom: Sequence[int], now: datetime) -> None:
        asked.extend((now, sorted(whom)) for _ in questions)
        await ask(conn, questions, whom, now)

    async def count_everybody(conn: Connection, kept_id: int, *rest: object) -> None:
        counts.append(kept_id)
        await count(conn, kept_id, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(asking, "ask_about", ask_about)
    monkeypatch.setattr(asking, "count_everybody", count_everybody)
    tomorrow = start_of(today + timedelta(days=1), zone)
    of_age = [ids[n] for n, birth in enumerate(born) if birth == date(2008, 6, 2)]
    over = [ids[n] for n, birth in enumerate([*born, *others]) if birth and (birth.month, birth.day) == (6, 1)]
    assert (len(of_age), len(over)) == (1, 1)

    # When midnight comes, who is asked about are those of whom it is known beforehand
    await settle(conn, tomorrow)
    assert counts == []
    assert {now for now, _ in asked} == {tomorrow}
    assert sorted(whom for _, whom in asked) == sorted([of_age, sorted(of_age + over)])
    assert (await members(conn, birthdays), len(await members(conn, recent))) == (set(of_age), 100)
    assert await members(conn, grown) >= set(of_age)

    # And nobody any more that day, until its last hour has begun; then those of the next midnight are made ready
    asked.clear()
    for hours in (1, 5, 12, 22):
        await settle(conn, tomorrow + timedelta(hours=hours))
    assert asked == []
    await settle(conn, tomorrow + timedelta(hours=23, minutes=30))
    assert sorted(len(whom) for _, whom in asked) == [100]  # of `recent`, who all came on one day
    assert counts == []
