"""Carries out work on audiences: a count, a list, segments in one statement and one transaction; files chunk by chunk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core import files as stored_files
from core.access import SYSTEM, Actor
from core.audit import record
from core.db import TRY_LATER, Connection, transaction
from core.db_errors import too_large
from core.errors import ClarionError
from core.log import get_logger
from core.outbox import announce
from core.profiles.run_records import RunError, RunState
from core.profiles.store import runs
from core.runtime import Runtime
from core.targeting import lists, run_store, store
from core.targeting.audiences import count, get_audience, open_audience, open_question
from core.targeting.exporting import export
from core.targeting.json_parse import read_stored
from core.targeting.loading import load
from core.targeting.reconciling import reconcile_rows
from core.targeting.records import AudienceRun, Task
from core.targeting.run_requests import read_columns, read_segments
from core.targeting.run_store import RunTable
from core.targeting.segments import count_segments, list_segments, list_together
from core.targeting.watching import Fenced, Stopping, watched

log = get_logger(__name__)

GRACE = 60.0  # seconds that the database waits longer than we do


async def work(runtime: Runtime, run_id: int) -> None:
    """Do what is left of a run. Returns at once when nothing is, or when another worker has it."""
    async with transaction(runtime.pool) as conn:
        taken = await runs.claim(conn, RunTable.AUDIENCE, run_id, runtime.clock())
        found = await run_store.find_runs(conn, [run_id]) if taken else []
    for run in found:
        try:
            limit = None if run.task in _OF_FILES else float(run.seconds)
            await watched(runtime, run, _WORK[run.task](runtime, run), seconds=limit)  # type: ignore[arg-type]
        except Fenced:
            log.info("run left to another worker, or cancelled", audience_run_id=run_id)
        except Stopping:
            await _release(runtime, run)
        except ClarionError as error:
            await _fail(runtime, run, error)
        except TRY_LATER:
            raise  # the sweep gives it to somebody again
        except Exception as error:
            named = too_large(error)
            await _fail(runtime, run, named or ClarionError("something went wrong on our side", code="INTERNAL"))
            if named is None:
                raise


async def _count(runtime: Runtime, run: AudienceRun) -> None:
    async with transaction(runtime.pool) as conn:
        at, zone = runtime.clock(), ZoneInfo(run.time_zone)
        if run.audience_id is not None:
            checked = await open_audience(conn, await get_audience(conn, run.audience_id))
        else:
            checked = await open_question(conn, read_stored(run.request["expression"]))
        number = await count(conn, checked, at=at, zone=zone, patience=run.seconds + GRACE)
        await _finish(conn, runtime, run, {"count": number, "at": at.isoformat()})
        if run.audience_id is not None:
            await store.keep_count(conn, run.audience_id, number, at)


async def _freeze(runtime: Runtime, run: AudienceRun) -> None:
    told = run.request
    async with transaction(runtime.pool) as conn:
        at = runtime.clock()
        audience = await lists.create_list(
            conn, _author(run), name=told["name"], label=told["label"], whom=read_stored(told["expression"]), now=at,
            zone=ZoneInfo(run.time_zone), columns=read_columns(told["columns"]),
            expires_at=datetime.fromisoformat(told["expires_at"]) if told["expires_at"] else None,
        )  # fmt: skip
        members = await lists.count_members(conn, audience.id)
        await store.keep_count(conn, audience.id, members, at)
        result = {"count": members, "at": at.isoformat(), "audience_ids": [audience.id]}
        await _finish(conn, runtime, run, result, audience.id)


async def _segment(runtime: Runtime, run: AudienceRun) -> None:
    told = run.request
    whole, into = read_stored(told["expression"]), read_segments(told["into"])
    async with transaction(runtime.pool) as conn:
        at, zone = runtime.clock(), ZoneInfo(run.time_zone)
        result: dict[str, Any] = {"at": at.isoformat()}
        one: int | None = None
        if told.get("name") is not None:
            together = await list_together(
                conn, _author(run), whole, into, name=told["name"], label=told["label"], now=at, zone=zone
            )  # fmt: skip
            one = together.id
            result |= {"count": await lists.count_members(conn, one), "audience_ids": [one]}
            await store.keep_count(conn, one, result["count"], at)
        elif told["prefix"] is not None:
            made = await list_segments(conn, _author(run), whole, into, prefix=told["prefix"], now=at, zone=zone)
            result["audience_ids"] = [audience.id for audience in made]
        else:
            counted = await count_segments(conn, whole, into, at=at, zone=zone)
            result["segments"] = [{"code": each.code, "label": each.label, "count": each.count} for each in counted]
        await _finish(conn, runtime, run, result, one)


def _author(run: AudienceRun) -> Actor:
    """Who asked for it, and was allowed to."""
    return replace(SYSTEM, name=run.created_by)


async def _finish(
    conn: Connection, runtime: Runtime, run: AudienceRun, result: Mapping[str, Any], audience_id: int | None = None
) -> None:
    """Raises Fenced, and then nothing of it stays."""
    if not await runs.beat(conn, RunTable.AUDIENCE, run.id, run.fence, runtime.clock()):
        raise Fenced
    await run_store.end_run(
        conn, run.id, RunState.FINISHED, runtime.clock(), result=result, audience_id=audience_id
    )  # fmt: skip


async def _fail(runtime: Runtime, run: AudienceRun, error: ClarionError) -> None:
    log.info("run failed", audience_run_id=run.id, task=run.task.value, code=error.code, place=error.path)
    told = RunError(code=error.code, message=error.message, path=error.path, hint=error.hint)
    async with transaction(runtime.pool) as conn:
        if await runs.beat(conn, RunTable.AUDIENCE, run.id, run.fence, runtime.clock()):
            await run_store.end_run(conn, run.id, RunState.FAILED, runtime.clock(), error=told)
            if run.file_id is not None:
                await stored_files.let_go(conn, run.file_id, runtime.clock())
            await record(conn, SYSTEM, "audience_run.fail", "audience_run", run.id, {"code": error.code})


async def _release(runtime: Runtime, run: AudienceRun) -> None:
    """This process ends: let another go on at once."""
    async with transaction(runtime.pool) as conn:
        if await runs.release(conn, RunTable.AUDIENCE, run.id, run.fence, runtime.clock()):
            await announce(conn, "audience_run.ready", run_id=run.id)


_OF_FILES = frozenset({Task.LOAD, Task.RECONCILE, Task.EXPORT})
_WORK: Mapping[Task, Callable[[Runtime, AudienceRun], Awaitable[None]]] = {
    Task.LOAD: load, Task.RECONCILE: reconcile_rows, Task.COUNT: _count, Task.FREEZE: _freeze, Task.SEGMENT: _segment,
    Task.EXPORT: export,
}  # fmt: skip
