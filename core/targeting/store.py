"""SQL on audiences, and the two questions asked of a population."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import Select, func

from core.db import Connection
from core.targeting.json_form import to_json
from core.targeting.records import Audience, AudienceDraft, AudienceKind
from core.targeting.sql import compile_statement

_COLUMNS = "id, name, label, kind, expression, expression_text, version, created_at, updated_at, created_by"


def _audience(row: asyncpg.Record) -> Audience:
    return Audience(**{**row, "kind": AudienceKind(row["kind"])})


async def insert_audience(conn: Connection, draft: AudienceDraft, created_by: str) -> Audience | None:
    """Add an audience; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO audience (name, label, kind, expression, expression_text, created_by)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (name) DO NOTHING
        RETURNING {_COLUMNS}
        """,
        draft.name, draft.label, AudienceKind.QUERY.value, to_json(draft.expression), draft.expression.text,
        created_by,
    )  # fmt: skip
    return _audience(row) if row else None


async def find_audience(conn: Connection, audience_id: int) -> Audience | None:
    """The audience, if it exists."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM audience WHERE id = $1", audience_id)
    return _audience(row) if row else None


async def find_audiences(conn: Connection, ids: Sequence[int]) -> list[Audience]:
    """Those of the audiences that exist, by id."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM audience WHERE id = ANY($1) ORDER BY id", ids)
    return [_audience(row) for row in rows]


async def find_audience_by_name(conn: Connection, name: str) -> Audience | None:
    """The audience of this name, if there is one."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM audience WHERE name = $1", name)
    return _audience(row) if row else None


async def lock_audience(conn: Connection, audience_id: int) -> Audience | None:
    """The audience, held against other changes until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM audience WHERE id = $1 FOR UPDATE", audience_id)
    return _audience(row) if row else None


async def list_audiences(conn: Connection, *, after: int | None, limit: int) -> list[Audience]:
    """Audiences after an id, oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM audience WHERE $1::bigint IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [_audience(row) for row in rows]


async def count_audiences(conn: Connection) -> int:
    """How many there are."""
    return int(await conn.fetchval("SELECT count(*) FROM audience"))


async def update_audience(conn: Connection, audience_id: int, draft: AudienceDraft) -> Audience:
    """Write a new version of a locked audience. Raises asyncpg's UniqueViolationError for a taken name."""
    row = await conn.fetchrow(
        f"""
        UPDATE audience
           SET name = $2, label = $3, expression = $4, expression_text = $5,
               version = version + 1, updated_at = clock_timestamp()
         WHERE id = $1
        RETURNING {_COLUMNS}
        """,
        audience_id, draft.name, draft.label, to_json(draft.expression), draft.expression.text,
    )  # fmt: skip
    assert row is not None, "the caller holds the row"
    return _audience(row)


async def delete_audience(conn: Connection, audience_id: int) -> None:
    """Remove it. Raises asyncpg's ForeignKeyViolationError when something refers to it."""
    await conn.execute("DELETE FROM audience WHERE id = $1", audience_id)


async def count_population(conn: Connection, population: Select[Any]) -> int:
    """How many rows a population has."""
    # The table stays also where the question names no column of it, as `true` does.
    counted = compile_statement(population.with_only_columns(func.count(), maintain_column_froms=True))
    return int(await conn.fetchval(counted.text, *counted.args))


async def sample_population(conn: Connection, population: Select[Any], size: int) -> list[int]:
    """The first keys of a population."""
    sampled = compile_statement(population.order_by(*population.selected_columns).limit(size))
    return [row[0] for row in await conn.fetch(sampled.text, *sampled.args)]


async def list_readers(conn: Connection, fields: Sequence[str], limit: int) -> list[tuple[str, list[str]]]:
    """The audiences whose question asks about any of these fields, with those they do, oldest first."""
    rows = await conn.fetch(
        """
        SELECT a.name, array_agg(f.field ORDER BY f.field) AS fields
          FROM audience a
          JOIN unnest($1::text[]) AS f (field)
            ON jsonb_path_exists(a.expression, '$.**.field ? (@ == $name)', jsonb_build_object('name', f.field))
         GROUP BY a.id ORDER BY a.id LIMIT $2
        """,
        list(fields), limit,
    )  # fmt: skip
    return [(row["name"], row["fields"]) for row in rows]
