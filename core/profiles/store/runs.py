"""SQL that imports and exports share: who works on a run, and whether he still lives."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from core.db import Connection


class RunTable(StrEnum):
    """The tables of this room whose rows are run by a worker; they have the columns named below, as those of other rooms."""

    IMPORT = "import_run"
    EXPORT = "export_run"
    SUPPRESSION_IMPORT = "suppression_import"
    SUPPRESSION_EXPORT = "suppression_export"


async def claim(conn: Connection, table: StrEnum, run_id: int, now: datetime) -> bool:
    """Take a ready run; False when there is nothing to take."""
    return (
        await conn.fetchval(
            f"""
            UPDATE {table.value}
               SET state = 'running', fence = fence + 1, heartbeat_at = $2, started_at = coalesce(started_at, $2)
             WHERE id = $1 AND state = 'ready'
            RETURNING true
            """,
            run_id,
            now,
        )
        or False
    )


async def beat(conn: Connection, table: StrEnum, run_id: int, fence: int, now: datetime) -> bool:
    """A sign of life; False when the run is not this worker's any more."""
    return (
        await conn.fetchval(
            f"""
            UPDATE {table.value} SET heartbeat_at = $3 WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING true
            """,
            run_id,
            fence,
            now,
        )
        or False
    )


async def release(conn: Connection, table: StrEnum, run_id: int, fence: int, now: datetime) -> bool:
    """Give a run back, so that another worker may go on; False when it was not this worker's any more."""
    return (
        await conn.fetchval(
            f"""
            UPDATE {table.value} SET state = 'ready', heartbeat_at = $3
             WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING true
            """,
            run_id,
            fence,
            now,
        )
        or False
    )


async def revive_stalled(conn: Connection, table: StrEnum, quiet_since: datetime, now: datetime) -> list[int]:
    """Make runs without a sign of life ready again, fence off who had them, and return their ids."""
    rows = await conn.fetch(
        f"""
        UPDATE {table.value} SET state = 'ready', fence = fence + 1, heartbeat_at = $2
         WHERE id IN (SELECT id FROM {table.value}
                       WHERE finished_at IS NULL AND state IN ('ready', 'running')
                         AND coalesce(heartbeat_at, created_at) < $1
                       ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING id
        """,
        quiet_since,
        now,
    )
    return sorted(row["id"] for row in rows)
