"""SQL on which audiences name which."""

from __future__ import annotations

from core.db import Connection
from core.targeting.records import Audience
from core.targeting.store import COLUMNS, read_audience


async def list_audiences_naming(conn: Connection, audience_id: int, limit: int) -> list[Audience]:
    """Those whose question names an audience, but itself, oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM audience
         WHERE id IN (SELECT audience_id FROM audience_use WHERE used_id = $1) AND id <> $1 ORDER BY id LIMIT $2
        """,
        audience_id, limit,
    )  # fmt: skip
    return [read_audience(row) for row in rows]


async def list_made_of(conn: Connection, audience_id: int, limit: int) -> list[int]:
    """Those whose question names an audience, or one that does, and so on; oldest first."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE made AS (
            SELECT audience_id FROM audience_use WHERE used_id = $1
             UNION
            SELECT u.audience_id FROM made m JOIN audience_use u ON u.used_id = m.audience_id
        )
        SELECT audience_id FROM made WHERE audience_id <> $1 ORDER BY 1 LIMIT $2
        """,
        audience_id, limit,
    )  # fmt: skip
    return [row["audience_id"] for row in rows]
