"""SQL on templates of imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.import_template_records import ImportTemplate, ImportTemplateDraft, TemplateStatus
from core.profiles.run_records import ImportOptions

COLUMNS = "id, name, label, description, match_key, options, sample, status, version, created_by, created_at, updated_at"


def _template(row: Any) -> ImportTemplate:
    values = dict(row)
    values["options"] = ImportOptions.from_json(values["options"])
    values["status"] = TemplateStatus(values["status"])
    return ImportTemplate(**values)


async def insert_template(
    conn: Connection, draft: ImportTemplateDraft, created_by: str, now: datetime
) -> ImportTemplate | None:
    """Add a template; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO import_template (name, label, description, match_key, options, sample, status, created_by, created_at,
                                     updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        draft.name, draft.label, draft.description, str(draft.match_key), asdict(draft.options), draft.sample,
        draft.status.value, created_by, now,
    )  # fmt: skip
    return _template(row) if row else None


async def update_template(conn: Connection, template_id: int, draft: ImportTemplateDraft, now: datetime) -> ImportTemplate:
    """Write a locked template anew. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE import_template
           SET name = $2, label = $3, description = $4, match_key = $5, options = $6, sample = $7, status = $8,
               version = version + 1, updated_at = $9
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        template_id, draft.name, draft.label, draft.description, str(draft.match_key), asdict(draft.options),
        draft.sample, draft.status.value, now,
    )  # fmt: skip
    return _template(row)


async def lock_template(conn: Connection, template_id: int) -> ImportTemplate | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM import_template WHERE id = $1 FOR NO KEY UPDATE", template_id)
    return _template(row) if row else None


async def find_templates(conn: Connection, ids: Sequence[int]) -> list[ImportTemplate]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM import_template WHERE id = ANY($1::bigint[])", ids)
    return [_template(row) for row in rows]


async def list_templates(
    conn: Connection, status: TemplateStatus | None, after: int | None, limit: int | None
) -> list[ImportTemplate]:
    """Of a status, or all, in the order of their ids, after one; None is no limit."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM import_template
         WHERE ($1::text IS NULL OR status = $1) AND id > coalesce($2::bigint, 0)
         ORDER BY id LIMIT $3
        """,
        status, after, limit,
    )  # fmt: skip
    return [_template(row) for row in rows]


async def count_templates(conn: Connection, status: TemplateStatus | None) -> int:
    """How many there are of a status, or in all."""
    found: int = await conn.fetchval("SELECT count(*) FROM import_template WHERE $1::text IS NULL OR status = $1", status)
    return found
