"""Carries out an export of suppression entries: one snapshot of a list, streamed to a file in constant memory."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.db import TRY_LATER, transaction
from core.errors import ClarionError
from core.files import StoredFile
from core.log import get_logger
from core.outbox import announce
from core.profiles.formulas import escaped
from core.profiles.heartbeat import beating
from core.profiles.run_records import RunError, RunState
from core.profiles.store import runs
from core.profiles.store import suppression as lists
from core.profiles.store import suppression_runs as store
from core.profiles.store.runs import RunTable
from core.profiles.suppression_columns import COLUMNS
from core.profiles.suppression_forms import Entry, written
from core.profiles.suppression_records import SuppressionEntry, SuppressionExport
from core.runtime import Runtime

log = get_logger(__name__)

RANGE = 10_000  # entries fetched at once
TABLE = RunTable.SUPPRESSION_EXPORT


class _Fenced(Exception):
    """The export was cancelled, or another worker has it."""


class _Stopping(Exception):
    """This process ends."""


async def run_export(runtime: Runtime, export_id: int) -> None:
    """Write an export from the start. Returns at once when another worker has it, or when it has ended."""
    async with transaction(runtime.pool) as conn:
        taken = await runs.claim(conn, TABLE, export_id, runtime.clock())
        run = (await store.get_exports(conn, [export_id]))[0] if taken else None
        file = await stored_files.get_file(conn, run.file_id) if run else None
    if run is None or file is None:
        return
    try:
        async with runtime.files.part(file.location) as part, beating(runtime, TABLE, run.id, run.fence):
            await _write(runtime, run, file, part)
    except _Fenced:
        log.info("export left to another worker, or cancelled", suppression_export_id=export_id)
    except _Stopping:
        await _release(runtime, run)
    except ClarionError as error:
        await _fail(runtime, run, error)
    except TRY_LATER:
        raise  # the sweep gives it to somebody again
    except Exception:
        await _fail(runtime, run, ClarionError("something went wrong on our side", code="INTERNAL"))
        raise


async def _write(runtime: Runtime, run: SuppressionExport, file: StoredFile, part: Path) -> None:
    now, rows, after = runtime.clock(), 0, None
    with await asyncio.to_thread(part.open, "w", encoding="utf-8", newline="") as out:
        out.write(",".join(COLUMNS) + "\n")
        async with runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
            while found := await lists.list_entries(conn, run.list_id, after, RANGE):
                live = [one for one in found if one.expires_at is None or one.expires_at > now]
                out.write(await asyncio.to_thread(_lines, live))
                rows, after = rows + len(live), _place(found[-1])
                await _report(runtime, run, rows)
    size = (await asyncio.to_thread(part.stat)).st_size
    async with transaction(runtime.pool) as conn:
        # The row is locked from here to the commit, so nobody else can take the export while its file gets its name.
        if not await store.advance_export(conn, run.id, run.fence, runtime.clock(), rows):
            raise _Fenced
        await asyncio.to_thread(part.replace, runtime.files.path(file))
        await stored_files.complete_file(conn, file.id, size, runtime.clock())
        await store.end_run(conn, TABLE, run.id, RunState.FINISHED, runtime.clock())
        await record(conn, SYSTEM, "suppression_export.finish", "suppression_export", run.id, {"rows": rows})


def _lines(entries: Sequence[SuppressionEntry]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(_cells(one) for one in entries)
    return out.getvalue()


def _cells(entry: SuppressionEntry) -> tuple[str, ...]:
    words = (written(entry.form, entry.value), entry.form.name.lower(), entry.comment, entry.origin)
    return (*map(escaped, words), _moment(entry.expires_at), _moment(entry.created_at), entry.created_by)


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at is not None else ""


def _place(entry: SuppressionEntry) -> Entry:
    return entry.form, entry.value


async def _report(runtime: Runtime, run: SuppressionExport, rows: int) -> None:
    if runtime.stopping.is_set():
        raise _Stopping
    async with runtime.pool.acquire() as conn:
        if not await store.advance_export(conn, run.id, run.fence, runtime.clock(), rows):
            raise _Fenced


async def _release(runtime: Runtime, run: SuppressionExport) -> None:
    """Let another worker begin anew at once."""
    async with transaction(runtime.pool) as conn:
        if await runs.release(conn, TABLE, run.id, run.fence, runtime.clock()):
            await announce(conn, "suppression_export.ready", export_id=run.id)


async def _fail(runtime: Runtime, run: SuppressionExport, error: ClarionError) -> None:
    log.info("export failed", suppression_export_id=run.id, code=error.code, place=error.path)
    told = RunError(code=error.code, message=error.message, path=error.path, hint=error.hint)
    async with transaction(runtime.pool) as conn:
        if await runs.beat(conn, TABLE, run.id, run.fence, runtime.clock()):
            await store.end_run(conn, TABLE, run.id, RunState.FAILED, runtime.clock(), told)
            await stored_files.let_go(conn, run.file_id, runtime.clock())
            await record(conn, SYSTEM, "suppression_export.fail", "suppression_export", run.id, {"code": error.code})
