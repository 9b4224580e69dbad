"""Keep the counters small: slots that are no longer written are added to their base."""

from __future__ import annotations

from datetime import datetime

from core.db import Connection
from core.tracking.store import count_rows, event_rows


async def fold_counts(conn: Connection, now: datetime) -> int:
    """Fold what is old enough; returns how many rows went. Sums stay the same. Commit at once: writers wait."""
    await event_rows.take_stream(conn)
    return await count_rows.fold_counts(conn, now)
