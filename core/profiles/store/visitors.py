"""SQL on visitors. Rows are written in the order of their keys, so that two writers never wait in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.store.owned import newest_of
from core.profiles.store.told_values import after, encoded, said
from core.profiles.visitor_records import OWNERS, SAID, Visitor

_FIELDS = {**SAID, **OWNERS}
COLUMNS = f"id, external_id, {', '.join(_FIELDS)}, created_at, updated_at"
_SENT = """
    sent AS (
        SELECT n, external_id, told::jsonb AS told
          FROM unnest($1::integer[], $2::text[], $3::text[]) AS s (n, external_id, told)
    )
"""
_SAID = ", ".join(said(one) for one in _FIELDS.values())
_WANTED = ", ".join(f"{after(one, 'v')} AS {name}" for name, one in _FIELDS.items())
_CHANGES = ", ".join(f"{name} = h.{name}" for name in _FIELDS)
_BEFORE, _AFTER = (", ".join(f"{row}.{name}" for name in _FIELDS) for row in ("v", "h"))

# Its place, its key, and what is said of it, by column.
Row = tuple[int, str, Mapping[str, Any]]


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    return [[n for n, _, _ in rows], [key for _, key, _ in rows], [encoded(values, _FIELDS) for _, _, values in rows]]


async def insert_new(conn: Connection, rows: Sequence[Row], now: datetime) -> set[int]:
    """Add those that are not there yet; returns the places of them. No two rows have one key."""
    found = await conn.fetch(
        f"""
        WITH {_SENT}, added AS (
            INSERT INTO visitor (external_id, {", ".join(_FIELDS)}, created_at, updated_at)
            SELECT external_id, {_SAID}, $4, $4 FROM sent s ORDER BY external_id
            ON CONFLICT (external_id) DO NOTHING
            RETURNING external_id
        )
        SELECT s.n FROM sent s JOIN added a ON a.external_id = s.external_id
        """,
        *_columns(rows), now,
    )  # fmt: skip
    return {row["n"] for row in found}


async def update_known(conn: Connection, rows: Sequence[Row], now: datetime) -> set[int]:
    """Change those that are there and are something else; returns the places of them."""
    found = await conn.fetch(
        f"""
        WITH {_SENT}, held AS (
            SELECT v.id, s.n, {_WANTED} FROM sent s JOIN visitor v ON v.external_id = s.external_id
             ORDER BY v.external_id FOR UPDATE OF v
        )
        UPDATE visitor v SET {_CHANGES}, updated_at = $4
          FROM held h WHERE v.id = h.id AND ({_BEFORE}) IS DISTINCT FROM ({_AFTER})
        RETURNING h.n
        """,
        *_columns(rows), now,
    )  # fmt: skip
    return {row["n"] for row in found}


async def delete(conn: Connection, keys: Sequence[str]) -> set[str]:
    """Remove those of these keys; returns what was there."""
    rows = await conn.fetch(
        """
        WITH held AS (SELECT id FROM visitor WHERE external_id = ANY($1::text[]) ORDER BY external_id FOR UPDATE)
        DELETE FROM visitor v USING held WHERE v.id = held.id RETURNING v.external_id
        """,
        keys,
    )
    return {row["external_id"] for row in rows}


async def delete_unidentified(conn: Connection, before: datetime, limit: int) -> int:
    """Remove those of whom nobody knows who they are and that last changed before, up to a number, but none that somebody is
    changing; returns how many."""
    done: str = await conn.execute(
        """
        WITH held AS (
            SELECT id FROM visitor WHERE profile_id IS NULL AND updated_at < $1 ORDER BY updated_at LIMIT $2
               FOR UPDATE SKIP LOCKED
        )
        DELETE FROM visitor v USING held WHERE v.id = held.id
        """,
        before, limit,
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


async def find(conn: Connection, ids: Sequence[int]) -> list[Visitor]:
    """Those that exist, by id."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM visitor WHERE id = ANY($1::bigint[]) ORDER BY id", ids)
    return [Visitor(**row) for row in rows]


async def find_by_key(conn: Connection, external_id: str) -> Visitor | None:
    """The one that a page knows by this."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM visitor WHERE external_id = $1", external_id)
    return Visitor(**row) if row else None


async def list_all(conn: Connection, after: int | None, limit: int) -> list[Visitor]:
    """In the order of ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM visitor WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [Visitor(**row) for row in rows]


async def list_unidentified(conn: Connection, after: int | None, limit: int) -> list[Visitor]:
    """The same, of those of whom nobody knows who they are."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM visitor WHERE profile_id IS NULL AND id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2",
        after, limit,
    )  # fmt: skip
    return [Visitor(**row) for row in rows]


async def list_of(conn: Connection, profile_ids: Sequence[int], limit: int) -> list[tuple[int, Visitor]]:
    """Of each profile and those merged into it the newest, up to `limit`; beside the profile that was asked for."""
    rows = await newest_of(conn, "visitor", COLUMNS, profile_ids, limit)
    return [(person, Visitor(**row)) for person, row in rows]
