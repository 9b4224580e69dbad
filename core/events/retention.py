"""Months of events are made ahead, and dropped when they are older than their type keeps events."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.db import Connection
from core.events.physical import partitioned
from core.events.records import EventType
from core.events.store import retention as store
from core.partitions import drop_month, ensure_month, ensure_months, list_months, month_of

MONTHS_BACK = 36  # events from before stay in the default partition
MONTHS_AT_ONCE = 6  # that are made for what lies there
FORGET_AT_ONCE = 10_000


async def ensure_partitions(conn: Connection, event_type: EventType, now: datetime) -> None:
    """Make the months that are missing: those to come, and those of events that were told late."""
    of = partitioned(event_type.name)
    await ensure_months(conn, of, now)
    for month in await store.other_months(conn, event_type.name, month_of(now, -MONTHS_BACK), MONTHS_AT_ONCE):
        if month <= now:
            await ensure_month(conn, of, month)


async def drop_old(conn: Connection, event_type: EventType, now: datetime) -> None:
    """Drop the months of a type that are past its retention, and up to `FORGET_AT_ONCE` of its single events and of keys."""
    if event_type.retention_days is None:
        return
    horizon = now - timedelta(days=event_type.retention_days)
    of = partitioned(event_type.name)
    for month in await list_months(conn, of):
        if month_of(month, 1) <= horizon:
            await drop_month(conn, of, month)
    await store.delete_before(conn, event_type.name, horizon, FORGET_AT_ONCE)
    await store.forget_keys(conn, event_type.id, horizon, FORGET_AT_ONCE)


async def forget_removed(conn: Connection) -> int:
    """Forget up to `FORGET_AT_ONCE` keys of types that are gone; returns how many."""
    return await store.forget_keys_of_removed(conn, FORGET_AT_ONCE)
