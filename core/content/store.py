"""SQL on content."""

from __future__ import annotations

from collections.abc import Sequence
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


async def insert_content(conn: Connection, draft: ContentDraft, created_by: str) -> Content | None:
    """The new content; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO content
               (name, label, channel, parts, data, inline_css, language, translations, dynamic, links, campaign_parameters,
                attachments, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        *_authored(draft), created_by,
    )  # fmt: skip
    return _content(row) if row else None


async def update_content(conn: Connection, content_id: int, draft: ContentDraft) -> Content:
    """The content with its next version. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE content
           SET name = $2, label = $3, channel = $4, parts = $5, data = $6, inline_css = $7, language = $8,
               translations = $9, dynamic = $10, links = $11, campaign_parameters = $12, attachments = $13,
               version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        content_id, *_authored(draft),
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
