"""What other rooms and the API ask about what people did. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.tracking.records import TrackingCount
from core.tracking.store import count_rows


async def counts(conn: Connection, delivery_id: int) -> list[TrackingCount]:
    """The counters of one delivery; no scan of events."""
    return (await counts_of(conn, [delivery_id]))[delivery_id]


async def counts_of(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, list[TrackingCount]]:
    """The same for several deliveries in one statement."""
    found = await count_rows.list_counts(conn, list(delivery_ids))
    return {delivery_id: found.get(delivery_id, []) for delivery_id in delivery_ids}
