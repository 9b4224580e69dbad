"""SQL that finds profiles by what others know them by, many at once."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection


async def existing_ids(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the ids that there are."""
    return {row["id"] for row in await conn.fetch("SELECT id FROM profile WHERE id = ANY($1::bigint[])", ids)}


async def ids_by_external_id(conn: Connection, external_ids: Sequence[str]) -> dict[str, int]:
    """Profiles by their external ids."""
    rows = await conn.fetch("SELECT external_id, id FROM profile WHERE external_id = ANY($1::text[])", external_ids)
    return {row["external_id"]: row["id"] for row in rows}


async def ids_by_email(conn: Connection, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
    """For each normalised address that somebody has: the oldest profile, and how many there are."""
    rows = await conn.fetch(
        """
        SELECT email_key, min(id) AS id, count(*) AS profiles
          FROM profile WHERE email_key = ANY($1::text[]) GROUP BY email_key
        """,
        keys,
    )
    return {row["email_key"]: (row["id"], row["profiles"]) for row in rows}
