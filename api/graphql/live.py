"""Rows that are watched: read once per tick for all who watch the same one, told when they change.

A watcher gets the present value first and then each newer one; what changed while it was busy comes as one value. So a slow
watcher sees fewer steps and never an old one, and a thousand watchers of one delivery cost one statement per tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from typing import Any, TypeVar

from api.errors import translate
from core.db import Connection, Pool
from core.errors import Unavailable
from core.log import get_logger

log = get_logger("clarion.api.live")

T = TypeVar("T")
Read = Callable[[Connection], Awaitable[T]]

TICK_SECONDS = 0.25
AWAY_SECONDS = 1.0  # until the next look when the database does not answer


class Watches:
    """One per process."""

    def __init__(self, pool: Pool, tick: float = TICK_SECONDS):
        self._pool = pool
        self._tick = tick
        self._watched: dict[Hashable, _Watched] = {}

    async def follow(self, key: Hashable, read: Read[T], ended: Callable[[T], bool]) -> AsyncGenerator[T, None]:
        """Values of `read(conn)` until one says that it was the last. Raises what `read` raises, such as NotFound.

        All who follow a key share the first one's `read`. Close the generator when done.
        """
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = _Watched(self._pool, self._tick, read)
        watched.followers += 1
        seen = 0
        try:
            while True:
                seen, value = await watched.newer_than(seen)
                yield value
                if ended(value):
                    return
        finally:
            watched.followers -= 1
            if not watched.followers:
                if self._watched.get(key) is watched:
                    del self._watched[key]  # first: who comes while it ends must not find it
                await watched.close()

    async def close(self) -> None:
        """Stop looking."""
        for watched in list(self._watched.values()):
            await watched.close()


class _Watched:
    def __init__(self, pool: Pool, tick: float, read: Read[Any]):
        self.followers = 0
        self._pool = pool
        self._tick = tick
        self._read = read
        self._value: Any = None
        self._version = 0
        self._error: Exception | None = None
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._look())

    async def newer_than(self, version: int) -> tuple[int, Any]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._version > version or self._error is not None)
            if self._error is not None:
                raise self._error
            return self._version, self._value

    async def _look(self) -> None:
        while self._error is None:
            pause = self._tick
            try:
                async with self._pool.acquire() as conn:
                    value = await self._read(conn)
                if self._version == 0 or value != self._value:
                    await self._tell(value, None)
            except Exception as error:
                if isinstance(translate(error), Unavailable):
                    log.warning("a watched row cannot be read now", reason=str(error))
                    pause = AWAY_SECONDS
                else:
                    await self._tell(None, error)
            await asyncio.sleep(pause)

    async def _tell(self, value: Any, error: Exception | None) -> None:
        async with self._changed:
            self._value, self._error = value, error
            self._version += 1
            self._changed.notify_all()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
