"""The stream of who has new events, for whoever keeps something that depends on events: follow it from a cursor.

A position stands for a call that stored events, not for an event: that is what recording can afford to number one after the
other. The order of positions is the order of commits, so a reader that goes on after the highest one seen misses none. A
notification on `store.changes.CHANNEL` says that there is more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from core.db import Connection
from core.events.records import EventChange
from core.events.store import changes as store

KEPT = timedelta(days=14)  # who was away for longer looks at everybody again


async def newest_position(conn: Connection) -> int:
    """The cursor that means "from now on"."""
    return await store.newest_position(conn)


async def read_changes(conn: Connection, after: int, limit: int) -> list[EventChange]:
    """Up to `limit` changes after a position, in order. Fewer than `limit` means there are no more now."""
    return await store.list_changes(conn, after, limit)


async def forget_changes(conn: Connection, now: datetime) -> int:
    """Drop what is older than `KEPT`, but never the newest; returns how many."""
    return await store.forget_changes(conn, now - KEPT)
