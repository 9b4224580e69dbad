"""Carries out an export: one snapshot of the profiles, streamed to a file in constant memory.

Until it is complete the file has a name of its own for each worker that tries, so one that was thought dead cannot write
into the file of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from core import files as stored_files
from core.access import SYSTEM
from core.audit import record
from core.db import TRY_LATER, Connection, transaction
from core.db_errors import too_large
from core.errors import ClarionError, Conflict, Invalid
from core.files import StoredFile
from core.log import get_logger
from core.outbox import announce
from core.profiles.export_ranges import (
    ExportSource,
    Fetched,
    Range,
    choose,
    fetch_rounds,
    next_chosen,
    next_of_all,
    open_readers,
)
from core.profiles.exports import SELECTION_RESOURCE, Select
from core.profiles.fields import Field
from core.profiles.files.writers import open_writer
from core.profiles.heartbeat import beating
from core.profiles.run_records import ExportRun, RunError, RunState
from core.profiles.store import exports as store
from core.profiles.store import runs
from core.profiles.store.runs import RunTable
from core.profiles.team_fields import present_fields
from core.profiles.titles import told_apart
from core.runtime import Runtime

log = get_logger(__name__)

REPORT_EVERY = timedelta(seconds=0.5)
LOOK_SECONDS = 2.0  # between two looks at whether the export is cancelled, while its rows are found


class _Fenced(Exception):
    """The export was cancelled, or another worker has it."""


class _Stopping(Exception):
    """This process ends."""


OpenSource = Callable[[Connection, Runtime, ExportRun], Awaitable[ExportSource]]
"""Raises NotFound, Conflict, Invalid for what is not there any more."""


class ProfileSource:
    """Fields of profiles."""

    shared = True

    def __init__(self, runtime: Runtime, run: ExportRun, fields: Sequence[Field]):
        self.fields = fields
        self._runtime = runtime
        self._run = run
        self._chosen: store.Chosen | None = None

    async def select(self, conn: Connection) -> int:
        """All, or whom the room that knows questions says. Raises Invalid (NO_SELECTION)."""
        if self._run.audience_id is None and self._run.expression is None:
            return await store.count_all(conn)
        select: Select | None = self._runtime.resources.get(SELECTION_RESOURCE)
        if select is None:
            raise Invalid("this worker cannot select an audience", code="NO_SELECTION")
        selection = await select(conn, self._run, self._runtime.clock())
        self._chosen = await choose(conn, selection.text, selection.args)
        return self._chosen.total

    async def next_range(self, conn: Connection, after: int) -> Range | None:
        """By the ids of profiles."""
        if self._chosen is not None:
            return await next_chosen(self._chosen, after)
        return await next_of_all(conn, "profile", "id", after)

    async def fetch(self, conn: Connection, wanted: Range) -> Fetched:
        """In the order of ids."""
        found = await store.fetch_range(
            conn, self.fields, self._run.options, after=wanted.after, last=wanted.last, chosen=wanted.chosen
        )  # fmt: skip
        return Fetched(*found)


async def open_profiles(conn: Connection, runtime: Runtime, run: ExportRun) -> ExportSource:
    """The one source of this room. Raises Conflict (FIELD_GONE)."""
    fields = (await present_fields(conn)).all
    return ProfileSource(runtime, run, told_apart(known_fields(run.columns, fields), fields))


async def run_export(runtime: Runtime, export_id: int, open_source: OpenSource = open_profiles) -> None:
    """Write an export from the start. Returns at once when another worker has it, or when it has ended.

    `open_source`: where rows come from.
    """
    async with transaction(runtime.pool) as conn:
        taken = await runs.claim(conn, RunTable.EXPORT, export_id, runtime.clock())
        run = await store.find_run(conn, export_id) if taken else None
        file = await stored_files.get_file(conn, run.file_id) if run else None
    if run is None or file is None:
        return
    try:
        async with runtime.files.part(file.location) as part, beating(runtime, RunTable.EXPORT, run.id, run.fence):
            await _write(runtime, run, file, part, open_source)
    except _Fenced:
        log.info("export left to another worker, or cancelled", export_id=export_id)
    except _Stopping:
        await _release(runtime, run)
    except ClarionError as error:
        await _fail(runtime, run, error)
    except TRY_LATER:
        raise  # the sweep gives it to somebody again
    except Exception as error:
        limit = too_large(error)
        await _fail(runtime, run, limit or ClarionError("something went wrong on our side", code="INTERNAL"))
        if limit is None:
            raise


async def _write(runtime: Runtime, run: ExportRun, file: StoredFile, part: Path, open_source: OpenSource) -> None:
    async with runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        source = await open_source(conn, runtime, run)
        progress = _Progress(runtime, run, await _select(conn, runtime, run, source))
        if not progress.total and run.options.refuse_empty:
            raise Conflict("there is nobody to export", code="NOBODY", hint="Allow for an empty file, or choose others.")
        await progress.report()
        await store.write_days_alike(conn)
        async with open_readers(runtime.pool, conn, source, progress.total) as readers:
            await _write_rows(readers, run, source, part, progress)
    size = (await asyncio.to_thread(part.stat)).st_size
    async with transaction(runtime.pool) as conn:
        # The row is locked from here to the commit, so nobody else can take the export while its file gets its name.
        if not await store.advance(conn, run.id, run.fence, runtime.clock(), progress.rows, progress.total):
            raise _Fenced
        await asyncio.to_thread(part.replace, runtime.files.path(file))
        await stored_files.complete_file(conn, file.id, size, runtime.clock())
        await store.end_run(conn, run.id, RunState.FINISHED, runtime.clock())
        await record(conn, SYSTEM, "export.finish", "export", run.id, {"rows": progress.rows})


async def _select(conn: Connection, runtime: Runtime, run: ExportRun, source: ExportSource) -> int:
    """How many rows there are to write. What finds them is ended, in the database too, when it must not go on.

    Raises _Fenced, _Stopping.
    """
    task = asyncio.create_task(source.select(conn))
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
            if runtime.stopping.is_set():
                raise _Stopping
            if not await _is_own(runtime, run):
                raise _Fenced
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _is_own(runtime: Runtime, run: ExportRun) -> bool:
    """Whether it goes on. Where that cannot be asked it does: the fence decides."""
    try:
        async with runtime.pool.acquire(timeout=LOOK_SECONDS) as conn:
            return await runs.beat(conn, RunTable.EXPORT, run.id, run.fence, runtime.clock())
    except TRY_LATER:
        return True


async def _write_rows(
    readers: Sequence[Connection], run: ExportRun, source: ExportSource, part: Path, progress: _Progress
) -> None:
    """While rows are written to the file, the database makes the next ones."""
    rounds = fetch_rounds(readers, source)
    coming = asyncio.create_task(_next(rounds))
    try:
        writer = await asyncio.to_thread(open_writer, part, source.fields, run.options, f"{run.dimension}s")
        try:
            while (found := await coming) is not None:
                coming = asyncio.create_task(_next(rounds))
                for one in found:
                    await asyncio.to_thread(writer.write, one.data)
                    await progress.add(one.rows)
        finally:
            await asyncio.to_thread(writer.close)
    finally:
        await asyncio.wait([coming])  # not cancelled: an interrupted COPY may never return


async def _next(rounds: AsyncIterator[Sequence[Fetched]]) -> Sequence[Fetched] | None:
    return await anext(rounds, None)


def known_fields(names: Sequence[str], known: Mapping[str, Field]) -> list[Field]:
    """The fields of these names. Raises Conflict (FIELD_GONE)."""
    if gone := [name for name in names if name not in known]:
        raise Conflict(
            f"the field {gone[0]!r} is no longer in the data model", code="FIELD_GONE",
            hint="Create the export again without its column.",
        )  # fmt: skip
    return [known[name] for name in names]


class _Progress:
    """How far an export is."""

    def __init__(self, runtime: Runtime, run: ExportRun, total: int):
        self.rows = 0
        self.total = total
        self._runtime = runtime
        self._run = run
        self._reported_at = runtime.clock()

    async def add(self, rows: int) -> None:
        """So many more are written. Raises _Fenced, _Stopping."""
        self.rows += rows
        if self._runtime.stopping.is_set():
            raise _Stopping
        if self._runtime.clock() - self._reported_at >= REPORT_EVERY:
            await self.report()

    async def report(self) -> None:
        """Store the progress. Raises _Fenced."""
        self._reported_at = now = self._runtime.clock()
        async with self._runtime.pool.acquire() as conn:
            going = await store.advance(conn, self._run.id, self._run.fence, now, self.rows, self.total)
        if not going:
            raise _Fenced


async def _release(runtime: Runtime, run: ExportRun) -> None:
    """Let another worker begin anew at once."""
    async with transaction(runtime.pool) as conn:
        if await runs.release(conn, RunTable.EXPORT, run.id, run.fence, runtime.clock()):
            await announce(conn, "export.ready", export_id=run.id)


async def _fail(runtime: Runtime, run: ExportRun, error: ClarionError) -> None:
    log.info("export failed", export_id=run.id, code=error.code, place=error.path)
    told = RunError(code=error.code, message=error.message, path=error.path, hint=error.hint)
    async with transaction(runtime.pool) as conn:
        if await runs.beat(conn, RunTable.EXPORT, run.id, run.fence, runtime.clock()):
            await store.end_run(conn, run.id, RunState.FAILED, runtime.clock(), told)
            await stored_files.let_go(conn, run.file_id, runtime.clock())
            await record(conn, SYSTEM, "export.fail", "export", run.id, {"code": error.code})
