"""Months of a table that is partitioned by time. What no month takes lies in the default partition and moves when its month
is made. Its own store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from core.db import Connection, has_table
from core.log import get_logger

MONTHS_AHEAD = 2

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioned:
    """A table, how its partitions' names begin, and by which column of time it is divided. All are names of this house."""

    table: str
    prefix: str
    column: str

    @property
    def other(self) -> str:
        """The default partition."""
        return f"{self.prefix}_other"

    def month(self, start: datetime) -> str:
        """The partition of the month that begins then."""
        return f"{self.prefix}_{start:%Y_%m}"


def month_of(at: datetime, offset: int = 0) -> datetime:
    """The first instant (UTC) of the month of `at`, or of one `offset` months later."""
    at = at.astimezone(UTC)
    months = at.year * 12 + at.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


async def ensure_months(conn: Connection, of: Partitioned, now: datetime) -> list[str]:
    """Make the months from this one to `MONTHS_AHEAD` later where they are missing; returns the new ones as "2026-03".

    Never holds up writers: see `ensure_month`.
    """
    starts = [month_of(now, offset) for offset in range(MONTHS_AHEAD + 1)]
    return [f"{start:%Y-%m}" for start in starts if await ensure_month(conn, of, start)]


async def ensure_month(conn: Connection, of: Partitioned, start: datetime) -> bool:
    """Make the month that begins then; False where it is there, or cannot be made now.

    What cannot be locked at once is left for the next time, and the default partition serves until then.
    """
    try:
        async with conn.transaction():
            return await _make(conn, of, start, month_of(start, 1))
    except asyncpg.LockNotAvailableError:
        _log.info("a month is made later, its table is in use", table=of.table, month=f"{start:%Y-%m}")
        return False


async def list_months(conn: Connection, of: Partitioned) -> list[datetime]:
    """The beginnings of the months that there are, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         JOIN pg_class parent ON parent.oid = i.inhparent
         WHERE parent.relname = $1 AND parent.relnamespace = current_schema()::regnamespace AND c.relname <> $2
         ORDER BY c.relname
        """,
        of.table, of.other,
    )  # fmt: skip
    return [datetime.strptime(row["name"].removeprefix(of.prefix), "_%Y_%m").replace(tzinfo=UTC) for row in rows]


async def drop_month(conn: Connection, of: Partitioned, start: datetime) -> bool:
    """Drop a month with all that is in it. False where its table is in use: it is left for the next time."""
    try:
        async with conn.transaction():
            await conn.execute("SET LOCAL lock_timeout = '100ms'")
            await conn.execute(f"DROP TABLE IF EXISTS {of.month(start)}")
    except asyncpg.LockNotAvailableError:
        _log.info("a month is dropped later, its table is in use", table=of.table, month=f"{start:%Y-%m}")
        return False
    return True


async def _make(conn: Connection, of: Partitioned, start: datetime, end: datetime) -> bool:
    """With what lies in the default partition. Attaching needs that one for itself; raises LockNotAvailableError when somebody
    else reads it for long.
    """
    name = of.month(start)
    if await has_table(conn, name):
        return False
    await conn.execute("SET LOCAL lock_timeout = '100ms'")
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"{of.table} partition")
    if await has_table(conn, name):
        return False
    begin, finish = start.isoformat(), end.isoformat()
    await conn.execute(
        f"""
        CREATE TABLE {name} (LIKE {of.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        LOCK TABLE {of.other} IN ACCESS EXCLUSIVE MODE;
        WITH moved AS (
            DELETE FROM {of.other} WHERE {of.column} >= '{begin}' AND {of.column} < '{finish}' RETURNING *
        )
        INSERT INTO {name} SELECT * FROM moved;
        ALTER TABLE {of.table} ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{finish}')
        """
    )
    await conn.execute("SET LOCAL lock_timeout = DEFAULT")
    return True
