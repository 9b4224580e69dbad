"""Months of the event table, made ahead. What no month takes lies in the default partition and moves when its month is made."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg

from core.db import Connection
from core.log import get_logger
from core.tracking.store import event_rows

MONTHS_AHEAD = 2

_log = get_logger(__name__)


def month_of(at: datetime, offset: int = 0) -> datetime:
    """The first instant (UTC) of the month of `at`, or of one `offset` months later."""
    at = at.astimezone(UTC)
    months = at.year * 12 + at.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


async def ensure_partitions(conn: Connection, now: datetime) -> list[str]:
    """Make the months from this one to `MONTHS_AHEAD` later where they are missing; returns the names of new ones.

    Never holds up hits: what cannot be locked at once is left for the next time, and the default partition serves until then.
    """
    made = []
    for offset in range(MONTHS_AHEAD + 1):
        start, end = month_of(now, offset), month_of(now, offset + 1)
        try:
            async with conn.transaction():
                if await event_rows.make_partition(conn, start, end):
                    made.append(f"{start:%Y-%m}")
        except asyncpg.LockNotAvailableError:
            _log.info("a month of tracking events is made later, its table is in use", month=f"{start:%Y-%m}")
    return made
