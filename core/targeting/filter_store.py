"""SQL on saved filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from core.db import Connection
from core.targeting.catalogue import Kind
from core.targeting.json_form import to_json
from core.targeting.json_parse import read_stored
from core.targeting.language import Literal, Relative
from core.targeting.records import Filter, FilterDraft, Parameter
from core.targeting.stored_trees import calls_filter, names_audience

_COLUMNS = "id, name, label, entity, parameters, expression, expression_text, version, created_at, updated_at, created_by"

_NAMING = names_audience("expression", "ARRAY[$1::text]")


def _filter(row: Any) -> Filter:
    return Filter(**{**row, "parameters": tuple(map(_parameter, row["parameters"]))})


def _parameter(told: Mapping[str, Any]) -> Parameter:
    default = told["default"]
    read = None if default is None else read_stored(default["value"]).root
    assert read is None or isinstance(read, Literal | Relative), "so it was saved"
    return Parameter(name=told["name"], label=told["label"], kind=Kind(told["kind"]), default=read)


def _told(one: Parameter) -> Any:
    default = None if one.default is None else {"value": to_json(one.default)}
    return {"name": one.name, "label": one.label, "kind": one.kind.value, "default": default}


async def insert_filter(conn: Connection, draft: FilterDraft, created_by: str) -> Filter | None:
    """Add a filter; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO question_filter (name, label, entity, parameters, expression, expression_text, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING RETURNING {_COLUMNS}
        """,
        draft.name, draft.label, draft.entity, list(map(_told, draft.parameters)), to_json(draft.expression),
        draft.expression.text, created_by,
    )  # fmt: skip
    return _filter(row) if row else None


async def update_filter(conn: Connection, filter_id: int, draft: FilterDraft) -> Filter:
    """Write a new version of a locked filter. Raises asyncpg's UniqueViolationError for a taken name."""
    row = await conn.fetchrow(
        f"""
        UPDATE question_filter
           SET name = $2, label = $3, entity = $4, parameters = $5, expression = $6, expression_text = $7,
               version = version + 1, updated_at = clock_timestamp()
         WHERE id = $1 RETURNING {_COLUMNS}
        """,
        filter_id, draft.name, draft.label, draft.entity, list(map(_told, draft.parameters)), to_json(draft.expression),
        draft.expression.text,
    )  # fmt: skip
    return _filter(row)


async def set_reads(conn: Connection, filter_id: int, reads: Sequence[str]) -> None:
    """What its question reads by now."""
    await conn.execute("UPDATE question_filter SET reads = $2 WHERE id = $1", filter_id, list(reads))


async def delete_filter(conn: Connection, filter_id: int) -> None:
    """Remove it."""
    await conn.execute("DELETE FROM question_filter WHERE id = $1", filter_id)


async def lock_filter(conn: Connection, filter_id: int) -> Filter | None:
    """The filter, held against other changes until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM question_filter WHERE id = $1 FOR UPDATE", filter_id)
    return _filter(row) if row else None


async def find_filters(conn: Connection, ids: Sequence[int]) -> list[Filter]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM question_filter WHERE id = ANY ($1) ORDER BY id", list(ids))
    return [_filter(row) for row in rows]


async def find_by_names(conn: Connection, names: Sequence[str]) -> list[Filter]:
    """Those that have these names."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM question_filter WHERE name = ANY ($1)", list(names))
    return [_filter(row) for row in rows]


async def list_filters(conn: Connection, *, after: int | None, limit: int) -> list[Filter]:
    """Filters after an id, oldest first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM question_filter WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [_filter(row) for row in rows]


async def count_filters(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM question_filter")
    return found


async def filters_calling(conn: Connection, names: Sequence[str]) -> list[str]:
    """The filters whose question calls one of these."""
    rows = await conn.fetch(
        f"SELECT name FROM question_filter WHERE {calls_filter('expression', '$1::text[]')} ORDER BY id", list(names)
    )
    return [row["name"] for row in rows]


async def audiences_calling(conn: Connection, names: Sequence[str]) -> dict[int, str]:
    """The names of audiences whose question calls one of these filters, or of which a version does that others are made of."""
    rows = await conn.fetch(
        f"""
        SELECT a.id, a.name FROM audience a
         WHERE {calls_filter("a.expression", "$1::text[]")}
            OR EXISTS (SELECT FROM audience_version v
                        WHERE v.audience_id = a.id AND {calls_filter("v.expression", "$1::text[]")}
                          AND EXISTS (SELECT FROM audience_use u WHERE u.used_id = a.id))
         ORDER BY a.id
        """,
        list(names),
    )
    return {row["id"]: row["name"] for row in rows}


async def filters_naming(conn: Connection, audience: str) -> list[str]:
    """The filters whose question names an audience, or reads a column of its members."""
    rows = await conn.fetch(f"SELECT name FROM question_filter WHERE {_NAMING} ORDER BY id LIMIT 6", audience)
    return [row["name"] for row in rows]


async def find_naming(conn: Connection, audience: str, limit: int) -> list[Filter]:
    """The same with all that there is of them, oldest first."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM question_filter WHERE {_NAMING} ORDER BY id LIMIT $2", audience, limit)
    return [_filter(row) for row in rows]


async def renew_audiences(
    conn: Connection, ids: Sequence[int], reads: Sequence[Sequence[str]], uses: Sequence[tuple[int, int]]
) -> None:
    """What these audiences are made of has changed: another version of each, with what it reads and names by now."""
    await conn.execute(
        """
        WITH changed AS (
            UPDATE audience a
               SET version = version + 1, updated_at = clock_timestamp(),
                   reads = ARRAY(SELECT jsonb_array_elements_text(r.reads::jsonb))
              FROM unnest($1::bigint[], $2::text[]) AS r (id, reads) WHERE a.id = r.id
            RETURNING a.id, a.version, a.expression, a.expression_text
        ), kept AS (
            INSERT INTO audience_version (audience_id, version, expression, expression_text) SELECT * FROM changed
        ), wanted AS (
            SELECT * FROM unnest($3::bigint[], $4::bigint[]) AS w (audience_id, used_id)
        ), unused AS (
            DELETE FROM audience_use u WHERE u.audience_id = ANY ($1)
               AND NOT EXISTS (SELECT FROM wanted w WHERE w.audience_id = u.audience_id AND w.used_id = u.used_id)
        )
        INSERT INTO audience_use (audience_id, used_id) SELECT * FROM wanted ON CONFLICT DO NOTHING
        """,
        list(ids), [msgspec.json.encode(one).decode() for one in reads], [one for one, _ in uses], [other for _, other in uses],
    )  # fmt: skip
