"""What a preparation reads of profiles besides its generated statements."""

from __future__ import annotations

from core.db import Connection


async def highest_profile_id(conn: Connection) -> int:
    """The newest profile's id, 0 when there is none; answered by the primary key."""
    highest: int = await conn.fetchval("SELECT coalesce(max(id), 0) FROM profile")
    return highest
