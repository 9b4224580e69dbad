"""SQL on who was named so far by an import that replaces the members of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, column, func, select, table

from core.db import Connection

_MARK = table("import_list_member", column("import_id", BigInteger), column("profile_id", BigInteger))
_MEMBER = table("audience_member", column("audience_id", BigInteger), column("profile_id", BigInteger))
_PROFILE = table("profile", column("id", BigInteger), column("merged_into", BigInteger))


async def mark(conn: Connection, import_id: int, audience_id: int | None, profile_ids: Sequence[int]) -> tuple[int, int]:
    """Remember people; how many of them were not named before, and how many of those are on the list already."""
    row = await conn.fetchrow(
        f"""
        WITH marked AS (
            INSERT INTO import_list_member (import_id, profile_id)
            SELECT $1, id FROM profile WHERE id = ANY($3::bigint[]) ORDER BY id ON CONFLICT DO NOTHING
            RETURNING profile_id
        )
        SELECT count(*) AS marked, count(*) FILTER (WHERE {_is_member("marked.profile_id", "$2")}) AS members FROM marked
        """,
        import_id, audience_id, list(profile_ids),
    )  # fmt: skip
    return row["marked"], row["members"]


async def count_members(conn: Connection, audience_id: int | None, profile_ids: Sequence[int]) -> int:
    """How many of these people are on a list."""
    found: int = await conn.fetchval(
        f"SELECT count(*) FROM unnest($2::bigint[]) AS person WHERE {_is_member('person', '$1')}",
        audience_id, list(profile_ids),
    )  # fmt: skip
    return found


def _is_member(person: str, audience: str) -> str:
    """Somebody is on the list by any profile that is theirs by a merge."""
    return f"""EXISTS (
        SELECT FROM audience_member WHERE audience_id = {audience} AND profile_id = ANY (
            array(SELECT {person} UNION ALL SELECT id FROM profile WHERE merged_into = {person})))"""


async def forget(conn: Connection, import_id: int) -> None:
    """The list is replaced."""
    await conn.execute("DELETE FROM import_list_member WHERE import_id = $1", import_id)


async def forget_ended(conn: Connection) -> None:
    """Imports that failed or were cancelled replace nothing."""
    await conn.execute(
        "DELETE FROM import_list_member m USING import_run r WHERE r.id = m.import_id AND r.finished_at IS NOT NULL"
    )


def named(import_id: int) -> Select[Any]:
    """Whom an import has named; who was merged since is who stands for them."""
    return _people(_MARK.c.profile_id).where(_MARK.c.import_id == import_id).distinct()


def not_named(import_id: int, audience_id: int) -> Select[Any]:
    """Who is on a list and was not, by none of the profiles that are theirs."""
    there = named(import_id).subquery()
    members = _people(_MEMBER.c.profile_id).where(_MEMBER.c.audience_id == audience_id).subquery()
    return select(members.c.person).where(~select(there.c.person).where(there.c.person == members.c.person).exists())


def _people(key: ColumnElement[int]) -> Select[Any]:
    return select(func.coalesce(_PROFILE.c.merged_into, _PROFILE.c.id).label("person")).where(_PROFILE.c.id == key)
