"""Record hits: one writer per process, one transaction per group, an answer only after the commit.

When the connection breaks before the answer to a COMMIT, the group may be stored or not. It is then *in doubt*:
the writer takes the stream again, which the lost transaction must have let go by then, and looks whether the
group's first hit stands at the position it was given. It does if and only if the group was committed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from core.clock import Clock
from core.db import Connection, Pool
from core.tracking import store
from core.tracking.append import append, mark
from core.tracking.groups import Group, Grouped
from core.tracking.machines import FreshRules, LinkBook
from core.tracking.records import Hit

GATHER_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Where the first hit of a group stands if its lost transaction was committed after all."""

    position: int
    hit: Hit


class HitRecorder:
    """Stores the hits of a process."""

    def __init__(self, pool: Pool, links: LinkBook, clock: Clock, *, wait_seconds: float):
        self._links = links
        self._clock = clock
        self._rules = FreshRules()
        self._groups: Grouped[Hit, None] = Grouped(
            "hit recorder",
            pool,
            self._store,
            wait_seconds=wait_seconds,
            gather_seconds=GATHER_SECONDS,
            set_up=store.set_up_writer,
        )

    async def record(self, hit: Hit) -> None:
        """Return once the hit is committed. Raises Unavailable when that does not happen in time."""
        await self._groups.ask(hit)

    async def close(self) -> None:
        """Commit what waits and let go."""
        await self._groups.close()

    async def _store(self, conn: Connection, group: Group[Hit]) -> list[None]:
        if not await self._was_stored(conn, group):
            book = await self._rules.get(conn, asyncio.get_running_loop().time())
            marked = await mark(conn, group.items, book, self._links)
            # This is a door: it opens the transaction, and what fails in it costs the connection, so nothing is rolled back.
            await store.take_stream(conn, begin=True)
            group.memory = _Doubt(await append(conn, marked, book, self._links, self._clock()), group.items[0])
            await store.commit(conn)
        return [None] * len(group.items)

    async def _was_stored(self, conn: Connection, group: Group[Hit]) -> bool:
        doubt: _Doubt | None = group.memory
        if doubt is None:
            return False
        async with conn.transaction():
            await store.take_stream(conn)
            stored = await store.is_stored(conn, doubt.position, doubt.hit)
        group.memory = None
        return stored
