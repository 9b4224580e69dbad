"""Finds the profiles that the rows of a file are about, chunk by chunk; their members are these profiles.

What is found and the place behind a chunk are committed together, and rows are looked at in the order of the file, so it
goes on after a crash where it was. Meanwhile the audience is not reconciled, and nothing targets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.access import SYSTEM
from core.audit import record
from core.db import Connection, transaction
from core.profiles.run_records import RunState
from core.profiles.store import runs
from core.profiles.values import Reading
from core.runtime import Runtime
from core.targeting import file_store, run_store, store
from core.targeting.records import AudienceRow, AudienceRun, RowOutcome
from core.targeting.row_keys import OpenedKey, open_row_keys
from core.targeting.run_requests import read_keys
from core.targeting.run_store import RunTable
from core.targeting.watching import Fenced, Stopping

CHUNK = 10_000  # rows


@dataclass(slots=True)
class Found:
    """Whom a row is about, if it is about one."""

    line: int
    outcome: RowOutcome
    profile_id: int | None = None


async def reconcile_rows(runtime: Runtime, run: AudienceRun) -> None:
    """Do what is left of it. Raises Fenced, Stopping, Invalid (BAD_KEY)."""
    region = run.request["region"] or runtime.settings.default_country
    reading = Reading(region=region, today=runtime.clock().date())
    async with transaction(runtime.pool) as conn:
        keys = await open_row_keys(conn, read_keys(run.request))
        if not run.position:
            await _begin(conn, runtime, run)
    position, done = run.position, run.done
    while True:
        async with transaction(runtime.pool) as conn:
            rows = await _chunk(conn, runtime, run, keys, reading, position, done)
            if not rows:
                await _finish(conn, runtime, run)
                return
        position, done = rows[-1].line, done + len(rows)
        if runtime.stopping.is_set():
            raise Stopping


async def _begin(conn: Connection, runtime: Runtime, run: AudienceRun) -> None:
    assert run.audience_id is not None
    if not await runs.beat(conn, RunTable.AUDIENCE, run.id, run.fence, runtime.clock()):
        raise Fenced
    await file_store.set_reconciled(conn, run.audience_id, None)
    await file_store.clear_members(conn, run.audience_id)
    await store.touch_audience(conn, run.audience_id)
    total = sum((await file_store.count_rows(conn, run.audience_id)).values())
    await run_store.advance(conn, run.id, run.fence, runtime.clock(), done=0, position=0, lines_read=0, result={}, total=total)


async def _chunk(
    conn: Connection, runtime: Runtime, run: AudienceRun, keys: Sequence[OpenedKey], reading: Reading, position: int, done: int
) -> list[AudienceRow]:
    """Settle the next rows. Raises Fenced."""
    assert run.audience_id is not None
    rows = await file_store.list_rows(conn, run.audience_id, None, after=position, limit=CHUNK)
    going = await run_store.advance(
        conn, run.id, run.fence, runtime.clock(), done=done + len(rows), position=rows[-1].line if rows else position,
        lines_read=0, result={},
    )  # fmt: skip
    if not going:
        raise Fenced
    if rows:
        await settle(conn, run.audience_id, keys, rows, reading, runtime.clock())
    return rows


async def settle(
    conn: Connection, audience_id: int, keys: Sequence[OpenedKey], rows: Sequence[AudienceRow], reading: Reading, now: datetime
) -> None:
    """Find whom rows are about, and make these people members with what the first row of each says."""
    values = [[one.read(row.data, reading) for row in rows] for one in keys]
    known = [
        await file_store.find_by_key(conn, one.columns, one.types, list({value for value in column if value is not None}))
        for one, column in zip(keys, values, strict=True)
    ]
    found = [_find(row.line, [column[index] for column in values], known) for index, row in enumerate(rows)]
    there = await file_store.hold_profiles(conn, sorted({one.profile_id for one in found if one.profile_id is not None}))
    first: dict[int, Found] = {}
    for one in found:
        if one.profile_id is not None and one.profile_id not in there:  # deleted this moment
            one.outcome, one.profile_id = RowOutcome.UNMATCHED, None
        elif one.profile_id is not None:
            one.outcome = RowOutcome.REPEATED
            first.setdefault(one.profile_id, one)
    added = await file_store.add_members(conn, audience_id, [one.line for one in first.values()], list(first), now)
    for profile_id in added:
        first[profile_id].outcome = RowOutcome.MATCHED
    await file_store.settle_rows(
        conn, audience_id, [one.line for one in found], [one.profile_id for one in found], [one.outcome for one in found]
    )


def _find(line: int, values: Sequence[Any], known: Sequence[Mapping[Any, tuple[int, int]]]) -> Found:
    """By the first key that finds one profile alone."""
    outcome = RowOutcome.UNMATCHED
    for value, profiles in zip(values, known, strict=True):
        if value is None or value not in profiles:
            continue
        profile_id, number = profiles[value]
        if number == 1:
            return Found(line, RowOutcome.MATCHED, profile_id)
        outcome = RowOutcome.AMBIGUOUS
    return Found(line, outcome)


async def _finish(conn: Connection, runtime: Runtime, run: AudienceRun) -> None:
    assert run.audience_id is not None
    now = runtime.clock()
    counts = await file_store.count_rows(conn, run.audience_id)
    result = {one.value: counts.get(one, 0) for one in RowOutcome if one is not RowOutcome.WAITING}
    await run_store.end_run(conn, run.id, RunState.FINISHED, now, result=result)
    await file_store.set_reconciled(conn, run.audience_id, now)
    await store.keep_count(conn, run.audience_id, counts.get(RowOutcome.MATCHED, 0), now)
    await store.touch_audience(conn, run.audience_id)
    await record(conn, SYSTEM, "audience.reconciled", "audience", run.audience_id, result)
