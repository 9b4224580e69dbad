"""SQL that reads the versions of the rows a delivery is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.errors import NotFound


async def read_versions(conn: Connection, delivery_id: int, now: datetime) -> dict[str, int]:
    """Versions by name, rows locked against change until the transaction ends; of the holdout that counts its number, for
    nothing else of it changes whom it holds out. Raises NotFound.
    """
    row = await conn.fetchrow(
        """
        SELECT d.version AS delivery, c.version AS content, u.version AS audience, a.version AS account, 1 AS schema,
               (SELECT o.version FROM consent_purpose o WHERE o.id = d.purpose_id) AS purpose,
               (SELECT h.id FROM holdout h
                 WHERE NOT d.ignores_holdout AND h.starts_at <= $2 AND (h.ends_at IS NULL OR h.ends_at > $2)) AS holdout
          FROM delivery d
          JOIN content c ON c.id = d.content_id
          JOIN audience u ON u.id = d.audience_id
          JOIN channel_account a ON a.id = d.channel_account_id
         WHERE d.id = $1
           FOR SHARE OF d, c, u, a
        """,
        delivery_id, now,
    )  # fmt: skip
    if row is None:
        raise NotFound("there is no such delivery", code="DELIVERY_NOT_FOUND", path="id")
    return {name: version for name, version in row.items() if version is not None}


async def campaign_read(conn: Connection, delivery_id: int) -> int | None:
    """The version of the delivery's campaign, held likewise, where its messages read anything of that; else None."""
    version: int | None = await conn.fetchval(
        """
        SELECT c.version
          FROM delivery d JOIN campaign c ON c.id = d.campaign_id
         WHERE d.id = $1
           AND EXISTS (SELECT FROM program p WHERE p.delivery_id = d.id AND p.content -> 'facts' -> 'campaign' <> '{}')
           FOR SHARE OF c
        """,
        delivery_id,
    )
    return version


async def fragments_used(conn: Connection, delivery_id: int) -> list[str]:
    """The names of the fragments that the content of a delivery uses by itself."""
    rows = await conn.fetch(
        """
        SELECT f.name
          FROM delivery d
          JOIN content_fragment u ON u.content_id = d.content_id
          JOIN fragment f ON f.id = u.fragment_id
         WHERE d.id = $1
        """,
        delivery_id,
    )
    return [row["name"] for row in rows]


async def content_reads(conn: Connection, delivery_id: int, beginning: str) -> list[str]:
    """What begins so of all that the delivery's content reads."""
    rows = await conn.fetch(
        """
        SELECT r FROM delivery d JOIN content c ON c.id = d.content_id, unnest(c.reads) AS r
         WHERE d.id = $1 AND starts_with(r, $2)
        """,
        delivery_id, beginning,
    )  # fmt: skip
    return [row["r"] for row in rows]


async def audiences_named(conn: Connection, delivery_id: int, names: Sequence[str]) -> dict[str, int]:
    """The versions of the audiences that the delivery's audience names, of that of its control group and of these, and of
    those that they name, held likewise.
    """
    rows = await conn.fetch(
        """
        SELECT name, version FROM audience
         WHERE id IN (
                WITH RECURSIVE named AS (
                    SELECT u.used_id FROM delivery d JOIN audience_use u ON u.audience_id = d.audience_id WHERE d.id = $1
                     UNION
                    SELECT g.audience_id FROM delivery_control_group g WHERE g.delivery_id = $1 AND g.audience_id IS NOT NULL
                     UNION
                    SELECT a.id FROM audience a WHERE a.name = ANY ($2::text[])
                     UNION
                    SELECT u.used_id FROM named n JOIN audience_use u ON u.audience_id = n.used_id
                )
                SELECT used_id FROM named)
         ORDER BY id
           FOR SHARE
        """,
        delivery_id, list(names),
    )  # fmt: skip
    return {row["name"]: row["version"] for row in rows}
