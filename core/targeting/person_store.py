"""SQL that finds the audiences of people: by the indexes that begin with the profile."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.targeting.records import PersonMembership


async def list_memberships(
    conn: Connection, people: Sequence[int], after: int | None, limit: int
) -> list[tuple[int, PersonMembership]]:
    """In which audiences each of these profiles is, or whoever is merged into it, in their order, after one; beside the
    profile that was asked for. Of several profiles the first that was there."""
    rows = await conn.fetch(
        """
        SELECT p.person, one.*
          FROM (SELECT person, array(SELECT person UNION ALL SELECT id FROM profile WHERE merged_into = person) AS ids
                  FROM unnest($1::bigint[]) AS person) p
         CROSS JOIN LATERAL (
            SELECT DISTINCT ON (audience_id) audience_id, profile_id, added_at, coalesce(data, '{}') AS data
              FROM (SELECT audience_id, profile_id, added_at, data FROM audience_member WHERE profile_id = ANY(p.ids)
                    UNION ALL
                    SELECT k.audience_id, m.profile_id, m.entered_at, NULL
                      FROM kept_member m JOIN kept_audience k ON k.id = m.kept_id
                     WHERE m.profile_id = ANY(p.ids) AND m.entered_at IS NOT NULL) m
             WHERE audience_id > coalesce($2::bigint, 0)
             ORDER BY audience_id, added_at, profile_id LIMIT $3) one
         ORDER BY p.person, one.audience_id
        """,
        people, after, limit,
    )  # fmt: skip
    return [(row["person"], PersonMembership(**dict(list(row.items())[1:]))) for row in rows]
