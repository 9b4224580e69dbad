"""SQL on the data model: its draft, what was published, and the tables themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from core.datamodel.physical import BUILT_IN, PREFIX, Lying, Place, Tables
from core.datamodel.records import Draft, Model, OnDelete, Published
from core.datamodel.wanted import INDEX_PREFIX
from core.db import Connection

PUBLICATION_LOCK = 0x636C_6172_0200  # advisory

# By which the newest published model is known: no other has the same, in any database. A version that was rolled back and
# published again has another.
STAMP = """(
    SELECT concat_ws('/', current_database(), version, xmin) FROM data_model_version ORDER BY version DESC LIMIT 1
)"""

_ACTS = {"a": OnDelete.REFUSE, "r": OnDelete.REFUSE, "c": OnDelete.DELETE, "n": OnDelete.CLEAR, "d": OnDelete.CLEAR}
_PUBLISHED = "version, definition, statements, published_by, published_at"


def _model(definition: Any) -> Model:
    return msgspec.convert(definition, Model)


def _published(row: Any) -> Published:
    return Published(
        version=row["version"], model=_model(row["definition"]), statements=tuple(row["statements"]),
        published_by=row["published_by"], published_at=row["published_at"],
    )  # fmt: skip


async def find_draft(conn: Connection) -> Draft:
    """The draft."""
    return _draft(await conn.fetchrow("SELECT definition, version, changed_by, changed_at FROM data_model_draft"))


async def lock_draft(conn: Connection) -> Draft:
    """The draft; who changes the model waits for those before."""
    row = await conn.fetchrow("SELECT definition, version, changed_by, changed_at FROM data_model_draft FOR UPDATE")
    return _draft(row)


def _draft(row: Any) -> Draft:
    return Draft(
        model=_model(row["definition"]), version=row["version"], changed_by=row["changed_by"], changed_at=row["changed_at"]
    )


async def update_draft(conn: Connection, model: Model, changed_by: str | None, now: datetime | None) -> Draft:
    """Another draft, at the next version; by nobody: it is as published."""
    row = await conn.fetchrow(
        """
        UPDATE data_model_draft SET definition = $1, version = version + 1, changed_by = $2, changed_at = $3
        RETURNING definition, version, changed_by, changed_at
        """,
        model, changed_by, now,
    )  # fmt: skip
    return _draft(row)


async def find_published(conn: Connection) -> Published:
    """The newest published model."""
    return _published(
        await conn.fetchrow(f"SELECT {_PUBLISHED} FROM data_model_version ORDER BY version DESC LIMIT 1")  # never empty
    )


async def hold_published(conn: Connection, *, alone: bool = False) -> None:
    """Until the end of the transaction nobody publishes; `alone`: nobody relies on what is published either."""
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    await conn.execute(f"SELECT {lock}($1)", PUBLICATION_LOCK)


async def find_stamp(conn: Connection) -> str:
    """By which the newest published model is known."""
    stamp: str = await conn.fetchval(f"SELECT {STAMP}")
    return stamp


async def find_stamped(conn: Connection) -> tuple[str, Model]:
    """The newest published model after its stamp."""
    row = await conn.fetchrow(f"SELECT {STAMP} AS stamp, definition FROM data_model_version ORDER BY version DESC LIMIT 1")
    return row["stamp"], _model(row["definition"])


async def find_version(conn: Connection, version: int) -> Published | None:
    """What was published as this version."""
    row = await conn.fetchrow(f"SELECT {_PUBLISHED} FROM data_model_version WHERE version = $1", version)
    return _published(row) if row else None


async def list_published(conn: Connection, before: int | None, limit: int) -> list[Published]:
    """The newest first, before a version."""
    rows = await conn.fetch(
        f"""
        SELECT {_PUBLISHED} FROM data_model_version WHERE $1::int IS NULL OR version < $1 ORDER BY version DESC LIMIT $2
        """,
        before, limit,
    )  # fmt: skip
    return [_published(row) for row in rows]


async def insert_published(
    conn: Connection, version: int, model: Model, statements: Sequence[str], published_by: str, now: datetime
) -> Published:
    """Another published model."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO data_model_version (version, definition, statements, published_by, published_at)
        VALUES ($1, $2, $3, $4, $5) RETURNING {_PUBLISHED}
        """,
        version, model, statements, published_by, now,
    )  # fmt: skip
    return _published(row)


async def read_tables(conn: Connection) -> Tables:
    """The tables that take a team's fields, those of teams, and all their columns."""
    rows = await conn.fetch(
        r"""
        SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS type
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
           AND (c.relname = ANY($1::text[]) OR starts_with(c.relname, $2))
         ORDER BY c.relname, a.attnum
        """,
        list(BUILT_IN), PREFIX,
    )  # fmt: skip
    columns: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        columns[row["table"]][row["column"]] = row["type"]
    return Tables(columns=columns, references=await _read_references(conn), computed=await _read_computed(conn))


async def _read_references(conn: Connection) -> dict[Place, Lying]:
    """The foreign keys of links: those that are named after their column."""
    rows = await conn.fetch(
        """
        SELECT c.relname AS "table", a.attname AS "column", t.relname AS target, f.confdeltype::text AS act,
               f.convalidated AS valid
          FROM pg_constraint f
          JOIN pg_class c ON c.oid = f.conrelid
          JOIN pg_class t ON t.oid = f.confrelid
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
         WHERE f.contype = 'f' AND array_length(f.conkey, 1) = 1 AND f.conname = a.attname || '_fkey'
           AND c.relnamespace = current_schema()::regnamespace AND (c.relname = ANY($1::text[]) OR starts_with(c.relname, $2))
        """,
        list(BUILT_IN), PREFIX,
    )  # fmt: skip
    return {
        (row["table"], row["column"]): Lying(target=row["target"], on_delete=_ACTS[row["act"]], valid=row["valid"])
        for row in rows
    }


async def _read_computed(conn: Connection) -> dict[Place, list[str]]:
    """The indexes that were built for a model and compute something of a column, by its place."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT c.relname AS "table", a.attname AS "column", x.relname AS index
          FROM pg_index i
          JOIN pg_class c ON c.oid = i.indrelid
          JOIN pg_class x ON x.oid = i.indexrelid
          JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
          JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attnum > 0
         WHERE (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
           AND c.relnamespace = current_schema()::regnamespace AND starts_with(x.relname, $1)
         ORDER BY index
        """,
        INDEX_PREFIX,
    )
    found: dict[Place, list[str]] = defaultdict(list)
    for row in rows:
        found[row["table"], row["column"]].append(row["index"])
    return found


async def set_lock_timeout(conn: Connection, milliseconds: int) -> None:
    """How long statements of this transaction wait for a table; 0: for ever. Then asyncpg.LockNotAvailableError is raised."""
    await conn.execute("SELECT set_config('lock_timeout', $1, true)", f"{milliseconds}ms")


async def lock_table(conn: Connection, table: str, *, read: bool) -> None:
    """Until the transaction ends nobody else writes a table, or reads it unless `read` says that they may."""
    await conn.execute(f"LOCK TABLE {table} IN {'SHARE ROW' if read else 'ACCESS'} EXCLUSIVE MODE")


async def run(conn: Connection, statement: str) -> None:
    """A statement of a publication."""
    await conn.execute(statement)


async def count_values(conn: Connection, table: str, column: str | None) -> int:
    """How many rows of a table have something in a column, or there are."""
    return int(await conn.fetchval(f"SELECT count({column or '*'}) FROM {table}"))
