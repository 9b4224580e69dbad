"""Look a second time at what was stored, in the order of the stream, for bursts and hidden links.

The burst watch of a process sees them a moment after their commits. It sees nothing when the process is killed in that
moment, or when the database is away for longer than it waits. Every event is looked at here once more, and nearly always
there is nothing left to do: whoever asks the rules, and whenever, gets the same answer.
"""

from __future__ import annotations

from core.clock import Clock
from core.db import Connection, Pool, transaction
from core.log import get_logger
from core.tracking.bursts import take_back
from core.tracking.machines import LinkBook, RuleBook
from core.tracking.store import event_rows, rule_rows

STRETCH = 1000  # events that are looked at in one transaction
MOST_STRETCHES = 50  # of one sweep; what a storm leaves over is for the next

_log = get_logger(__name__)


async def look_again(pool: Pool, links: LinkBook, clock: Clock) -> int:
    """Take back what was missed since the last time; returns how many events. Of several at once, one does it."""
    taken = 0
    for _ in range(MOST_STRETCHES):
        async with transaction(pool) as conn:
            found = await _look_on(conn, links, clock)
        if found is None:
            break
        taken += found
    if taken:
        _log.info("hits were machines' and had not been told so", events=taken)
    return taken


async def _look_on(conn: Connection, links: LinkBook, clock: Clock) -> int | None:
    """Look at the next events; returns how many were taken back, None when there is nothing to look at."""
    position = await event_rows.lock_second_look(conn)
    stretch = None if position is None else await event_rows.find_stretch(conn, position, STRETCH)
    if stretch is None:
        return None
    await event_rows.set_up_transaction(conn)
    book = RuleBook(await rule_rows.list_rules(conn))
    taken = await take_back(conn, stretch.seen, book, links, clock())
    await event_rows.move_second_look(conn, stretch.position)
    return taken
