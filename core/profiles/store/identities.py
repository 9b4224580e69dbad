"""SQL that finds profiles by what others know them by, many at once."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection


async def ids_by_id(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Those of the ids that there are, each with the profile that stands for it."""
    rows = await conn.fetch("SELECT id, coalesce(merged_into, id) AS whole FROM profile WHERE id = ANY($1::bigint[])", ids)
    return {row["id"]: row["whole"] for row in rows}


async def ids_by_external_id(conn: Connection, external_ids: Sequence[str]) -> dict[str, int]:
    """Profiles by their external ids; of one that is merged, its survivor."""
    rows = await conn.fetch(
        "SELECT external_id, coalesce(merged_into, id) AS id FROM profile WHERE external_id = ANY($1::text[])", external_ids
    )
    return {row["external_id"]: row["id"] for row in rows}


async def ids_by_email(conn: Connection, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
    """For each normalised address that somebody has: the oldest profile, and how many there are. Those that are merged count
    as their survivor, once."""
    rows = await conn.fetch(
        """
        SELECT email_key, min(coalesce(merged_into, id)) AS id, count(DISTINCT coalesce(merged_into, id)) AS profiles
          FROM profile WHERE email_key = ANY($1::text[]) GROUP BY email_key
        """,
        keys,
    )
    return {row["email_key"]: (row["id"], row["profiles"]) for row in rows}


async def hold(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Those that exist; they stay until the transaction ends. In the order of ids, against deadlocks."""
    rows = await conn.fetch("SELECT id FROM profile WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE", ids)
    return {row["id"] for row in rows}
