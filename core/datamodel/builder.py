"""Builds and drops indexes, and checks foreign keys, one after the other, while others read and write.

Postgres does so outside of a transaction only: what a builder that died has left is found by its name, dropped and built
again. Whatever else is asked of a thing meanwhile is seen by its turn, and is done next.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg

from core.datamodel.records import Build, BuildError, BuildKind, BuildState
from core.datamodel.store import builds as store
from core.datamodel.wanted import dropping
from core.db import TRY_LATER, Connection
from core.log import get_logger
from core.runtime import Runtime

log = get_logger(__name__)

SHOWN_GROUPS = 5  # of rows that have the same
SHOWN_ROWS = 5  # of each

# Somebody else was in the way: it is tried again by itself.
_IN_THE_WAY = (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


class _Stopped(Exception):
    """This process ends."""


async def build_all(runtime: Runtime) -> None:
    """Do what waits. Returns at once when nothing does, or when another builder is at it."""
    async with runtime.pool.acquire() as conn:
        if not await store.begin_building(conn):
            return
        tried: list[int] = []
        try:
            while not runtime.stopping.is_set():
                one = await store.take(conn, tried, runtime.clock())
                if one is None:
                    return
                tried += [one.id] if not await _do(runtime, conn, one) else []
        finally:
            if not conn.is_closed():
                await store.end_building(conn)


async def _do(runtime: Runtime, conn: Connection, one: Build) -> bool:
    """One of them; False when it waits again."""
    error: BuildError | None = None
    try:
        if one.dropping:
            await _drop(runtime, conn, one)
        else:
            error = await _build(runtime, conn, one)
    except _Stopped:
        await store.finish(conn, one, BuildState.WAITING, None, None)
        return False
    except _IN_THE_WAY as found:
        log.info("a build is tried again", build=one.object, error=type(found).__name__)
        await store.finish(conn, one, BuildState.WAITING, None, None)
        return False
    except asyncpg.InsufficientResourcesError as found:  # a full disk stays full, and another try is not cheap
        error = await _refused(runtime, conn, one, found)
    except TRY_LATER:
        raise  # the sweep has it done by somebody
    except asyncpg.PostgresError as found:
        error = await _refused(runtime, conn, one, found)
    if error is not None:
        await store.finish(conn, one, BuildState.FAILED, error, runtime.clock())
    return True


async def _refused(runtime: Runtime, conn: Connection, one: Build, found: asyncpg.PostgresError) -> BuildError:
    log.warning("a build has failed", build=one.object, error=repr(found))
    if not one.dropping and one.kind is not BuildKind.REFERENCE:
        with suppress(asyncpg.PostgresError):
            await _run(runtime, conn, dropping(one.object))
    return BuildError(code="REFUSED", message=f"the database refuses: {found}", hint="Mend what it says, then retry.")


async def _drop(runtime: Runtime, conn: Connection, one: Build) -> None:
    await _run(runtime, conn, dropping(one.object))
    await store.finish_dropping(conn, one)


async def _build(runtime: Runtime, conn: Connection, one: Build) -> BuildError | None:
    """Build it, or say why it cannot be."""
    try:
        if one.kind is BuildKind.REFERENCE:
            await _run(runtime, conn, one.statement)
        else:
            await _build_index(runtime, conn, one)
    except asyncpg.UniqueViolationError:
        await _run(runtime, conn, dropping(one.object))  # half-built it refuses rows already
        return await _repeated(conn, one)
    except asyncpg.ForeignKeyViolationError:
        return BuildError(
            code="ROWS_WITHOUT_TARGET", message=f"rows of {one.entity} hold keys of rows that are not there",
            hint="Clear or mend them, then retry.",
        )  # fmt: skip
    await store.finish(conn, one, BuildState.DONE, None, runtime.clock())
    return None


async def _build_index(runtime: Runtime, conn: Connection, one: Build) -> None:
    whole = (await store.list_indexes(conn)).get(one.object)
    if whole:
        return
    if whole is False:
        await _run(runtime, conn, dropping(one.object))
    await _run(runtime, conn, one.statement)


async def _repeated(conn: Connection, one: Build) -> BuildError:
    """Which rows have the same, by their ids: their values are nobody's business here."""
    number, groups = await store.list_repeated(conn, one.table, one.columns, SHOWN_GROUPS, SHOWN_ROWS)
    if not groups:
        return BuildError(code="REPEATED_VALUES", message="some rows had the same; none have now", hint="Retry.")
    told = "; ".join(f"ids {', '.join(map(str, ids))}" for ids in groups)
    more = " and others" if number > len(groups) else ""
    values = "1 value is" if number == 1 else f"{number:,} values are"
    return BuildError(
        code="REPEATED_VALUES", message=f"{values} in more than one row of {one.entity}: {told}{more}",
        hint="Change or delete all but one row of each, then retry.",
    )  # fmt: skip


async def _run(runtime: Runtime, conn: Connection, statement: str) -> None:
    """Run it to its end, or until this process must end. Raises _Stopped."""
    work = asyncio.ensure_future(store.run(conn, statement))
    stop = asyncio.ensure_future(runtime.stopping.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise _Stopped
        work.result()
    finally:
        stop.cancel()
        if not work.done():
            work.cancel()
            with suppress(asyncio.CancelledError, asyncpg.QueryCanceledError):
                await work  # the connection is used again
