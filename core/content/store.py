"""SQL on content."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from core.content.records import AUTHORED, Content, ContentDraft
from core.db import Connection

COLUMNS = """
id, name, label, channel, parts, data, inline_css, language, translations, dynamic, links, campaign_parameters,
attachments, version, created_at, updated_at, created_by
"""


def _content(row: Any) -> Content:
    return msgspec.convert(dict(row), Content)


def _authored(draft: ContentDraft) -> list[Any]:
    """What an author writes, in the order of COLUMNS."""
    plain = msgspec.to_builtins(draft)
    return [plain[name] for name in AUTHORED]


async def insert_content(conn: Connection, draft: ContentDraft, reads: Sequence[str], created_by: str) -> Content | None:
    """The new content; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO content
               (name, label, channel, parts, data, inline_css, language, translations, dynamic, links, campaign_parameters,
                attachments, reads, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        *_authored(draft), list(reads), created_by,
    )  # fmt: skip
    return _content(row) if row else None


async def update_content(conn: Connection, content_id: int, draft: ContentDraft, reads: Sequence[str]) -> Content:
    """The content with its next version. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE content
           SET name = $2, label = $3, channel = $4, parts = $5, data = $6, inline_css = $7, language = $8,
               translations = $9, dynamic = $10, links = $11, campaign_parameters = $12, attachments = $13,
               reads = $14, version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        content_id, *_authored(draft), list(reads),
    )  # fmt: skip
    return _content(row)


async def delete_content(conn: Connection, content_id: int) -> None:
    """Delete content. Raises ForeignKeyViolationError."""
    await conn.execute("DELETE FROM content WHERE id = $1", content_id)


async def find_content(conn: Connection, content_id: int) -> Content | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM content WHERE id = $1", content_id)
    return _content(row) if row else None


async def find_contents(conn: Connection, ids: Sequence[int]) -> list[Content]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM content WHERE id = ANY($1::bigint[])", list(ids))
    return [_content(row) for row in rows]


async def find_content_by_name(conn: Connection, name: str) -> Content | None:
    """By name."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM content WHERE name = $1", name)
    return _content(row) if row else None


async def lock_content(conn: Connection, content_id: int) -> Content | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM content WHERE id = $1 FOR NO KEY UPDATE", content_id)
    return _content(row) if row else None


async def list_contents(conn: Connection, after: int | None, limit: int) -> list[Content]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM content WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [_content(row) for row in rows]


async def count_contents(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM content")
    return found


async def list_readers(conn: Connection, reads: Sequence[str], limit: int) -> list[tuple[str, str, list[str]]]:
    """The contents and fragments that read any of these: kind, name, and what they read of it; oldest first."""
    rows = await conn.fetch(
        """
        SELECT kind, name, ARRAY(SELECT r FROM unnest(reads) AS r WHERE r = ANY ($1) ORDER BY r) AS found
          FROM (SELECT 'content' AS kind, id, name, reads FROM content WHERE reads && $1::text[]
                UNION ALL
                SELECT 'fragment', id, name, reads FROM fragment WHERE reads && $1::text[]) AS readers
         ORDER BY kind, id LIMIT $2
        """,
        list(reads), limit,
    )  # fmt: skip
    return [(row["kind"], row["name"], row["found"]) for row in rows]


async def list_ids_reading(conn: Connection, read: str) -> list[int]:
    """The contents that read something, oldest first, held against change until the transaction ends."""
    rows = await conn.fetch("SELECT id FROM content WHERE reads @> ARRAY[$1] ORDER BY id FOR NO KEY UPDATE", read)
    return [row["id"] for row in rows]


async def list_readers_ids(conn: Connection, read: str) -> list[int]:
    """The contents that read something, oldest first; they may change."""
    rows = await conn.fetch("SELECT id FROM content WHERE reads @> ARRAY[$1] ORDER BY id", read)
    return [row["id"] for row in rows]


async def list_read(conn: Connection, reads: Sequence[str]) -> list[str]:
    """Those of the things that a content reads."""
    rows = await conn.fetch(
        "SELECT r FROM unnest($1::text[]) AS r WHERE EXISTS (SELECT FROM content WHERE reads @> ARRAY[r])", list(reads)
    )
    return [row["r"] for row in rows]


async def add_reads(conn: Connection, ids: Sequence[int], reads: Sequence[Sequence[str]]) -> None:
    """What these contents call has changed: another version of each, which reads that as well."""
    await conn.execute(
        """
        UPDATE content c
           SET version = version + 1, updated_at = now(),
               reads = ARRAY(SELECT DISTINCT r FROM (
                   SELECT unnest(c.reads) UNION SELECT jsonb_array_elements_text(n.reads::jsonb)) AS a (r) ORDER BY r)
          FROM unnest($1::bigint[], $2::text[]) AS n (id, reads) WHERE c.id = n.id
        """,
        list(ids), [msgspec.json.encode(one).decode() for one in reads],
    )  # fmt: skip


async def list_reads(conn: Connection, content_ids: Collection[int], beginning: str) -> dict[int, list[str]]:
    """What begins so of all that contents read, by themselves and through fragments; who reads none of it is left out."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE used AS (
            SELECT content_id, fragment_id FROM content_fragment WHERE content_id = ANY ($1)
            UNION SELECT u.content_id, f.fragment_id FROM used u JOIN fragment_fragment f ON f.user_id = u.fragment_id
        ), readers AS (
            SELECT id, reads FROM content WHERE id = ANY ($1)
            UNION ALL SELECT u.content_id, f.reads FROM used u JOIN fragment f ON f.id = u.fragment_id
        )
        SELECT id, array_agg(DISTINCT r ORDER BY r) AS found
          FROM readers, unnest(reads) AS r WHERE starts_with(r, $2) GROUP BY id
        """,
        list(content_ids), beginning,
    )  # fmt: skip
    return {row["id"]: row["found"] for row in rows}


async def list_readers_of(conn: Connection, beginning: str) -> list[tuple[str, str, list[str]]]:
    """The contents that read something that begins so, with what it is, oldest first."""
    rows = await conn.fetch(
        """
        SELECT name, found FROM content,
               LATERAL (SELECT ARRAY(SELECT r FROM unnest(reads) AS r WHERE starts_with(r, $1)) AS found) f
         WHERE found <> '{}' ORDER BY id
        """,
        beginning,
    )
    return [("content", row["name"], row["found"]) for row in rows]
