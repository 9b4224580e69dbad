"""Carries out an import: a thread reads and checks the next chunk while Postgres stores this one.

Rows, counters and the offset behind a chunk are committed together, so whoever goes on after a crash goes on behind the last
chunk that was stored. The fence keeps a worker that was thought dead from storing anything more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from pathlib import Path

import asyncpg

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.datamodel.refusals import refusal
from core.db import TRY_LATER, Connection, transaction
from core.errors import ClarionError, Conflict
from core.log import get_logger
from core.outbox import announce, announce_all
from core.profiles.fields import FIELDS
from core.profiles.files.chunks import PeopleFile
from core.profiles.files.opening import open_people_file
from core.profiles.heartbeat import beating
from core.profiles.import_columns import Plan, plan_columns
from core.profiles.import_options import ImportMode
from core.profiles.import_repeats import Rows, settle
from core.profiles.import_rows import Batch, Reject, RowReader
from core.profiles.import_target import Target, Written
from core.profiles.records import ImportRun, MatchKey, RunError, RunState
from core.profiles.rejects_file import attach_rejects, write_late_rejects, write_rejects
from core.profiles.store import imports as store
from core.profiles.store import runs
from core.profiles.store.import_chunks import SHARED_KEYS, ChunkStore
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
_NEVER = (asyncpg.ProgramLimitExceededError, asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)
_NOTHING = Written()


class _Fenced(Exception):
    """The import was cancelled, or another worker has it."""


class _Missed(Exception):
    """Somebody deleted a profile under the chunk."""


@dataclass(slots=True)
class _Source:
    """The file with what its columns mean. Read by one thread at a time."""

    file: PeopleFile
    rows: RowReader

    def read(self) -> Batch:
        batch = self.rows.read(self.file.read(CHUNK))
        batch.consumed = self.file.consumed()
        return batch


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
    async with runtime.pool.acquire() as conn:
        await store.set_header(conn, run.id, run.fence, source.file.header)
    target: Target = ChunkStore(source.rows.plan)
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
        await _finish(runtime, run)
    finally:
        await asyncio.gather(reading, return_exceptions=True)
        source.file.close()


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


def _check_rejects(run: ImportRun, rejected: int, batch: Batch) -> None:
    most = run.options.most_rejects
    if most is not None and rejected > most:
        raise Conflict(
            f"{rejected} rows were refused, more than {most}", code="TOO_MANY_REJECTS", path=f"line {batch.end_line}",
            hint="What was read up to there is stored. Correct the file, or allow for more.",
        )  # fmt: skip


async def _store_once(conn: Connection, runtime: Runtime, run: ImportRun, target: Target, batch: Batch) -> int:
    now = runtime.clock()
    written, repeated, refused, remarks = _NOTHING, 0, list(batch.rejects), list[Reject]()
    if batch.lines:
        await target.stage(conn, batch.lines, batch.columns)
        await target.lock(conn)
        found, repeated = await _settle(conn, target, batch)
        refused += found
        written, remarks = await _write(conn, run, target, batch, now)
        if written.missed:
            raise _Missed
        if written.gone:
            await announce_all(conn, "profiles.deleted", "profile_ids", written.gone)
    if refused or remarks:
        await store.add_rejects(conn, run.id, sorted([*refused, *remarks], key=lambda one: one.line))
    rejected = await store.advance(
        conn, run.id, run.fence, now,
        bytes_read=run.bytes_total if batch.last else min(batch.consumed, run.bytes_total), position=batch.end,
        lines_read=batch.end_line, inserted=written.inserted, updated=written.updated, unchanged=written.unchanged,
        deleted=written.deleted, skipped=written.skipped, rejected=len(refused), repeated=repeated, ambiguous=written.ambiguous,
    )  # fmt: skip
    if rejected is None:
        raise _Fenced
    return rejected


async def _write(conn: Connection, run: ImportRun, target: Target, batch: Batch, now: datetime) -> tuple[Written, list[Reject]]:
    """Do what the mode says with the staged rows; with remarks on those whose key several have."""
    plan, ambiguous = target.plan, list[tuple[int, int, list[int]]]()
    deletes = plan.options.mode is ImportMode.DELETE
    if deletes and SHARED_KEYS.intersection(plan.keys):  # who is named is gone afterwards
        ambiguous = await target.list_ambiguous(conn)
    if any(one.opt_out for _, one in plan.fields):
        await tell_provenance(conn, Provenance(actor=run.created_by, now=now, origin=f"import:{run.id}"))
    written = await target.finish(conn, now)
    if not deletes and (written.ambiguous or (written.again and SHARED_KEYS.intersection(plan.keys))):
        ambiguous = await target.list_ambiguous(conn)
    while written.again:
        await target.leave(conn, written.again)
        written += await target.finish(conn, now)
    return written, [_ambiguous(batch, plan, *found) for found in ambiguous]


async def _settle(conn: Connection, target: Target, batch: Batch) -> tuple[list[Reject], int]:
    """Refuse staged rows for values of others, then make one row of those with one key; returns how many went into another."""
    plan, taken, refused = target.plan, dict[int, str](), list[Reject]()
    if MatchKey.ID in plan.keys and plan.options.mode is ImportMode.INSERT_OR_UPDATE:
        unknown = await target.take_out_unknown(conn)
        taken |= dict.fromkeys(unknown, "id")
        refused += [_unknown(batch, plan, line) for line in unknown]
    if plan.options.mode is ImportMode.DELETE:
        merged = await target.take_out_merged(conn)
        taken |= dict.fromkeys(merged, "id")
        refused += [_merged(batch, plan, line, *found) for line, found in merged.items()]
    else:
        for column in plan.other_unique:
            lines = await target.take_out_taken(conn, column)
            taken |= dict.fromkeys(lines, column)
            refused += [_taken(batch, plan, column, line, "another profile") for line in lines]
    disputed, found = batch.disputed, dict[int, tuple[int, int]]()
    if len(plan.keys) > 1:
        found = await target.list_same(conn)
        disputed = _with_lines(batch, found)
        found |= await target.find(conn, disputed.lines) if disputed.lines else {}
    if not disputed.lines:
        return refused, 0
    settled = settle(plan, disputed, taken, found)
    await target.replace(conn, disputed.lines, settled.rows, settled.targets)
    if settled.targets is not None and plan.options.mode is not ImportMode.DELETE:  # rows may be about others than before
        for column in plan.unique:
            again = await target.take_out_taken(conn, column)
            refused += [_taken(batch, plan, column, line, "another profile") for line in again]
    refused += [_taken(batch, plan, column, line, "an earlier row") for line, column in settled.refused.items()]
    return refused, settled.repeated


def _with_lines(batch: Batch, more: Iterable[int]) -> Rows:
    """The disputed rows, and others of the batch."""
    chosen = {*batch.disputed.lines, *more}
    if len(chosen) == len(batch.disputed.lines):
        return batch.disputed
    kept = [line in chosen for line in batch.lines]
    return Rows(lines=list(compress(batch.lines, kept)), columns=[list(compress(values, kept)) for values in batch.columns])


def _unknown(batch: Batch, plan: Plan, line: int) -> Reject:
    place = next(plan.header[index] for index, one in plan.fields if one.name == "id")
    return Reject(
        line=line, column=place, code="NOT_FOUND", message="no profile has this id", row_text=batch.text(line),
        cells=batch.cells(line),
    )  # fmt: skip


def _merged(batch: Batch, plan: Plan, line: int, survivor: int, by: int) -> Reject:
    name = plan.keys[by].value
    place = next(plan.header[index] for index, one in plan.fields if one.name == name)
    return Reject(
        line=line, column=place, code="PROFILE_MERGED", row_text=batch.text(line), cells=batch.cells(line),
        message=f"this is a profile that is merged into profile {survivor}: delete that one, or undo the merge first",
    )  # fmt: skip


def _taken(batch: Batch, plan: Plan, column: str, line: int, whose: str) -> Reject:
    field = plan.by_column[column]
    place = plan.header[next(index for index, one in plan.fields if one is field)]
    return Reject(
        line=line, column=place, code="VALUE_TAKEN", message=f"{field.label} is that of {whose}", row_text=batch.text(line),
        cells=batch.cells(line),
    )  # fmt: skip


def _ambiguous(batch: Batch, plan: Plan, line: int, oldest: int, others: list[int]) -> Reject:
    what = " or ".join(FIELDS[key.value].label.lower() for key in plan.keys if key in SHARED_KEYS)
    named = ", ".join(map(str, others))
    return Reject(
        line=line, column="", code="AMBIGUOUS", row_text=batch.text(line), cells=batch.cells(line),
        message=f"several profiles have this {what}: profile {oldest}, the oldest, was taken, not {named}",
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
