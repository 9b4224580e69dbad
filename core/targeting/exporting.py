"""Writes the rows of a file, or the members of a list with their columns, as CSV. After a crash it begins anew."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.db import transaction
from core.profiles.formulas import escaped
from core.profiles.run_records import RunState
from core.profiles.store import runs
from core.runtime import Runtime
from core.targeting import file_store, member_store, run_store, store
from core.targeting.audiences import get_audience
from core.targeting.file_rows import as_text
from core.targeting.records import Audience, AudienceKind, AudienceRun, MemberColumn, RowOutcome
from core.targeting.run_store import RunTable
from core.targeting.watching import Fenced, Stopping

CHUNK = 10_000  # rows

_OF_FILE = ("line", "outcome", "profile_id")
_OF_LIST = ("profile_id", "added_at")


async def export(runtime: Runtime, run: AudienceRun) -> None:
    """Write it from the start. Raises Fenced, Stopping."""
    assert run.audience_id is not None
    assert run.file_id is not None
    async with runtime.pool.acquire() as conn:
        audience = await get_audience(conn, run.audience_id)
        columns = (await store.list_columns(conn, [audience.id]))[audience.id]
        file = await stored_files.get_file(conn, run.file_id)
    async with runtime.files.part(file.location) as part:
        rows = 0
        await asyncio.to_thread(_append, part, [[*_head(audience), *(escaped(one.name) for one in columns)]])
        async for portion in _portions(runtime, run, audience, columns):
            rows += len(portion)
            await asyncio.to_thread(_append, part, portion)
            await _report(runtime, run, rows)
        size = (await asyncio.to_thread(part.stat)).st_size
        async with transaction(runtime.pool) as conn:
            # The row is locked from here to the commit, so nobody else can take the run while its file gets its name.
            if not await runs.beat(conn, RunTable.AUDIENCE, run.id, run.fence, runtime.clock()):
                raise Fenced
            await asyncio.to_thread(part.replace, runtime.files.path(file))
            await stored_files.complete_file(conn, file.id, size, runtime.clock())
            await run_store.end_run(conn, run.id, RunState.FINISHED, runtime.clock(), result={"rows": rows})
            await record(conn, SYSTEM, "audience.exported", "audience", audience.id, {"rows": rows})


def _head(audience: Audience) -> tuple[str, ...]:
    return _OF_FILE if audience.kind is AudienceKind.FILE else _OF_LIST


async def _portions(
    runtime: Runtime, run: AudienceRun, audience: Audience, columns: Sequence[MemberColumn]
) -> AsyncIterator[list[list[Any]]]:
    outcome = RowOutcome(run.request["outcome"]) if run.request["outcome"] else None
    after: int | None = None
    while True:
        async with runtime.pool.acquire() as conn:
            if audience.kind is AudienceKind.FILE:
                rows = await file_store.list_rows(conn, audience.id, outcome, after=after, limit=CHUNK)
                portion = [[one.line, one.outcome.value, one.profile_id or "", *_cells(one.data, columns)] for one in rows]
                after = rows[-1].line if rows else None
            else:
                members = await member_store.list_members(conn, audience.id, after=after, limit=CHUNK)
                portion = [[one.profile_id, one.added_at.isoformat(), *_cells(one.data, columns)] for one in members]
                after = members[-1].profile_id if members else None
        if not portion:
            return
        yield portion


def _cells(data: Any, columns: Sequence[MemberColumn]) -> list[str]:
    return [escaped(as_text(data.get(one.name)) or "") for one in columns]


def _append(part: Path, rows: Sequence[Sequence[Any]]) -> None:
    with part.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


async def _report(runtime: Runtime, run: AudienceRun, rows: int) -> None:
    if runtime.stopping.is_set():
        raise Stopping
    async with runtime.pool.acquire() as conn:
        going = await run_store.advance(
            conn, run.id, run.fence, runtime.clock(), done=rows, position=0, lines_read=0, result={}
        )
    if not going:
        raise Fenced
