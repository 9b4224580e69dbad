"""Carries out an import of suppression entries, chunk by chunk.

Entries, counters and the offset behind a chunk are committed together, so whoever goes on after a crash goes on behind the
last chunk that was stored. The fence keeps a worker that was thought dead from storing anything more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.db import TRY_LATER, Connection, transaction
from core.errors import ClarionError, Invalid
from core.log import get_logger
from core.outbox import announce
from core.profiles.files.chunks import Chunk
from core.profiles.files.corrected import CorrectedFile
from core.profiles.heartbeat import beating
from core.profiles.rejects_file import NAME
from core.profiles.run_records import RunError, RunState
from core.profiles.store import runs
from core.profiles.store import suppression as lists
from core.profiles.store import suppression_runs as store
from core.profiles.store.runs import RunTable
from core.profiles.suppression_columns import EntryColumns, plan_columns
from core.profiles.suppression_entries import Read, read_draft, read_value, store_drafts, take_out
from core.profiles.suppression_records import EntryOutcome, EntryResult, SuppressionAction, SuppressionImport, SuppressionList
from core.profiles.suppression_rejects import EntriesFile, attach_rejects, open_entries, text_of
from core.runtime import Runtime

log = get_logger(__name__)

CHUNK = 10_000  # lines
TABLE = RunTable.SUPPRESSION_IMPORT
_UNCHANGED = (EntryOutcome.UNCHANGED, EntryOutcome.ABSENT)

Rows = list[tuple[int, list[str]]]
"""Records with the line on which each begins."""


class _Fenced(Exception):
    """The import was cancelled, its list was deleted, or another worker has it."""


async def run_import(runtime: Runtime, import_id: int) -> None:
    """Do what is left of an import. Returns at once when nothing is, or when another worker has it."""
    async with transaction(runtime.pool) as conn:
        taken = await runs.claim(conn, TABLE, import_id, runtime.clock())
        run = (await store.get_imports(conn, [import_id]))[0] if taken else None
    if run is not None:
        try:
            async with beating(runtime, TABLE, run.id, run.fence):
                await _work(runtime, run)
        except _Fenced:
            log.info("import left to another worker, or cancelled", suppression_import_id=import_id)
        except ClarionError as error:
            await _fail(runtime, run, error)
        except TRY_LATER:
            raise  # the sweep gives it to somebody again
        except Exception:
            await _fail(runtime, run, ClarionError("something went wrong on our side", code="INTERNAL"))
            raise
    await _write_late_rejects(runtime, import_id)


async def _work(runtime: Runtime, run: SuppressionImport) -> None:
    async with runtime.pool.acquire() as conn:
        path = runtime.files.path(await stored_files.get_file(conn, run.file_id))
    file = await asyncio.to_thread(_open, path, run)
    try:
        columns = plan_columns(file.header, run.options)
        named = run.options.header or isinstance(file, CorrectedFile)
        first: Rows = [] if named or run.bytes_read else [(1, file.header)]
        while True:
            chunk = await asyncio.to_thread(file.read, CHUNK)
            await _store(runtime, run, file, columns, first, chunk)
            if chunk.last:
                break
            first = []
            if runtime.stopping.is_set():
                await _release(runtime, run)
                return
    finally:
        file.close()
    await _end(runtime, run, RunState.FINISHED)


def _open(path: Path, run: SuppressionImport) -> EntriesFile:
    """Where the import is in its file. Raises Invalid for a file or header that cannot be read."""
    file = open_entries(path, run)
    if run.bytes_read:
        file.skip_to(run.bytes_read, run.lines_read)
    return file


async def _store(
    runtime: Runtime, run: SuppressionImport, file: EntriesFile, columns: EntryColumns, first: Rows, chunk: Chunk
) -> None:  # fmt: skip
    rows = [*first, *zip(chunk.lines, chunk.rows, strict=True)]
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        found = await lists.hold_list(conn, run.list_id)
        if found is None:
            raise _Fenced
        region = run.options.default_country or runtime.settings.default_country
        read = await asyncio.to_thread(lambda: [_read(found, run, columns, row, region, runtime) for _, row in rows])
        results = await _apply(conn, run, found, read, runtime)
        rejects = [
            _reject(line, text_of(file, line, row, chunk), one)
            for (line, row), one in zip(rows, results, strict=True) if one.error
        ]  # fmt: skip
        rejects += [(bad.line, "", bad.code, bad.message, bad.text) for bad in chunk.bad]
        if rejects:
            await store.add_rejects(conn, run.id, sorted(rejects))
        counts = Counter(one.outcome for one in results)
        going = await store.advance_import(
            conn, run.id, run.fence, now,
            bytes_read=chunk.end, lines_read=chunk.end_line,
            added=counts[EntryOutcome.ADDED], changed=counts[EntryOutcome.CHANGED],
            unchanged=sum(counts[one] for one in _UNCHANGED), removed=counts[EntryOutcome.REMOVED],
            rejected=len(rejects), repeated=counts[EntryOutcome.REPEATED],
        )  # fmt: skip
        if not going:
            raise _Fenced


def _read(
    found: SuppressionList, run: SuppressionImport, columns: EntryColumns, row: list[str], region: str, runtime: Runtime
) -> Read:
    try:
        draft = columns.draft(row)
    except Invalid as error:
        return error
    if run.action is SuppressionAction.REMOVE:
        return read_value(found.kind, draft, region, "row")
    return read_draft(found.kind, draft, runtime.clock(), region, "row")


async def _apply(
    conn: Connection, run: SuppressionImport, found: SuppressionList, read: list[Read], runtime: Runtime
) -> list[EntryResult]:
    if run.action is SuppressionAction.REMOVE:
        return (await take_out(conn, found, read))[0]
    return (await store_drafts(conn, found, read, run.created_by, runtime.clock()))[0]


def _reject(line: int, text: str, result: EntryResult) -> store.Reject:
    error = result.error
    assert error is not None
    return line, (error.path or "").rpartition(".")[2], error.code, error.message, text


async def _end(runtime: Runtime, run: SuppressionImport, state: RunState, error: RunError | None = None) -> None:
    location = runtime.files.new_location(NAME)
    async with runtime.files.part(location) as part, transaction(runtime.pool) as conn:
        if not await runs.beat(conn, TABLE, run.id, run.fence, runtime.clock()):
            raise _Fenced
        await store.end_run(conn, TABLE, run.id, state, runtime.clock(), error)
        await stored_files.let_go(conn, run.file_id, runtime.clock())
        (done,) = await store.get_imports(conn, [run.id])
        names = ("added", "changed", "unchanged", "removed", "rejected", "repeated")
        told = {"code": error.code} if error else {name: getattr(done, name) for name in names}
        action = "fail" if error else "finish"
        await record(conn, SYSTEM, f"suppression_import.{action}", "suppression_import", run.id, told)
        await attach_rejects(conn, runtime, done, location, part)


async def _fail(runtime: Runtime, run: SuppressionImport, error: ClarionError) -> None:
    log.info("import failed", suppression_import_id=run.id, code=error.code, place=error.path)
    try:
        told = RunError(code=error.code, message=error.message, path=error.path, hint=error.hint)
        await _end(runtime, run, RunState.FAILED, told)
    except _Fenced:
        log.info("import left to another worker, or cancelled", suppression_import_id=run.id)


async def _release(runtime: Runtime, run: SuppressionImport) -> None:
    """This process ends: let another go on at once."""
    async with transaction(runtime.pool) as conn:
        if await runs.release(conn, TABLE, run.id, run.fence, runtime.clock()):
            await announce(conn, "suppression_import.ready", import_id=run.id)


async def _write_late_rejects(runtime: Runtime, import_id: int) -> None:
    """For an import that was cancelled. Does nothing when that is done."""
    location = runtime.files.new_location(NAME)
    async with runtime.files.part(location) as part, transaction(runtime.pool) as conn:
        run = await store.lock_import(conn, import_id)
        if run is not None and run.finished_at is not None and run.rejects_file_id is None:
            await attach_rejects(conn, runtime, run, location, part)
