"""SQL on what holds the tables of teams together, as it lies in the database."""

from __future__ import annotations

from dataclasses import dataclass

from core.datamodel.physical import BUILT_IN, MIRRORS, PREFIX
from core.db import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LyingColumn:
    """A column. `is_filled`: by a default, or numbered."""

    table: str
    column: str
    type: str
    is_filled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LyingKey:
    """An index that is whole, of columns and of all rows, or a primary key."""

    table: str
    columns: tuple[str, ...]
    is_primary: bool


async def list_columns(conn: Connection) -> list[LyingColumn]:
    """Of the tables that take a team's fields, of their mirrors, and of those of teams."""
    rows = await conn.fetch(
        """
        SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS type,
               a.atthasdef OR a.attidentity <> '' AS is_filled
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
           AND (c.relname = ANY($1::text[]) OR starts_with(c.relname, $2))
        """,
        [*BUILT_IN, *MIRRORS.values()], PREFIX,
    )  # fmt: skip
    return [LyingColumn(**row) for row in rows]


async def list_keys(conn: Connection) -> list[LyingKey]:
    """Of the tables that take a team's fields, and of those of teams."""
    rows = await conn.fetch(
        """
        SELECT c.relname AS "table", i.indisprimary AS is_primary,
               array(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
                       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) AS columns
          FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         WHERE c.relnamespace = current_schema()::regnamespace AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
           AND (c.relname = ANY($1::text[]) OR starts_with(c.relname, $2))
        """,
        list(BUILT_IN), PREFIX,
    )  # fmt: skip
    return [LyingKey(table=row["table"], columns=tuple(row["columns"]), is_primary=row["is_primary"]) for row in rows]
