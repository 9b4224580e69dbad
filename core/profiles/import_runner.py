"""Carries out an import: a thread reads and checks the next chunk while Postgres stores this one.

Rows, counters and the offset behind a chunk are committed together, so whoever goes on after a crash goes on behind the last
chunk that was stored. The fence keeps a worker that was thought dead from storing anything more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.datamodel.refusals import refusal
from core.db import TRY_LATER, Connection, transaction
from core.errors import ClarionError, Conflict, Invalid
from core.log import get_logger
from core.outbox import announce
from core.profiles.csv_reader import CsvFile
from core.profiles.heartbeat import beating
from core.profiles.import_columns import Plan, plan_columns
from core.profiles.import_repeats import settle
from core.profiles.import_rows import Batch, Reject, RowReader
from core.profiles.records import ImportRun, RunError, RunState
from core.profiles.rejects_file import attach_rejects, write_late_rejects, write_rejects
from core.profiles.store import imports as store
from core.profiles.store import runs
from core.profiles.store.import_chunks import ChunkStore, Written
from core.profiles.store.runs import RunTable
from core.profiles.team_fields import Fields, fields_by_keys
from core.profiles.values import Reading
from core.provenance import Provenance, tell_provenance
from core.runtime import Runtime

log = get_logger(__name__)

CHUNK = 10_000  # lines
TRIES = 8  # of one chunk, when others change the same people
RETRY_SECONDS = 0.05

_IN_THE_WAY = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_NOTHING = Written(inserted=0, updated=0, unchanged=0, missed=0, ambiguous=0)


class _Fenced(Exception):
    """The import was cancelled, or another worker has it."""


class _Missed(Exception):
    """Somebody deleted a profile under the chunk."""


@dataclass(slots=True)
class _Source:
    """The file with what its columns mean. Read by one thread at a time."""

    file: CsvFile
    rows: RowReader

    def read(self) -> Batch:
        return self.rows.read(self.file.read(CHUNK))


async def run_import(runtime: Runtime, import_id: int) -> None:
    """Do what is left of an import. Returns at once when nothing is, or when another worker has it."""
    async with transaction(runtime.pool) as conn:
        taken = await runs.claim(conn, RunTable.IMPORT, import_id, runtime.clock())
        run = await store.find_run(conn, import_id) if taken else None
    if run is not None:
        try:
            async with beating(runtime, RunTable.IMPORT, run.id, run.fence):
                await _work(runtime, run)
        except _Fenced:
            log.info("import left to another worker, or cancelled", import_id=import_id)
        except ClarionError as error:
            await _fail(runtime, run, error)
        except asyncpg.UndefinedColumnError:
            await _fail(runtime, run, _gone())
        except TRY_LATER:
            raise  # the sweep gives it to somebody again
        except Exception:
            await _fail(runtime, run, ClarionError("something went wrong on our side", code="INTERNAL"))
            raise
    await write_late_rejects(runtime, import_id)


def _gone() -> Conflict:
    return Conflict(
        "a field of this file was dropped from the data model meanwhile", code="FIELD_GONE",
        hint="Import the file again without its column.",
    )  # fmt: skip


async def _work(runtime: Runtime, run: ImportRun) -> None:
    path = await _path(runtime, run)
    async with runtime.pool.acquire() as conn:
        fields = await fields_by_keys(conn)
    source = await asyncio.to_thread(_open, path, run, runtime, fields)
    chunks = ChunkStore(source.rows.plan)
    reading = asyncio.create_task(asyncio.to_thread(source.read))
    try:
        while True:
            batch = await reading
            if not batch.last:
                reading = asyncio.create_task(asyncio.to_thread(source.read))
            await _store(runtime, run, chunks, batch)
            if batch.last:
                break
            if runtime.stopping.is_set():
                await _release(runtime, run)
                return
        await _finish(runtime, run)
    finally:
        await asyncio.gather(reading, return_exceptions=True)
        source.file.close()


def _open(path: Path, run: ImportRun, runtime: Runtime, fields: Fields) -> _Source:
    """Raises Invalid for a file or header that cannot be read."""
    try:
        file = CsvFile(path, run.options.delimiter)
    except FileNotFoundError:
        raise Invalid("the uploaded file is gone", code="FILE_LOST", hint="Create the import again.") from None
    try:
        plan = plan_columns(file.header, run.match_key, run.options, fields)
        if run.bytes_read:
            file.skip_to(run.bytes_read, run.lines_read)
        region = run.options.default_country or runtime.settings.default_country
        return _Source(file, RowReader(plan, Reading(region=region, today=runtime.clock().date())))
    except BaseException:
        file.close()
        raise


async def _store(runtime: Runtime, run: ImportRun, chunks: ChunkStore, batch: Batch) -> None:
    """Store a chunk; again when other changes were in the way.

    Raises _Fenced, Conflict (IMPORT_BLOCKED, VALUE_TAKEN by a key of the team's), Invalid (ROW_TOO_BIG).
    """
    refused: asyncpg.PostgresError | None = None
    for attempt in range(TRIES):
        try:
            async with transaction(runtime.pool) as conn:
                await _store_once(conn, runtime, run, chunks, batch)
            return
        except asyncpg.ProgramLimitExceededError as error:
            raise await _refused(runtime, batch, error) from None
        except (*_IN_THE_WAY, _Missed) as error:
            refused = error if isinstance(error, asyncpg.UniqueViolationError) else refused
            log.info("chunk of an import is tried again", import_id=run.id, attempt=attempt, error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS * 2**attempt)
    raise await _refused(runtime, batch, refused)


async def _refused(runtime: Runtime, batch: Batch, error: asyncpg.PostgresError | None) -> ClarionError:
    """Why a chunk cannot be stored, with its first line."""
    found: ClarionError | None = None
    if error is not None:
        async with runtime.pool.acquire() as conn:
            found = await refusal(conn, error)
    found = found or Conflict(
        "other changes to the same profiles were in the way all the time", code="IMPORT_BLOCKED",
        hint="Create the import again later.",
    )  # fmt: skip
    found.path = f"line {batch.lines[0] if batch.lines else batch.end_line}"
    return found


async def _store_once(conn: Connection, runtime: Runtime, run: ImportRun, chunks: ChunkStore, batch: Batch) -> None:
    now = runtime.clock()
    written, repeated, refused, remarks = _NOTHING, 0, list(batch.rejects), []
    if batch.lines:
        await chunks.stage(conn, batch.lines, batch.columns)
        await chunks.lock(conn)
        found, repeated = await _settle(conn, chunks, batch)
        refused += found
        if any(field.opt_out for _, field in chunks.plan.fields):
            await tell_provenance(conn, Provenance(actor=run.created_by, now=now, origin=f"import:{run.id}"))
        for column in chunks.plan.other_unique:
            await chunks.keep_own(conn, column)
        written = await chunks.upsert(conn, now)
        ambiguous = await chunks.list_ambiguous(conn) if written.ambiguous else []
        while written.again:
            await chunks.leave(conn, written.again)
            written += await chunks.upsert(conn, now)
        if written.missed:
            raise _Missed
        remarks = [_ambiguous(batch, *found) for found in ambiguous]
    if refused or remarks:
        await store.add_rejects(conn, run.id, sorted([*refused, *remarks], key=lambda one: one.line))
    going = await store.advance(
        conn, run.id, run.fence, now,
        bytes_read=batch.end, lines_read=batch.end_line,
        inserted=written.inserted, updated=written.updated, unchanged=written.unchanged,
        rejected=len(refused), repeated=repeated, ambiguous=written.ambiguous,
    )  # fmt: skip
    if not going:
        raise _Fenced


async def _settle(conn: Connection, chunks: ChunkStore, batch: Batch) -> tuple[list[Reject], int]:
    """Refuse staged rows for values of others, then make one row of those with one key; returns how many went into another."""
    plan, taken = chunks.plan, dict[int, str]()
    for column in plan.other_unique:
        taken |= dict.fromkeys(await chunks.take_out_taken(conn, column), column)
    refused = [_taken(batch, plan, column, line, "another profile") for line, column in taken.items()]
    if not batch.disputed.lines:
        return refused, 0
    settled = settle(plan, batch.disputed, taken)
    await chunks.replace(conn, batch.disputed.lines, settled.rows)
    refused += [_taken(batch, plan, column, line, "an earlier row") for line, column in settled.refused.items()]
    return refused, settled.repeated


def _taken(batch: Batch, plan: Plan, column: str, line: int, whose: str) -> Reject:
    field = plan.by_column[column]
    place = plan.header[next(index for index, one in plan.fields if one is field)]
    return Reject(
        line=line, column=place, code="VALUE_TAKEN", message=f"{field.label} is that of {whose}", row_text=batch.text(line)
    )


def _ambiguous(batch: Batch, line: int, oldest: int, others: list[int]) -> Reject:
    named = ", ".join(map(str, others))
    return Reject(
        line=line, column="", code="AMBIGUOUS", row_text=batch.text(line),
        message=f"several profiles have this email: profile {oldest}, the oldest, was taken, not {named}",
    )  # fmt: skip


async def _path(runtime: Runtime, run: ImportRun) -> Path:
    async with runtime.pool.acquire() as conn:
        return runtime.files.path(await stored_files.get_file(conn, run.file_id))


async def _finish(runtime: Runtime, run: ImportRun) -> None:
    async with write_rejects(runtime, run) as written, transaction(runtime.pool) as conn:
        if not await runs.beat(conn, RunTable.IMPORT, run.id, run.fence, runtime.clock()):
            raise _Fenced
        done = await store.end_run(conn, run.id, RunState.FINISHED, runtime.clock())
        await stored_files.let_go(conn, run.file_id, runtime.clock())
        counts = {
            name: getattr(done, name) for name in ("inserted", "updated", "unchanged", "rejected", "repeated", "ambiguous")
        }
        await record(conn, SYSTEM, "import.finish", "import", run.id, counts)
        await attach_rejects(conn, runtime, run, written)


async def _fail(runtime: Runtime, run: ImportRun, error: ClarionError) -> None:
    log.info("import failed", import_id=run.id, code=error.code, place=error.path)
    told = RunError(code=error.code, message=error.message, path=error.path, hint=error.hint)
    async with write_rejects(runtime, run) as written, transaction(runtime.pool) as conn:
        if await runs.beat(conn, RunTable.IMPORT, run.id, run.fence, runtime.clock()):
            await store.end_run(conn, run.id, RunState.FAILED, runtime.clock(), told)
            await stored_files.let_go(conn, run.file_id, runtime.clock())
            await record(conn, SYSTEM, "import.fail", "import", run.id, {"code": error.code})
            await attach_rejects(conn, runtime, run, written)


async def _release(runtime: Runtime, run: ImportRun) -> None:
    """This process ends: let another go on at once."""
    async with transaction(runtime.pool) as conn:
        if await runs.release(conn, RunTable.IMPORT, run.id, run.fence, runtime.clock()):
            await announce(conn, "import.ready", import_id=run.id)
