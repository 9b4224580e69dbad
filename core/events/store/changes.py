"""SQL on the stream of who has new events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.events.records import EventChange

CHANNEL = "clarion_events"  # NOTIFY channel that wakes whoever follows the stream
STREAM_LOCK = 0x636C_6172_0301  # advisory lock of whoever appends to the stream


async def append_change(
    conn: Connection, now: datetime, events: int, type_ids: Sequence[int], profile_ids: Sequence[int]
) -> int:
    """Put a change at the end of the stream and hold it to the end of the transaction; the position."""
    position: int = await conn.fetchval(
        """
        WITH stream AS MATERIALIZED (SELECT pg_advisory_xact_lock($5), pg_notify($6, ''))
        INSERT INTO event_change (position, at, events, type_ids, profile_ids)
        SELECT nextval('event_position'), $1, $2, $3, $4 FROM stream
        RETURNING position
        """,
        now, events, type_ids, profile_ids, STREAM_LOCK, CHANNEL,
    )  # fmt: skip
    return position


async def newest_position(conn: Connection) -> int:
    """The highest position that is visible; every change up to it is visible too. 0 when there is none."""
    position: int | None = await conn.fetchval("SELECT max(position) FROM event_change")
    return position or 0


async def list_changes(conn: Connection, after: int, limit: int) -> list[EventChange]:
    """Changes after a position, in order."""
    rows = await conn.fetch(
        """
        SELECT position, at, events, type_ids, profile_ids FROM event_change WHERE position > $1 ORDER BY position LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [_change(row) for row in rows]


def _change(row: Any) -> EventChange:
    return EventChange(**{**dict(row), "type_ids": tuple(row["type_ids"]), "profile_ids": tuple(row["profile_ids"])})


async def forget_changes(conn: Connection, before: datetime) -> int:
    """Drop changes that are older, but for the newest, which tells where the stream is; returns how many."""
    done: str = await conn.execute(
        "DELETE FROM event_change WHERE at < $1 AND position < (SELECT max(position) FROM event_change)", before
    )
    return int(done.rpartition(" ")[2])
