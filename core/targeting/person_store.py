"""SQL that finds the audiences of people: by the indexes that begin with the profile."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.targeting.records import PersonMembership


async def list_memberships(
    conn: Connection, profile_ids: Sequence[int], after: int | None, limit: int
) -> list[PersonMembership]:
    """In which audiences any of these profiles is, in their order, after one; of several profiles the first that was there."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (audience_id) audience_id, profile_id, added_at, coalesce(data, '{}') AS data
          FROM (SELECT audience_id, profile_id, added_at, data FROM audience_member WHERE profile_id = ANY($1::bigint[])
                UNION ALL
                SELECT k.audience_id, m.profile_id, m.entered_at, NULL
                  FROM kept_member m JOIN kept_audience k ON k.id = m.kept_id
                 WHERE m.profile_id = ANY($1::bigint[]) AND m.entered_at IS NOT NULL) m
         WHERE audience_id > coalesce($2::bigint, 0)
         ORDER BY audience_id, added_at, profile_id LIMIT $3
        """,
        profile_ids, after, limit,
    )  # fmt: skip
    return [PersonMembership(**row) for row in rows]
