"""Many callers, one connection: what comes in while a group is worked on becomes the next group.

So groups are small when it is calm, and large when it is not. While the database is away a group is tried again and again;
each caller waits up to its own limit and is then told (Unavailable).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from asyncpg.pool import PoolConnectionProxy

from core.db import Connection, Pool
from core.errors import Unavailable
from core.log import get_logger
from core.tracking.lines import TRY_SECONDS, cut_after, give_back

GROUP_SIZE = 2000
WAITING_LIMIT = 20_000  # callers of one process that may wait for the database
LARGE_GROUP = 100  # one that gathers more without waiting
FIRST_PAUSE = 0.05  # seconds between two tries, doubled up to …
LONGEST_PAUSE = 0.5

_log = get_logger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class Group(Generic[Item]):
    """What is worked on together. `memory` stays with the group over its tries; it belongs to the work."""

    items: list[Item]
    memory: Any = None


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]
    until: float  # loop time


Work = Callable[[Connection, Group[Item]], Awaitable[Sequence[Answer]]]
SetUp = Callable[[Connection], Awaitable[None]]


class Grouped(Generic[Item, Answer]):
    """Works on what callers bring, group by group. Keeps a connection of the pool for itself.

    After a group of several, `gather_seconds` let more callers come together: a moment's wait that saves statements.

    `work` answers a group item by item. Whatever it raises counts as "not now": it gets a new connection and the same group
    again, without the callers whose time is up.
    """

    def __init__(
        self,
        name: str,
        pool: Pool,
        work: Work[Item, Answer],
        *,
        wait_seconds: float,
        gather_seconds: float = 0.0,
        set_up: SetUp | None = None,
    ):
        self._name = name
        self._pool = pool
        self._work = work
        self._set_up = set_up
        self._wait_seconds = wait_seconds
        self._gather_seconds = gather_seconds
        self._queue: deque[_Waiting[Item, Answer]] = deque()
        self._wake = asyncio.Event()
        self._conn: PoolConnectionProxy | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def ask(self, item: Item) -> Answer:
        """The work's answer. Raises Unavailable when there is none in time, or too many wait already."""
        if self._closing or len(self._queue) >= WAITING_LIMIT:
            raise _unavailable()
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._run(), name=self._name)
        waiting: _Waiting[Item, Answer] = _Waiting(item, loop.create_future(), loop.time() + self._wait_seconds)
        self._queue.append(waiting)
        self._wake.set()
        return await waiting.answer

    async def close(self) -> None:
        """Finish what waits, within the time that callers may wait, and give the connection back."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self._let_go()

    async def _run(self) -> None:
        while not self._closing or self._queue:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                size = min(len(self._queue), GROUP_SIZE)
                await self._finish([self._queue.popleft() for _ in range(size)])
                if self._gather_seconds and 1 < size < LARGE_GROUP:
                    await asyncio.sleep(self._gather_seconds)

    async def _finish(self, callers: list[_Waiting[Item, Answer]]) -> None:
        """Answer every caller: with the work's answer, or that its time is up."""
        group: Group[Item] = Group([])
        pause = FIRST_PAUSE
        while callers := _in_time(callers):
            group.items = [waiting.item for waiting in callers]
            try:
                answers = await self._try(group)
            except Exception as error:
                _log.warning("waiting for the database", task=self._name, callers=len(callers), error=repr(error))
                await self._let_go(broken=True)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                for waiting, answer in zip(callers, answers, strict=True):
                    if not waiting.answer.done():
                        waiting.answer.set_result(answer)
                return

    async def _try(self, group: Group[Item]) -> Sequence[Answer]:
        fresh = self._conn is None
        if self._conn is None:
            self._conn = await self._pool.acquire(timeout=TRY_SECONDS)
        with cut_after(self._conn, TRY_SECONDS):
            if fresh and self._set_up is not None:
                await self._set_up(self._conn)
            return await self._work(self._conn, group)

    async def _let_go(self, *, broken: bool = False) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            await give_back(self._pool, conn, broken=broken)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _in_time(callers: list[_Waiting[Item, Answer]]) -> list[_Waiting[Item, Answer]]:
    now = _now()
    for waiting in callers:
        if waiting.until <= now and not waiting.answer.done():
            waiting.answer.set_exception(_unavailable())
    return [waiting for waiting in callers if waiting.until > now]


def _unavailable() -> Unavailable:
    return Unavailable("the database did not answer in time", code="NOT_STORED", hint="Try again in a few seconds.")
