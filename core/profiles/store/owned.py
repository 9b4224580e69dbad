"""SQL on rows that say whose they are, as devices and visitors do: read as those of the survivor after a merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection


async def newest_of(
    conn: Connection, table: str, columns: str, profile_ids: Sequence[int], limit: int
) -> list[tuple[int, dict[str, Any]]]:  # fmt: skip
    """Of each profile and those merged into it the newest rows, up to `limit`; beside the profile that was asked for.

    `table` and `columns` are constants of ours; the table has `id` and `profile_id`.
    """
    rows = await conn.fetch(
        f"""
        SELECT asked.id AS person, s.*
          FROM unnest($1::bigint[]) AS asked (id)
         CROSS JOIN LATERAL (
            SELECT {columns} FROM {table}
             WHERE profile_id IN (SELECT asked.id UNION ALL SELECT p.id FROM profile p WHERE p.merged_into = asked.id)
             ORDER BY id DESC LIMIT $2) s
         ORDER BY person, s.id DESC
        """,
        profile_ids, limit,
    )  # fmt: skip
    return [(row["person"], dict(list(row.items())[1:])) for row in rows]
