"""The turn of a worker at a preparation: one at a time, for as long as nobody stops it.

While its statements run, which may take half an hour, it holds no row that anybody else waits for. What keeps other workers
away meanwhile is an advisory lock, which goes with its transaction. Whether it still counts is asked every few seconds, and
once more, with the row of the run locked, before anything is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from core.clock import Clock
from core.db import TRY_LATER, Connection, Pool, transaction
from core.delivery.records import DeliveryRun
from core.delivery.state import PREPARING
from core.delivery.store import runs

LOOK_SECONDS = 2.0  # between two looks at whether it was stopped, and two signs of life
LOOK_MS = 2000  # for which a look waits for the run
CLOSE_MS = 500  # and the end of a transaction, which must give way before Postgres looks for a deadlock
_STATES = [int(state) for state in PREPARING]
_T = TypeVar("_T")


class Fenced(Exception):
    """The preparation was stopped, or another worker has it. Nothing of the transaction may stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One transaction of a preparation."""

    conn: Connection
    pool: Pool
    clock: Clock
    delivery_id: int
    prepare_id: int

    async def carry_out(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Work on `conn` that may take long. It is ended, in the database too, when it must not go on. Raises Fenced."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
                await self._look()
            if task.exception() is not None:
                await self._look()  # whatever went wrong is of no interest where it was stopped
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> DeliveryRun:
        """The run, locked until the transaction ends, which it must soon do. Raises Fenced."""
        return await self._lock(self.conn, CLOSE_MS)

    async def _look(self) -> None:
        """Give a sign of life. Raises Fenced; where it cannot be asked it goes on, and `close` decides."""
        with suppress(*TRY_LATER):
            async with self.pool.acquire(timeout=LOOK_SECONDS) as conn, conn.transaction():
                await self._lock(conn, LOOK_MS)
                await runs.beat(conn, self.delivery_id, self.clock())

    async def _lock(self, conn: Connection, within_ms: int) -> DeliveryRun:
        """The run. Who keeps it locked for so long is stopping this, and waits for rows that this has written."""
        try:
            run = await runs.lock_own_run(conn, self.delivery_id, self.prepare_id, _STATES, within_ms=within_ms)
        except asyncpg.LockNotAvailableError:
            raise Fenced from None
        if run is None:
            raise Fenced
        return run


@asynccontextmanager
async def open_turn(pool: Pool, clock: Clock, delivery_id: int, prepare_id: int) -> AsyncIterator[Turn]:
    """Commits at the end, rolls back on an error. Raises Fenced."""
    async with transaction(pool) as conn:
        if not await runs.take_turn(conn, delivery_id):
            raise Fenced
        if not await runs.is_own(conn, delivery_id, prepare_id, _STATES):
            raise Fenced
        yield Turn(conn=conn, pool=pool, clock=clock, delivery_id=delivery_id, prepare_id=prepare_id)
