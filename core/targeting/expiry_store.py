"""SQL on audiences whose time is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from core.db import Connection
from core.targeting.records import Audience
from core.targeting.store import COLUMNS, read_audience
from core.targeting.stored_trees import names_audience


async def list_expired(conn: Connection, now: datetime) -> dict[int, str]:
    """The names of audiences whose time is over, by id."""
    return {row["id"]: row["name"] for row in await conn.fetch("SELECT id, name FROM audience WHERE expires_at <= $1", now)}


async def lock_expired(conn: Connection, now: datetime, limit: int, but: Collection[int]) -> list[Audience]:
    """Audiences whose time is over, but for some, that nothing of this room names and nobody works with, held."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM audience a
         WHERE expires_at <= $1 AND id <> ALL ($3::bigint[])
           AND NOT EXISTS (SELECT FROM audience_use u WHERE u.used_id = a.id AND u.audience_id <> a.id)
           AND NOT EXISTS (SELECT FROM question_filter f WHERE {names_audience("f.expression", "ARRAY[a.name]")})
         ORDER BY expires_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        now, limit, list(but),
    )  # fmt: skip
    return [read_audience(row) for row in rows]


async def delete_audiences(conn: Connection, ids: Sequence[int]) -> None:
    """Remove several. Raises asyncpg's ForeignKeyViolationError when something refers to one."""
    await conn.execute("DELETE FROM audience WHERE id = ANY ($1)", list(ids))
