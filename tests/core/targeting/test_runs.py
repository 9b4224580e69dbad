"""Questions that are asked as jobs: counted, frozen, cancelled, given up, refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import IllegalMove
from core.profiles.run_records import RunState
from core.runtime import Runtime
from core.targeting import audience_runs, cost, jobs, run_worker, watching
from core.targeting.audiences import create_audience, find_audience_by_name, get_audience
from core.targeting.enrichment import ComputedColumn
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft, AudienceRun
from core.targeting.segments import Segment, Segmentation
from tests.core.targeting.files import members, seen, worked
from tests.core.targeting.test_audience_files import people, refused

ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)


async def counting(runtime: Runtime, whom: Any, **how: Any) -> AudienceRun:
    async with transaction(runtime.pool) as conn:
        asked = parse_text(whom) if isinstance(whom, str) else whom
        return await audience_runs.start_count(conn, SYSTEM, asked, zone=ZONE, now=runtime.clock(), **how)


async def freezing(runtime: Runtime, question: str, name: str, *columns: ComputedColumn, **how: Any) -> AudienceRun:
    async with transaction(runtime.pool) as conn:
        return await audience_runs.start_freeze(
            conn, SYSTEM, parse_text(question), name=name, label=name, zone=ZONE, now=runtime.clock(), columns=columns, **how
        )  # fmt: skip


async def cutting(runtime: Runtime, question: str, into: Segmentation, **how: Any) -> AudienceRun:
    async with transaction(runtime.pool) as conn:
        return await audience_runs.start_segmentation(
            conn, SYSTEM, parse_text(question), into, zone=ZONE, now=runtime.clock(), **how
        )  # fmt: skip


async def audience(db: Connection, name: str, question: str) -> int:
    draft = AudienceDraft(name=name, label=name, expression=parse_text(question))
    return (await create_audience(db, SYSTEM, draft)).id


async def test_a_count_is_told_and_kept_by_the_audience(runtime: Runtime, db: Connection) -> None:
    await people(db, "ann@x.example", "bob@x.example", "eve@y.example")
    whom = await audience(db, "ours", "email ends_with '@x.example'")

    run = await worked(runtime, (await counting(runtime, whom)).id)
    assert (run.state, run.result["count"]) == (RunState.FINISHED, 2)
    kept = await get_audience(db, whom)
    assert (kept.counted, kept.counted_at, kept.version) == (2, runtime.clock(), 1)

    # And a question that nobody saved
    run = await worked(runtime, (await counting(runtime, "email ends_with 'example'")).id)
    assert run.result["count"] == 3


async def test_a_freeze_makes_a_list_with_columns_that_expires(runtime: Runtime, db: Connection) -> None:
    ann, bob = await people(db, "ann@x.example", "bob@x.example")
    columns = (ComputedColumn(name="who", label="Who", expression=parse_text("before(email, '@')")),)
    end = runtime.clock() + DAY

    run = await worked(runtime, (await freezing(runtime, "id > 0", "frozen", *columns, expires_at=end)).id)
    assert (run.state, run.result["count"]) == (RunState.FINISHED, 2)
    made = await find_audience_by_name(db, "frozen")
    assert made is not None
    assert (run.result["audience_ids"], made.expires_at, made.counted, made.created_by) == ([made.id], end, 2, SYSTEM.name)
    assert await members(runtime, made.id) == {ann: {"who": "ann"}, bob: {"who": "bob"}}

    # A name that is taken is told before the work, and one that was taken meanwhile after it
    await refused("NAME_TAKEN", freezing(runtime, "id > 0", "frozen"))
    late = await freezing(runtime, "id > 0", "late")
    await audience(db, "late", "id > 0")
    run = await worked(runtime, late.id)
    assert run.error is not None
    assert (run.state, run.error.code) == (RunState.FAILED, "NAME_TAKEN")


OURS = Segmentation(
    segments=(Segment(code="ours", label="Ours", where=parse_text("email ends_with '@x.example'")),), complement="rest"
)


async def test_one_list_of_all_segments_is_made_as_a_job(runtime: Runtime, db: Connection) -> None:
    ann, bob, eve = await people(db, "ann@x.example", "bob@x.example", "eve@y.example")

    run = await worked(runtime, (await cutting(runtime, "id > 0", OURS, name="spring", label="Spring")).id)
    assert (run.state, run.error, run.result["count"]) == (RunState.FINISHED, None, 3)
    made = await find_audience_by_name(db, "spring")
    assert made is not None
    assert (made.label, made.counted, run.audience_id, run.result["audience_ids"]) == ("Spring", 3, made.id, [made.id])
    assert await members(runtime, made.id) == {ann: {"segment": "ours"}, bob: {"segment": "ours"}, eve: {"segment": "rest"}}

    # A list of each, and none
    run = await worked(runtime, (await cutting(runtime, "id > 0", OURS, prefix="cut_")).id)
    assert len(run.result["audience_ids"]) == 2
    run = await worked(runtime, (await cutting(runtime, "id > 0", OURS)).id)
    assert [(one["code"], one["count"]) for one in run.result["segments"]] == [("ours", 2), ("rest", 1)]


async def test_what_one_list_cannot_be_is_told_before_the_work(runtime: Runtime, db: Connection) -> None:
    await audience(db, "taken", "id > 0")
    error = await refused("ONE_LIST_OR_MANY", cutting(runtime, "id > 0", OURS, name="one", prefix="many_"))
    assert error.path == "prefix"
    await refused("OVERLAP", cutting(runtime, "id > 0", replace(OURS, overlap=True), name="one"))
    await refused("BAD_NAME", cutting(runtime, "id > 0", OURS, name="Not a name"))
    await refused("NAME_TAKEN", cutting(runtime, "id > 0", OURS, name="taken"))
    assert await db.fetchval("SELECT count(*) FROM audience_run") == 0


async def test_what_is_cancelled_does_nothing_more(runtime: Runtime, db: Connection) -> None:
    # Given one that nobody has begun, and one that is at work
    await people(db, "ann@x.example")
    ready = await freezing(runtime, "id > 0", "one")
    async with transaction(runtime.pool) as conn:
        assert (await audience_runs.cancel_run(conn, SYSTEM, ready.id, runtime.clock())).state is RunState.CANCELLED
        await audience_runs.cancel_run(conn, SYSTEM, ready.id, runtime.clock())  # again: no change
    assert (await worked(runtime, ready.id)).state is RunState.CANCELLED
    assert await find_audience_by_name(db, "one") is None

    # One that is over is not
    done = await worked(runtime, (await counting(runtime, "id > 0")).id)
    with pytest.raises(IllegalMove):
        async with transaction(runtime.pool) as conn:
            await audience_runs.cancel_run(conn, SYSTEM, done.id, runtime.clock())


def waiting(began: asyncio.Event) -> Any:
    """In the place of a count: one that the database never ends."""

    async def count(conn: Connection, *asked: Any, **how: Any) -> int:
        began.set()
        await conn.execute("SELECT pg_sleep(600)")
        raise AssertionError

    return count


async def test_one_at_work_ends_when_it_is_cancelled(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    began = asyncio.Event()
    monkeypatch.setattr(run_worker, "count", waiting(began))
    monkeypatch.setattr(run_worker, "watched", partial(watching.watched, beat=0.01))
    run = await counting(runtime, "id > 0")
    work = asyncio.create_task(jobs.run(runtime, run_id=run.id))
    await began.wait()
    async with transaction(runtime.pool) as conn:
        await audience_runs.cancel_run(conn, SYSTEM, run.id, runtime.clock())
    await work
    found = await seen(runtime, run.id)
    assert (found.state, found.error, found.result) == (RunState.CANCELLED, None, {})


async def test_one_that_takes_longer_than_it_may_is_given_up_by_name(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(run_worker, "count", waiting(asyncio.Event()))
    monkeypatch.setattr(run_worker, "watched", partial(watching.watched, beat=0.01))
    whom = await audience(db, "all", "id > 0")
    run = await counting(runtime, whom)
    await db.execute("UPDATE audience_run SET seconds = 0")
    found = await worked(runtime, run.id)
    assert found.error is not None
    assert (found.state, found.error.code) == (RunState.FAILED, "QUESTION_TOO_SLOW")
    assert "examination" in (found.error.hint or "")
    assert (await get_audience(db, whom)).counted is None


async def test_a_value_that_the_database_does_not_hold_is_told_by_name(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_much(conn: Connection, *_: object, **__: object) -> None:
        await conn.fetchval("SELECT length(repeat('x', 1200000000))")

    monkeypatch.setattr(run_worker, "count", too_much)
    found = await worked(runtime, (await counting(runtime, await audience(db, "all", "id > 0"))).id)
    assert found.error is not None
    assert (found.state, found.error.code) == (RunState.FAILED, "VALUE_TOO_LARGE")


@pytest.mark.parametrize("minutes", [0, -1, 361])
async def test_minutes_have_bounds(runtime: Runtime, minutes: int) -> None:
    await refused("BAD_MINUTES", counting(runtime, "id > 0", minutes=minutes))


async def test_what_would_run_for_days_is_refused_with_advice(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    # Given more people than are looked up, and a bound that a question over them passes
    await db.execute("INSERT INTO profile (city) SELECT 'c' || n FROM generate_series(1, 20000) AS n")
    await db.execute("ANALYZE profile")
    monkeypatch.setattr(cost, "MOST_COST", 10)
    error = await refused("QUESTION_TOO_COSTLY", counting(runtime, "city = 'c7'"))
    assert "an index on profile.city would help" in (error.hint or "")
    assert "freeze one part into a list" in (error.hint or "")
    await refused("QUESTION_TOO_COSTLY", freezing(runtime, "city = 'c7'", "dear"))
    assert await db.fetchval("SELECT count(*) FROM audience_run") == 0


async def test_columns_and_rules_cost_too(runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a question that costs little, and what is asked of each whom it finds besides
    await db.execute("INSERT INTO profile (city) SELECT 'c' || n FROM generate_series(1, 2000) AS n")
    await db.execute("ANALYZE profile")
    dear = "count(received) + count(opens) + count(clicks)"
    monkeypatch.setattr(cost, "MOST_COST", 1000)
    by = Segment(code="best", label="Best", size=10, by=parse_text(dear))
    per = Segment(code="groups", label="Groups", size=10, per=parse_text(dear))
    where = Segment(code="rule", label="Rule", where=parse_text(f"{dear} > 3"))
    column = ComputedColumn(name="much", label="Much", expression=parse_text(dear))

    await cutting(runtime, "id > 0", OURS, name="cheap")
    await freezing(runtime, "id > 0", "cheap_too")
    for one in (by, per, where):
        await refused("QUESTION_TOO_COSTLY", cutting(runtime, "id > 0", Segmentation(segments=(one,)), name="dear"))
    await refused("QUESTION_TOO_COSTLY", freezing(runtime, "id > 0", "dear", column))


async def test_a_question_without_a_meaning_by_then_fails_with_its_error(runtime: Runtime, db: Connection) -> None:
    whom = await audience(db, "named", "id > 0")
    run = await counting(runtime, "in_audience('named')")
    await db.execute("DELETE FROM audience WHERE id = $1", whom)
    found = await worked(runtime, run.id)
    assert found.error is not None
    assert (found.state, found.error.code) == (RunState.FAILED, "UNKNOWN_AUDIENCE")
