"""SQL on fragments and on what uses them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from core.content.records import Fragment, FragmentDraft
from core.db import Connection

_COLUMNS = "id, name, label, html, text, parameters, version, created_at, updated_at, created_by"


def _fragment(row: Any) -> Fragment:
    return msgspec.convert(dict(row), Fragment)


def _authored(draft: FragmentDraft) -> list[Any]:
    return [draft.name, draft.label, draft.html, draft.text, msgspec.to_builtins(draft.parameters)]


async def insert_fragment(conn: Connection, draft: FragmentDraft, reads: Sequence[str], created_by: str) -> Fragment | None:
    """The new fragment; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO fragment (name, label, html, text, parameters, reads, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (name) DO NOTHING
        RETURNING {_COLUMNS}
        """,
        *_authored(draft), list(reads), created_by,
    )  # fmt: skip
    return _fragment(row) if row else None


async def update_fragment(conn: Connection, fragment_id: int, draft: FragmentDraft, reads: Sequence[str]) -> Fragment:
    """The fragment with its next version. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE fragment
           SET name = $2, label = $3, html = $4, text = $5, parameters = $6, reads = $7,
               version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING {_COLUMNS}
        """,
        fragment_id, *_authored(draft), list(reads),
    )  # fmt: skip
    return _fragment(row)


async def delete_fragment(conn: Connection, fragment_id: int) -> None:
    """Delete a fragment. Raises ForeignKeyViolationError."""
    await conn.execute("DELETE FROM fragment WHERE id = $1", fragment_id)


async def find_fragment(conn: Connection, fragment_id: int) -> Fragment | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM fragment WHERE id = $1", fragment_id)
    return _fragment(row) if row else None


async def find_fragments(conn: Connection, ids: Sequence[int]) -> list[Fragment]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM fragment WHERE id = ANY($1::bigint[])", list(ids))
    return [_fragment(row) for row in rows]


async def find_fragments_named(conn: Connection, names: Collection[str]) -> list[Fragment]:
    """Those of the names that exist."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM fragment WHERE name = ANY($1::text[])", list(names))
    return [_fragment(row) for row in rows]


async def hold_fragments_named(conn: Connection, names: Collection[str]) -> list[Fragment]:
    """Those of the names that exist, held against change until the end of the transaction."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM fragment WHERE name = ANY($1::text[]) ORDER BY id FOR SHARE", list(names))
    return [_fragment(row) for row in rows]


async def lock_fragment(conn: Connection, fragment_id: int) -> Fragment | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM fragment WHERE id = $1 FOR NO KEY UPDATE", fragment_id)
    return _fragment(row) if row else None


async def list_fragments(conn: Connection, after: int | None, limit: int) -> list[Fragment]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM fragment WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [_fragment(row) for row in rows]


async def list_names(conn: Connection, limit: int) -> list[str]:
    """The names of fragments, in the order of the alphabet."""
    rows = await conn.fetch("SELECT name FROM fragment ORDER BY name LIMIT $1", limit)
    return [row["name"] for row in rows]


async def count_fragments(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM fragment")
    return found


# ---- uses


async def set_fragments_of_content(conn: Connection, content_id: int, fragment_ids: Collection[int]) -> None:
    """Note which fragments a content uses by itself."""
    await conn.execute(
        """
        WITH gone AS (
            DELETE FROM content_fragment WHERE content_id = $1 AND fragment_id <> ALL($2::bigint[])
        )
        INSERT INTO content_fragment (content_id, fragment_id)
        SELECT $1, unnest($2::bigint[])
        ON CONFLICT DO NOTHING
        """,
        content_id, list(fragment_ids),
    )  # fmt: skip


async def set_fragments_of_fragment(conn: Connection, user_id: int, fragment_ids: Collection[int]) -> None:
    """Note which fragments a fragment uses by itself."""
    await conn.execute(
        """
        WITH gone AS (
            DELETE FROM fragment_fragment WHERE user_id = $1 AND fragment_id <> ALL($2::bigint[])
        )
        INSERT INTO fragment_fragment (user_id, fragment_id)
        SELECT $1, unnest($2::bigint[])
        ON CONFLICT DO NOTHING
        """,
        user_id, list(fragment_ids),
    )  # fmt: skip


async def list_users(conn: Connection, fragment_id: int, limit: int) -> list[tuple[str, str]]:
    """What uses a fragment by itself: kind and name."""
    rows = await conn.fetch(
        """
        SELECT 'content' AS kind, c.name FROM content_fragment u JOIN content c ON c.id = u.content_id
         WHERE u.fragment_id = $1
        UNION ALL
        SELECT 'fragment', f.name FROM fragment_fragment u JOIN fragment f ON f.id = u.user_id
         WHERE u.fragment_id = $1
         ORDER BY 1, 2
         LIMIT $2
        """,
        fragment_id, limit,
    )  # fmt: skip
    return [(row["kind"], row["name"]) for row in rows]


async def list_contents_using(conn: Connection, fragment_id: int, limit: int) -> list[int]:
    """The contents that use a fragment, also through others, those changed last first."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE around (id) AS (
            SELECT $1::bigint
            UNION
            SELECT u.user_id FROM fragment_fragment u JOIN around a ON a.id = u.fragment_id
        )
        SELECT c.id FROM content c
         WHERE c.id IN (SELECT u.content_id FROM content_fragment u JOIN around a ON a.id = u.fragment_id)
         ORDER BY c.updated_at DESC, c.id
         LIMIT $2
        """,
        fragment_id, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]
