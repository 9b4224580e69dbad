"""Carries out an import: a thread reads and checks the next chunk while Postgres stores this one.

Rows, counters and the offset behind a chunk are committed together, so whoever goes on after a crash goes on behind the last
chunk that was stored. The fence keeps a worker that was thought dead from storing anything more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.datamodel.refusals import refusal
from core.db import TRY_LATER, Connection, transaction
from core.errors import ClarionError, Conflict
from core.log import get_logger
from core.outbox import announce
from core.profiles.files.chunks import PeopleFile
from core.profiles.files.opening import open_people_file
from core.profiles.heartbeat import beating
from core.profiles.import_columns import plan_columns
from core.profiles.import_rows import Batch, RowReader
from core.profiles.import_target import Destination, FindDestination, Missed, Stored, Target
from core.profiles.profile_target import field_gone, find_profiles
from core.profiles.rejects_file import attach_rejects, write_late_rejects, write_rejects
from core.profiles.run_records import ImportRun, RunError, RunState
from core.profiles.store import imports as store
from core.profiles.store import runs
from core.profiles.store.runs import RunTable
from core.profiles.team_fields import Fields
from core.profiles.values import Reading
from core.runtime import Runtime

log = get_logger(__name__)

CHUNK = 10_000  # lines
TRIES = 8  # of one chunk, when others change the same people
RETRY_SECONDS = 0.05

_IN_THE_WAY = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_NEVER = (asyncpg.ProgramLimitExceededError, asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)
_NOTHING = Stored()


class _Fenced(Exception):
    """The import was cancelled, or another worker has it."""


@dataclass(slots=True)
class _Source:
    """The file with what its columns mean. Read by one thread at a time."""

    file: PeopleFile
    rows: RowReader

    def read(self) -> Batch:
        batch = self.rows.read(self.file.read(CHUNK))
        batch.consumed = self.file.consumed()
        return batch


async def run_import(runtime: Runtime, import_id: int, find: FindDestination = find_profiles) -> None:
    """Do what is left of an import. Returns at once when nothing is, or when another worker has it.

    `find`: what there is to import into.
    """
    async with transaction(runtime.pool) as conn:
        taken = await runs.claim(conn, RunTable.IMPORT, import_id, runtime.clock())
        run = await store.find_run(conn, import_id) if taken else None
    if run is not None:
        try:
            async with beating(runtime, RunTable.IMPORT, run.id, run.fence):
                await _work(runtime, run, find)
        except _Fenced:
            log.info("import left to another worker, or cancelled", import_id=import_id)
        except ClarionError as error:
            await _fail(runtime, run, error)
        except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError):
            await _fail(runtime, run, field_gone())
        except TRY_LATER:
            raise  # the sweep gives it to somebody again
        except Exception:
            await _fail(runtime, run, ClarionError("something went wrong on our side", code="INTERNAL"))
            raise
    await write_late_rejects(runtime, import_id)


async def _work(runtime: Runtime, run: ImportRun, find: FindDestination) -> None:
    path = await _path(runtime, run)
    async with runtime.pool.acquire() as conn:
        destination = await find(conn, run.options.target)
    source = await asyncio.to_thread(_open, path, run, runtime, destination.fields)
    try:
        run = await _begin(runtime, run, destination, source.file.header)
        await _read_all(runtime, run, destination.open(runtime, run, source.rows.plan), source)
    finally:
        source.file.close()


async def _read_all(runtime: Runtime, run: ImportRun, target: Target, source: _Source) -> None:
    """Store chunk after chunk, each while the next is read."""
    reading = asyncio.create_task(asyncio.to_thread(source.read))
    try:
        while True:
            batch = await reading
            if not batch.last:
                reading = asyncio.create_task(asyncio.to_thread(source.read))
            await _store(runtime, run, target, batch)
            if batch.last:
                break
            if runtime.stopping.is_set():
                await _release(runtime, run)
                return
        await _finish(runtime, run, target)
    finally:
        await asyncio.gather(reading, return_exceptions=True)


async def _begin(runtime: Runtime, run: ImportRun, destination: Destination, header: Sequence[str]) -> ImportRun:
    """Keep what the file is like, and have the target ready."""
    async with transaction(runtime.pool) as conn:
        await store.set_header(conn, run.id, run.fence, header)
        if destination.begin is None or run.options.dry_run:
            return run
        options = replace(run.options, target=await destination.begin(conn, run, runtime.clock()))
        if options != run.options and not await store.set_options(conn, run.id, run.fence, options):
            raise _Fenced
        return replace(run, options=options)


def _open(path: Path, run: ImportRun, runtime: Runtime, fields: Fields) -> _Source:
    """Raises Invalid for a file or header that cannot be read."""
    file = open_people_file(path, run.options)
    try:
        plan = plan_columns(file.header, run.match_key, run.options, fields)
        if run.position:
            file.skip_to(run.position, run.lines_read)
        region = run.options.default_country or runtime.settings.default_country
        return _Source(file, RowReader(plan, Reading(region=region, today=runtime.clock().date())))
    except BaseException:
        file.close()
        raise


async def _store(runtime: Runtime, run: ImportRun, target: Target, batch: Batch) -> None:
    """Store a chunk; again when other changes were in the way.

    Raises _Fenced, Conflict (IMPORT_BLOCKED, TOO_MANY_REJECTS; VALUE_TAKEN, LINKED, TARGET_GONE by keys and links of the
    team's), Invalid (ROW_TOO_BIG).
    """
    refused: asyncpg.PostgresError | None = None
    for attempt in range(TRIES):
        try:
            async with transaction(runtime.pool) as conn:
                rejected = await _store_once(conn, runtime, run, target, batch)
            _check_rejects(run, rejected, batch)
            return
        except _NEVER as error:
            raise await _refused(runtime, batch, error) from None
        except (*_IN_THE_WAY, Missed) as error:
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
        "other changes to the same rows were in the way all the time", code="IMPORT_BLOCKED",
        hint="Create the import again later.",
    )  # fmt: skip
    found.path = f"line {batch.lines[0] if batch.lines else batch.end_line}"
    return found


def _check_rejects(run: ImportRun, rejected: int, batch: Batch) -> None:
    most = run.options.most_rejects
    if most is not None and rejected > most:
        raise Conflict(
            f"{rejected} rows were refused, more than {most}", code="TOO_MANY_REJECTS", path=f"line {batch.end_line}",
            hint="What was read up to there is stored. Correct the file, or allow for more.",
        )  # fmt: skip


async def _store_once(conn: Connection, runtime: Runtime, run: ImportRun, target: Target, batch: Batch) -> int:
    now = runtime.clock()
    stored = await target.store(conn, batch, now) if batch.lines else _NOTHING
    written, refused = stored.written, [*batch.rejects, *stored.refused]
    if refused or stored.remarks:
        await store.add_rejects(conn, run.id, sorted([*refused, *stored.remarks], key=lambda one: one.line))
    rejected = await store.advance(
        conn, run.id, run.fence, now,
        bytes_read=run.bytes_total if batch.last else min(batch.consumed, run.bytes_total), position=batch.end,
        lines_read=batch.end_line, inserted=written.inserted, updated=written.updated, unchanged=written.unchanged,
        deleted=written.deleted, skipped=written.skipped, rejected=len(refused), repeated=stored.repeated,
        ambiguous=written.ambiguous,
    )  # fmt: skip
    if rejected is None:
        raise _Fenced
    return rejected


async def _path(runtime: Runtime, run: ImportRun) -> Path:
    async with runtime.pool.acquire() as conn:
        return runtime.files.path(await stored_files.get_file(conn, run.file_id))


async def _finish(runtime: Runtime, run: ImportRun, target: Target) -> None:
    async with write_rejects(runtime, run) as written, transaction(runtime.pool) as conn:
        if not await runs.beat(conn, RunTable.IMPORT, run.id, run.fence, runtime.clock()):
            raise _Fenced
        await target.end(conn, runtime.clock())
        done = await store.end_run(conn, run.id, RunState.FINISHED, runtime.clock())
        await stored_files.let_go(conn, run.file_id, runtime.clock())
        counts = {
            name: getattr(done, name)
            for name in ("inserted", "updated", "unchanged", "deleted", "skipped", "rejected", "repeated", "ambiguous")
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
