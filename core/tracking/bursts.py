"""Find out what was a machine's doing after all, and take it back.

Whether a click was one of a burst shows only with the last click of it, so this comes after the commits of the hits: a
moment later, looking at all that is committed by then, whichever process stored it. Each correction is a row in the stream
that names the earlier event; counters and uniques move with it in one transaction. What this misses because its process
ends, or the database is away for long, `second_look.py` finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

from core.clock import Clock
from core.db import Connection, Pool
from core.errors import Unavailable
from core.log import get_logger
from core.tracking.groups import Group, Grouped
from core.tracking.machines import FreshRules, LinkBook, RuleBook
from core.tracking.records import Hit, Message, Sighting, TrackingKind
from core.tracking.store import corrections, count_rows, event_rows

GATHER_SECONDS = 0.02  # nobody waits for this
WAIT_SECONDS = 60.0  # how long a database may be away before what happened then is left to the second look

Seen = Mapping[Message, datetime]  # messages, and since when each is to be looked at

_log = get_logger(__name__)


def messages_of(hits: Iterable[Hit]) -> dict[Message, datetime]:
    """The messages that hits are about. Unsubscribing is never a machine's, so it tells nothing."""
    seen: dict[Message, datetime] = {}
    for hit in hits:
        if hit.kind is not TrackingKind.UNSUBSCRIBE:
            message = Message(
                delivery_id=hit.delivery_id,
                recipient_kind=hit.recipient_kind,
                recipient_id=hit.recipient_id,
                occurrence=hit.occurrence,
            )
            seen[message] = min(hit.at, seen.get(message, hit.at))
    return seen


async def take_back(conn: Connection, seen: Seen, book: RuleBook, links: LinkBook, now: datetime) -> int:
    """Re-mark what the rules on whole messages say; returns how many events. Opens a transaction only where there are any."""
    if not seen or book.window is None:
        return 0
    sightings = await corrections.list_sightings(conn, seen, book.window, book.hidden_rule)
    suspects = [one for one in sightings if await _is_suspect(conn, one, book, links)]
    remarks = book.judge(suspects, await links.shown(conn, [one.message for one in suspects])) if suspects else []
    if not remarks or not await corrections.is_unmarked(conn, remarks):
        return 0  # so that nobody waits for the stream
    async with conn.transaction():
        await event_rows.take_stream(conn)
        positions = await corrections.re_mark(conn, now, remarks)
        if positions:
            await corrections.count_remarks(conn, positions, count_rows.slot_of(now))
    return len(positions)


async def _is_suspect(conn: Connection, sighting: Sighting, book: RuleBook, links: LinkBook) -> bool:
    delivery_id = sighting.message.delivery_id
    return book.is_suspect(sighting, await links.always(conn, delivery_id), await links.hidden(conn, delivery_id))


class BurstWatch:
    """Looks at the messages of what a process has stored. Keeps a connection of the pool for itself."""

    def __init__(self, pool: Pool, links: LinkBook, rules: FreshRules, clock: Clock):
        self._links = links
        self._rules = rules
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._groups: Grouped[Seen, None] = Grouped(
            "burst watch",
            pool,
            self._look,
            wait_seconds=WAIT_SECONDS,
            gather_seconds=GATHER_SECONDS,
            set_up=event_rows.set_up_writer,
        )

    def note(self, hits: Iterable[Hit]) -> None:
        """Look at the messages of these hits soon."""
        task = asyncio.create_task(self._ask(messages_of(hits)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Return when everything noted so far was looked at."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Look at what waits and let go of the connection."""
        await self._groups.close()
        await self.settled()

    async def _ask(self, seen: Seen) -> None:
        try:
            await self._groups.ask(seen)
        except Unavailable:
            _log.warning("clicks were not looked at for bursts", messages=len(seen))

    async def _look(self, conn: Connection, group: Group[Seen]) -> list[None]:
        book = await self._rules.get(conn, asyncio.get_running_loop().time())
        seen: dict[Message, datetime] = {}
        for one in group.items:
            for message, at in one.items():
                seen[message] = min(at, seen.get(message, at))
        await take_back(conn, seen, book, self._links, self._clock())
        return [None] * len(group.items)
