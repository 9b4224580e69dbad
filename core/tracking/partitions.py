"""Months of the event table, made ahead."""

from __future__ import annotations

from datetime import datetime

from core.db import Connection
from core.partitions import Partitioned, ensure_months

EVENTS = Partitioned(table="tracking_event", prefix="tracking_event", column="at")


async def ensure_partitions(conn: Connection, now: datetime) -> list[str]:
    """Make the months that are missing, from this one on; returns the names of new ones. Never holds up hits."""
    return await ensure_months(conn, EVENTS, now)
