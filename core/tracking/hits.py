"""Record hits: one writer per process, one statement per group, an answer only after the commit.

When the connection breaks before the answer came, the group may be stored or not. It is then *in doubt*: the writer takes
the stream, which the lost statement must have let go by then, and looks whether the group's first hit is there. All of a
group is stored or nothing.
"""

from __future__ import annotations

import asyncio

from core.clock import Clock
from core.db import Connection, Pool
from core.tracking.append import append
from core.tracking.bursts import BurstWatch
from core.tracking.groups import Group, Grouped
from core.tracking.machines import FreshRules, LinkBook
from core.tracking.records import Hit
from core.tracking.store import event_rows

GATHER_SECONDS = 0.002


class HitRecorder:
    """Stores the hits of a process, and has them looked at for bursts. Keeps two connections of the pool for itself."""

    def __init__(self, pool: Pool, links: LinkBook, clock: Clock, *, wait_seconds: float):
        self._links = links
        self._clock = clock
        self._rules = FreshRules()
        self._watch = BurstWatch(pool, links, self._rules, clock)
        self._groups: Grouped[Hit, None] = Grouped(
            "hit recorder",
            pool,
            self._store,
            wait_seconds=wait_seconds,
            gather_seconds=GATHER_SECONDS,
            set_up=event_rows.set_up_writer,
        )

    async def record(self, hit: Hit) -> None:
        """Return once the hit is committed. Raises Unavailable when that does not happen in time."""
        await self._groups.ask(hit)

    async def settled(self) -> None:
        """Return when what is recorded was also looked at for bursts."""
        await self._watch.settled()

    async def close(self) -> None:
        """Commit what waits and let go."""
        await self._groups.close()
        await self._watch.close()

    async def _store(self, conn: Connection, group: Group[Hit]) -> list[None]:
        book = await self._rules.get(conn, asyncio.get_running_loop().time())
        if not await self._was_stored(conn, group):
            group.memory = group.items[0]
            await append(conn, group.items, book, self._links, self._clock())
        if book.window is not None:
            self._watch.note(group.items)
        return [None] * len(group.items)

    async def _was_stored(self, conn: Connection, group: Group[Hit]) -> bool:
        first: Hit | None = group.memory
        return first is not None and await was_stored(conn, first)


async def was_stored(conn: Connection, hit: Hit) -> bool:
    """Whether a hit is stored whose statement was lost. Waits until that statement has ended."""
    async with conn.transaction():
        await event_rows.take_stream(conn)
        return await event_rows.is_stored(conn, hit)
