"""Questions are checked and compiled once, and again as soon as anything that decides their meaning is another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection, Pool, transaction
from core.events.event_types import save_event_type
from core.events.records import EventTypeDraft
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles, undo_merge
from core.targeting import filters, store
from core.targeting.audiences import count, create_audience, open_audience, open_question, open_value, update_audience
from core.targeting.check import check
from core.targeting.compiled import Plan
from core.targeting.errors import ExpressionError
from core.targeting.language import Expression
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft, FilterDraft
from core.targeting.sql import compile_statement, population
from core.targeting.statements import statement_of
from tests.core.datamodel.model import NOW, field, publish_fields
from tests.core.targeting.test_sql import every_comparison

AT, UTC_ZONE, PARIS = datetime(2026, 3, 29, 0, 30, tzinfo=UTC), ZoneInfo("UTC"), ZoneInfo("Europe/Paris")


async def _asked(conn: Connection, text: str, at: datetime = AT, zone: ZoneInfo = UTC_ZONE) -> int:
    return await count(conn, await open_question(conn, parse_text(text)), at=at, zone=zone)


async def test_the_same_question_is_checked_once(conn: Connection) -> None:
    first = await open_question(conn, parse_text("country = 'FR'"))

    assert await open_question(conn, parse_text("country = 'FR'")) is first
    assert await open_question(conn, parse_text("country = 'DE'")) is not first
    value = await open_value(conn, parse_text("length(country)"))
    assert await open_value(conn, parse_text("length(country)")) is value


async def test_so_is_one_that_calls_a_shortcut_or_is_made_of_one(conn: Connection) -> None:
    born = "birthday_within(7) and country = 'FR'"
    first = await open_question(conn, parse_text(born))
    assert await open_question(conn, parse_text(born)) is first
    await create_audience(conn, SYSTEM, AudienceDraft(name="soon", label="Soon", expression=parse_text(born)))
    within = await open_question(conn, parse_text("in_audience('soon')"))
    assert await open_question(conn, parse_text("in_audience('soon')")) is within
    await conn.execute("INSERT INTO profile (country, birth_date) VALUES ('FR', '2000-03-30')")
    days = [await _asked(conn, "in_audience('soon')", AT + timedelta(days=n)) for n in (-7, -6, 0, 1, 2)]
    assert days == [0, 1, 1, 1, 0], "the day is that of asking, whatever is remembered"


@pytest.mark.parametrize(("one", "other"), [("opt_out = true", "opt_out = false"), ("age = 1", "age = 1.0")])
async def test_what_is_equal_to_python_is_not_the_same_question(conn: Connection, one: str, other: str) -> None:
    checked = [await open_question(conn, parse_text(text)) for text in (one, other)]
    args = [statement_of(each, store.everyone, Plan.ALL_AT_ONCE, at=AT, zone=UTC_ZONE).args for each in checked]
    assert repr(args[0]) != repr(args[1])


async def test_now_is_bound_each_time_and_today_is_of_the_day(conn: Connection) -> None:
    await conn.execute("INSERT INTO profile (created_at, birth_date) VALUES ($1, '2000-03-29')", AT)

    within = "created_at >= now - 1 hour"
    assert [await _asked(conn, within, AT + timedelta(minutes=n)) for n in (0, 59, 60, 61)] == [1, 1, 1, 0]
    born = "birth_date = today - 26 years"
    assert [await _asked(conn, born, AT + timedelta(days=n)) for n in (-1, 0, 1, 0)] == [0, 1, 0, 1]
    assert [await _asked(conn, "age = 26", AT + timedelta(days=n)) for n in (-1, 0)] == [0, 1]
    # The day of a time relative to now is that of the moment and of the zone.
    assert await _asked(conn, "month(now) = 3 and day(now + 90 minutes) = 29") == 1
    late = AT.replace(hour=22, minute=31)
    on_the_day = "birth_date in (now - 9497 days, now - 9496 days + 90 minutes)"
    assert [await _asked(conn, on_the_day, late, zone) for zone in (UTC_ZONE, PARIS, UTC_ZONE)] == [
        await count(conn, check(parse_text(on_the_day)), at=late, zone=zone) for zone in (UTC_ZONE, PARIS, UTC_ZONE)
    ]


@pytest.mark.parametrize("zone", [UTC_ZONE, PARIS])
@pytest.mark.parametrize("plan", Plan)
def test_what_is_remembered_is_what_would_be_made(zone: ZoneInfo, plan: Plan) -> None:
    trees = [*every_comparison(), *(parse_text(text).root for text in RELATIVE)]
    for root in trees:
        checked = check(Expression(root=root, text=""))
        for at in (AT, AT + timedelta(hours=5, minutes=7), AT + timedelta(hours=23)):
            made = compile_statement(population(checked, at=at, zone=zone, plan=plan))
            assert statement_of(checked, store.everyone, plan, at=at, zone=zone) == made


RELATIVE = (
    "created_at between now - 30 days and now",
    "birth_date >= now - 30 years + 5 hours",
    "created_at in (now, now - 1 day, 2026-03-29)",
    "now - 3 hours > created_at",
    "today = now - 5 hours",
    "days_between(created_at, now) < 30 or hours_between(now - 1 month, created_at) > 3",
    "case when created_at > now - 5 minutes then 1 else 2 end = 1",
    "exists(received where at >= now - 3 days) and count(opens where at < now) > 1",
    "sequence(opens where at > now - 1 week then clicks within 3 days)",
    "top(5 by seconds_between(created_at, now))",
    "age between 20 and 30 and month(birth_date) = month(today)",
)


async def test_who_publishes_changes_what_is_asked_of_others(pool: Pool) -> None:
    question = parse_text("points > 1")
    async with transaction(pool) as conn:
        await publish_fields(conn, field("points", FieldKind.INTEGER))
        await conn.execute("INSERT INTO profile (x_points) VALUES (2)")
    async with transaction(pool) as conn:
        asked = await open_question(conn, question)
        assert await open_question(conn, question) is asked
        assert await count(conn, asked, at=AT, zone=UTC_ZONE) == 1
    async with transaction(pool) as conn:
        await publish_fields(conn, field("other", FieldKind.TEXT))
        assert await open_question(conn, question) is not asked
        with pytest.raises(ExpressionError):
            await open_question(conn, parse_text("exists(event_visit)"))
        await save_event_type(conn, SYSTEM, EventTypeDraft(name="visit", label="Visit"), now=NOW)
        assert await _asked(conn, "not exists(event_visit)") == 1


async def _draft(conn: Connection, name: str, text: str) -> Any:
    return await create_audience(conn, SYSTEM, AudienceDraft(name=name, label=name, expression=parse_text(text)))


async def test_an_audience_that_is_named_counts_as_it_is_now(conn: Connection) -> None:
    await conn.execute("INSERT INTO profile (country) VALUES ('FR'), ('FR'), ('DE')")
    inner = await _draft(conn, "inner", "country = 'FR'")
    outer = await _draft(conn, "outer", "in_audience('inner')")
    top = "in_audience('outer') or in_audience('outer', 1) and in_audience('inner', 1)"
    asked = await open_audience(conn, outer)
    assert await open_audience(conn, outer) is asked
    assert (await _asked(conn, "in_audience('outer')"), await _asked(conn, top)) == (2, 2)

    await update_audience(conn, SYSTEM, inner.id, {"expression": parse_text("country = 'DE'")})

    assert await open_audience(conn, outer) is not asked
    assert (await _asked(conn, "in_audience('outer')"), await _asked(conn, top)) == (1, 1)
    await update_audience(conn, SYSTEM, inner.id, {"expression": parse_text("country = 'FR'")})
    assert await open_audience(conn, outer) is asked


async def test_a_filter_that_is_called_counts_as_it_is_now(conn: Connection) -> None:
    await conn.execute("INSERT INTO profile (country) VALUES ('FR'), ('FR'), ('DE')")
    called = await filters.create_filter(
        conn, SYSTEM, FilterDraft(name="ours", label="o", expression=parse_text("country = 'FR'"))
    )
    await _draft(conn, "calls", "ours()")
    await _draft(conn, "names", "in_audience('calls')")
    asked = ("ours()", "in_audience('calls')", "in_audience('names')", "not in_audience('names', 1)", "in_audience('calls', 1)")
    values = ("case when ours() then 1 else 2 end", "case when in_audience('names') then 1 else 2 end")
    assert [await _asked(conn, text) for text in asked] == [2, 2, 2, 1, 2]
    assert [await _asked(conn, f"{text} = 1") for text in values] == [2, 2]
    opened = [await open_value(conn, parse_text(text)) for text in values]

    for question, number in (("country = 'DE'", 1), ("country is_null", 0), ("country = 'FR'", 2)):
        await filters.update_filter(conn, SYSTEM, called.id, {"expression": parse_text(question)})
        assert [await _asked(conn, text) for text in asked] == [number, number, number, 3 - number, number]
        assert [await _asked(conn, f"{text} = 1") for text in values] == [number, number]
        again = [await open_value(conn, parse_text(text)) for text in values]
        assert all(one is not other for one, other in zip(opened, again, strict=True))


async def test_people_who_are_merged_are_left_out_at_once_and_found_again(conn: Connection) -> None:
    one, other = [row["id"] for row in await conn.fetch("INSERT INTO profile (country) VALUES ('FR'), ('FR') RETURNING id")]
    assert await _asked(conn, "country = 'FR'") == 2
    merge = await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=one, other_ids=(other,)), now=NOW)
    assert await _asked(conn, "country = 'FR'") == 1
    await undo_merge(conn, SYSTEM, merge.id, now=NOW)
    assert await _asked(conn, "country = 'FR'") == 2
