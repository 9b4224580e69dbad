"""Follow the stream from a cursor, without loss or repeat.

The table is the truth and a cursor is a position in it. A process has one `Tail`: it listens for new events on one
connection, reads them once, and hands the same batch to every follower. A batch says which positions it covers; a follower
that missed one (it was slow, or has just come) sees the gap and reads the table until it has caught up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from core.db import TRY_LATER, Connection, Pool
from core.log import get_logger
from core.tracking.lines import cut_after, give_back
from core.tracking.records import EVERYTHING, EventBatch, EventFilter, TrackingEvent
from core.tracking.store import event_rows

READ_SIZE = 1000  # events of one batch
READ_SPAN = 20_000  # positions looked through for one batch
QUEUED_BATCHES = 32  # live batches kept for a follower before it must read for itself
POLL_SECONDS = 1.0  # a notification that was lost with its connection costs this much
RETRY_SECONDS = 0.25
SILENCE_SECONDS = 10.0  # after which a server that does not answer is given up
BREATH_SECONDS = 0.01  # between two reads: many small commits become one batch

_log = get_logger(__name__)


async def newest_position(conn: Connection) -> int:
    """The cursor that means "from now on"."""
    return await event_rows.newest_position(conn)


async def read(conn: Connection, after: int, limit: int, filters: EventFilter = EVERYTHING) -> list[TrackingEvent]:
    """Up to `limit` events after a position, in order. Fewer than `limit` means there are no more now."""
    return await event_rows.list_events(conn, after, await event_rows.newest_position(conn), limit, filters)


async def read_batch(conn: Connection, after: int, filters: EventFilter = EVERYTHING) -> EventBatch:
    """The next piece of the stream after a position. Its cursor stands still only at the end of the stream."""
    newest = await event_rows.newest_position(conn)
    start = max(after, 0)
    through = min(newest, start + READ_SPAN)
    if through <= start:
        return EventBatch(events=(), position=start)
    events = await event_rows.list_events(conn, start, through, READ_SIZE, filters)
    if len(events) == READ_SIZE:
        through = events[-1].position
    elif not events and through < newest:
        through = await event_rows.next_position(conn, through) - 1  # over what retention has dropped
    return EventBatch(events=tuple(events), position=through)


@dataclass(frozen=True, slots=True)
class _Live:
    """Everything that happened after one position and up to another."""

    after: int
    through: int
    events: tuple[TrackingEvent, ...]


class _Follower:
    def __init__(self) -> None:
        self.queue: deque[_Live] = deque(maxlen=QUEUED_BATCHES)  # when full, the oldest goes: the follower sees the gap
        self.wake = asyncio.Event()

    def put(self, live: _Live) -> None:
        self.queue.append(live)
        self.wake.set()

    async def next(self) -> _Live:
        while not self.queue:
            self.wake.clear()
            await self.wake.wait()
        return self.queue.popleft()


class Tail:
    """The end of the stream in one process. Keeps a connection of the pool for itself while started."""

    def __init__(self, pool: Pool):
        self._pool = pool
        self._position: int | None = None  # read up to here; None while nobody follows
        self._followers: set[_Follower] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; while the database is away it keeps trying."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="tracking tail")

    async def stop(self) -> None:
        """Let go of the connection. Followers hear nothing more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextmanager
    def follower(self) -> Iterator[_Follower]:
        """A queue that gets every batch from now on; the first one, empty, says where now is."""
        follower = _Follower()
        self._followers.add(follower)
        if self._position is not None:
            follower.put(_Live(self._position, self._position, ()))
        self._news.set()
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                _log.warning("lost the tracking stream, trying again", error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        conn = await self._pool.acquire(timeout=SILENCE_SECONDS)
        try:
            with cut_after(conn, SILENCE_SECONDS):
                await conn.add_listener(event_rows.CHANNEL, self._on_notify)
            while True:
                with cut_after(conn, SILENCE_SECONDS):
                    await self._step(conn)
                await self._wait()
        finally:
            await give_back(self._pool, conn, broken=True)  # it listens: not fit for another use

    def _on_notify(self, *_: Any) -> None:
        self._news.set()

    async def _step(self, conn: Connection) -> None:
        self._news.clear()
        if not self._followers:
            self._position = None
        elif self._position is None:
            self._position = await event_rows.newest_position(conn)
            self._hand_out(_Live(self._position, self._position, ()))
        else:
            batch = await read_batch(conn, self._position)
            if batch.position > self._position:
                live = _Live(self._position, batch.position, batch.events)
                self._position = batch.position
                self._hand_out(live)
                self._news.set()  # there may be more
                await asyncio.sleep(BREATH_SECONDS)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._news.wait()

    def _hand_out(self, live: _Live) -> None:
        for follower in self._followers:
            follower.put(live)


async def follow(pool: Pool, tail: Tail, after: int, filters: EventFilter = EVERYTHING) -> AsyncGenerator[EventBatch, None]:
    """Every event after a position that the filter lets through, in order, as long as the caller listens.

    While the database is away it waits. The caller closes the iterator (`aclosing`) when it is done.
    """
    position = max(after, 0)
    with tail.follower() as follower:
        while True:
            live = await follower.next()
            while live.after > position:  # a gap: the table knows
                batch = await _read_for_sure(pool, position, filters)
                position = batch.position
                if batch.events:
                    yield batch
            if live.through > position:
                events = tuple(one for one in live.events if one.position > position and filters.matches(one))
                position = live.through
                if events:
                    yield EventBatch(events=events, position=position)


async def _read_for_sure(pool: Pool, after: int, filters: EventFilter) -> EventBatch:
    while True:
        try:
            async with pool.acquire(timeout=SILENCE_SECONDS) as conn:
                with cut_after(conn, SILENCE_SECONDS):
                    return await read_batch(conn, after, filters)
        except TRY_LATER as error:
            _log.warning("a follower of the tracking stream waits for the database", error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
