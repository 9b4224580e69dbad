"""Reads the rows of an audience's file: a thread reads the next chunk while Postgres stores this one.

Rows, counters and the place behind a chunk are committed together, so whoever goes on after a crash goes on behind the last
chunk that was stored. The fence keeps a worker that was thought dead from storing anything more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.db import Connection, transaction
from core.outbox import announce
from core.profiles.files.chunks import PeopleFile
from core.profiles.files.opening import open_people_file
from core.profiles.run_records import RunState
from core.profiles.store import runs
from core.runtime import Runtime
from core.targeting import file_store, run_store, store
from core.targeting.file_rows import FilePlan, ReadRows, plan_file, read_rows
from core.targeting.records import AudienceFile, AudienceRun, Task
from core.targeting.row_keys import check_row_keys
from core.targeting.run_requests import read_keys
from core.targeting.run_store import RunTable
from core.targeting.watching import Fenced, Stopping

CHUNK = 10_000  # lines
MOST_TOLD = 100  # rows that are left out of which a run tells


@dataclass(slots=True)
class _Chunk:
    """What one reading gave, and where the file is behind it."""

    rows: ReadRows
    end: int
    end_line: int
    last: bool


@dataclass(slots=True)
class _Source:
    """The file with what its columns mean. Read by one thread at a time."""

    file: PeopleFile
    plan: FilePlan

    def read(self) -> _Chunk:
        chunk = self.file.read(CHUNK)
        return _Chunk(read_rows(self.plan, chunk), chunk.end, chunk.end_line, chunk.last)


async def load(runtime: Runtime, run: AudienceRun) -> None:
    """Do what is left of it. Raises Fenced, Stopping, ClarionError for a file or header that cannot be read."""
    assert run.audience_id is not None
    async with runtime.pool.acquire() as conn:
        (file,) = await file_store.find_files(conn, [run.audience_id])
        path = runtime.files.path(await stored_files.get_file(conn, file.file_id))
    source = await asyncio.to_thread(_open, path, file, run)
    progress = _Progress(run)
    reading = asyncio.create_task(asyncio.to_thread(source.read))
    try:
        if not progress.lines_read:
            await _begin(runtime, run, source.plan)
        while True:
            chunk = await reading
            if not chunk.last:
                reading = asyncio.create_task(asyncio.to_thread(source.read))
            await _store(runtime, run, chunk, progress)
            if chunk.last:
                break
            if runtime.stopping.is_set():
                raise Stopping
    finally:
        await asyncio.gather(reading, return_exceptions=True)
        source.file.close()


def _open(path: Path, file: AudienceFile, run: AudienceRun) -> _Source:
    opened = open_people_file(path, file.options.reading)
    try:
        plan = plan_file(opened.header, file.options)
        if run.lines_read:
            opened.skip_to(run.position, run.lines_read)
        return _Source(opened, plan)
    except BaseException:
        opened.close()
        raise


class _Progress:
    """How far it is."""

    def __init__(self, run: AudienceRun):
        self.lines_read = run.lines_read
        self.done = run.done
        self.rejected: int = run.result.get("rejected", 0)
        self.told: list[Any] = list(run.result.get("rejects", []))

    def add(self, chunk: _Chunk) -> None:
        self.done += len(chunk.rows.lines)
        self.rejected += len(chunk.rows.bad)
        room = MOST_TOLD - len(self.told)
        self.told += [{"line": bad.line, "column": bad.column, "code": bad.code} for bad in chunk.rows.bad[:room]]

    @property
    def result(self) -> Mapping[str, Any]:
        return {"rows": self.done, "rejected": self.rejected, "rejects": self.told}


async def _begin(runtime: Runtime, run: AudienceRun, plan: FilePlan) -> None:
    """Know the columns, and refuse keys that are none of them before anything is stored."""
    assert run.audience_id is not None
    keys = read_keys(run.request)
    async with transaction(runtime.pool) as conn:
        if keys:
            await check_row_keys(conn, keys, [one.name for one in plan.columns])
        if not await runs.beat(conn, RunTable.AUDIENCE, run.id, run.fence, runtime.clock()):
            raise Fenced
        await file_store.clear_file(conn, run.audience_id)
        await store.insert_columns(conn, run.audience_id, plan.columns)


async def _store(runtime: Runtime, run: AudienceRun, chunk: _Chunk, progress: _Progress) -> None:
    assert run.audience_id is not None
    progress.add(chunk)
    async with transaction(runtime.pool) as conn:
        going = await run_store.advance(
            conn, run.id, run.fence, runtime.clock(), done=progress.done, position=chunk.end, lines_read=chunk.end_line,
            result=progress.result,
        )  # fmt: skip
        if not going:
            raise Fenced
        if chunk.rows.lines:
            await file_store.insert_rows(conn, run.audience_id, chunk.rows.lines, chunk.rows.data)
        if chunk.last:
            await _finish(conn, runtime, run, progress)


async def _finish(conn: Connection, runtime: Runtime, run: AudienceRun, progress: _Progress) -> None:
    """The rows are there; those who asked for it have them reconciled next."""
    assert run.audience_id is not None
    assert run.file_id is not None
    now = runtime.clock()
    await run_store.end_run(conn, run.id, RunState.FINISHED, now, result=progress.result)
    await file_store.set_loaded(conn, run.audience_id, now)
    await stored_files.let_go(conn, run.file_id, now)
    await store.touch_audience(conn, run.audience_id)
    counts = {"rows": progress.done, "rejected": progress.rejected}
    await record(conn, SYSTEM, "audience.loaded", "audience", run.audience_id, counts)
    if run.request["keys"]:
        following = await run_store.insert_run(
            conn, Task.RECONCILE, audience_id=run.audience_id, file_id=None, request=run.request, time_zone=run.time_zone,
            seconds=run.seconds, created_by=run.created_by, now=now,
        )  # fmt: skip
        await announce(conn, "audience_run.ready", run_id=following.id)
