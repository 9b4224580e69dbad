"""SQL on who was named so far by an import that replaces the members of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Select, column, select, table

from core.db import Connection

_MARK = table("import_list_member", column("import_id", BigInteger), column("profile_id", BigInteger))
_MEMBER = table("audience_member", column("audience_id", BigInteger), column("profile_id", BigInteger))


async def mark(conn: Connection, import_id: int, audience_id: int | None, profile_ids: Sequence[int]) -> tuple[int, int]:
    """Remember people; how many of them were not named before, and how many of those are on the list already."""
    row = await conn.fetchrow(
        """
        WITH marked AS (
            INSERT INTO import_list_member (import_id, profile_id)
            SELECT $1, id FROM profile WHERE id = ANY($3::bigint[]) ORDER BY id ON CONFLICT DO NOTHING
            RETURNING profile_id
        )
        SELECT count(*) AS marked, count(m.profile_id) AS members
          FROM marked LEFT JOIN audience_member m ON m.audience_id = $2 AND m.profile_id = marked.profile_id
        """,
        import_id, audience_id, list(profile_ids),
    )  # fmt: skip
    return row["marked"], row["members"]


async def count_members(conn: Connection, audience_id: int | None, profile_ids: Sequence[int]) -> int:
    """How many of these people are on a list."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM audience_member WHERE audience_id = $1 AND profile_id = ANY($2::bigint[])",
        audience_id, list(profile_ids),
    )  # fmt: skip
    return found


async def forget(conn: Connection, import_id: int) -> None:
    """The list is replaced."""
    await conn.execute("DELETE FROM import_list_member WHERE import_id = $1", import_id)


async def forget_ended(conn: Connection) -> None:
    """Imports that failed or were cancelled replace nothing."""
    await conn.execute(
        "DELETE FROM import_list_member m USING import_run r WHERE r.id = m.import_id AND r.finished_at IS NOT NULL"
    )


def named(import_id: int) -> Select[Any]:
    """Whom an import has named."""
    return select(_MARK.c.profile_id).where(_MARK.c.import_id == import_id)


def not_named(import_id: int, audience_id: int) -> Select[Any]:
    """Who is on a list and was not."""
    there = select(_MARK.c.profile_id).where(_MARK.c.import_id == import_id, _MARK.c.profile_id == _MEMBER.c.profile_id)
    return select(_MEMBER.c.profile_id).where(_MEMBER.c.audience_id == audience_id, ~there.exists())
