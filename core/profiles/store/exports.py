"""SQL on exports, and the statement that writes one.

Its text depends on the columns asked for. It is put together from the columns of fields only; what selects the
profiles comes with bound values and runs as a statement of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from asyncpg.cursor import Cursor

from core.db import Connection
from core.profiles.export_options import ExportFormat, ExportOptions
from core.profiles.fields import Field, FieldType
from core.profiles.run_records import ExportContent, ExportRun, RunError, RunState

COLUMNS = (
    "id, state, file_id, dimension, audience_id, expression, time_zone, columns, computed, options, rows_total, rows_written,"
    " error, fence, created_by, created_at, started_at, heartbeat_at, finished_at"
)
_SELECTION = "export_selection"

_UNGUARDED = frozenset({FieldType.NUMBER, FieldType.INTEGER, FieldType.DECIMAL, FieldType.UUID, FieldType.DATE, FieldType.DAY})


def _run(row: Any) -> ExportRun:
    values = dict(row)
    values["state"] = RunState(values["state"])
    values["columns"] = tuple(values["columns"])
    values["options"] = ExportOptions.from_json(values["options"])
    values["error"] = RunError(**values["error"]) if values["error"] else None
    return ExportRun(**values)


async def insert_run(
    conn: Connection,
    file_id: int,
    content: ExportContent,
    options: ExportOptions,
    created_by: str,
    now: datetime,
) -> ExportRun:
    """A new export, ready to run."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO export_run (state, file_id, dimension, columns, computed, audience_id, expression, time_zone, options,
                                created_by, created_at, heartbeat_at)
        VALUES ('ready', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING {COLUMNS}
        """,
        file_id, content.dimension, content.columns, content.computed, content.audience_id, content.expression,
        content.time_zone, asdict(options), created_by, now,
    )  # fmt: skip
    return _run(row)


async def find_run(conn: Connection, export_id: int) -> ExportRun | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM export_run WHERE id = $1", export_id)
    return _run(row) if row else None


async def get_runs(conn: Connection, ids: Sequence[int]) -> list[ExportRun]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM export_run WHERE id = ANY($1::bigint[])", ids)
    return [_run(row) for row in rows]


async def lock_run(conn: Connection, export_id: int) -> ExportRun | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM export_run WHERE id = $1 FOR NO KEY UPDATE", export_id)
    return _run(row) if row else None


async def list_runs(conn: Connection, after: int | None, limit: int) -> list[ExportRun]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM export_run WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [_run(row) for row in rows]


async def count_runs(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM export_run")
    return found


async def advance(conn: Connection, export_id: int, fence: int, now: datetime, rows_written: int, rows_total: int) -> bool:
    """Say how far it is; False when the export is not this worker's any more."""
    return (
        await conn.fetchval(
            """
            UPDATE export_run SET rows_written = $4, rows_total = $5, heartbeat_at = $3
             WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING true
            """,
            export_id, fence, now, rows_written, rows_total,
        )
        or False
    )  # fmt: skip


async def end_run(conn: Connection, export_id: int, state: RunState, now: datetime, error: RunError | None = None) -> ExportRun:
    """Write the end of a locked export."""
    row = await conn.fetchrow(
        f"UPDATE export_run SET state = $2, finished_at = $3, error = $4 WHERE id = $1 RETURNING {COLUMNS}",
        export_id, state.value, now, asdict(error) if error else None,
    )  # fmt: skip
    return _run(row)


async def count_all(conn: Connection) -> int:
    """How many profiles there are in this snapshot, without those that are merged."""
    found: int = await conn.fetchval(  # each from an index alone
        "SELECT (SELECT count(*) FROM profile) - (SELECT count(*) FROM profile WHERE merged_into IS NOT NULL)"
    )
    return found


class Chosen:
    """The numbers of rows that a statement found, in order, kept in the database until the commit."""

    def __init__(self, total: int, parts: Cursor):
        self.total = total
        self._parts = parts

    async def next(self) -> list[int]:
        """The next part of them; empty at the end."""
        row = await self._parts.fetchrow()
        return row["numbers"] if row else []


async def choose(conn: Connection, text: str, args: Sequence[Any], part: int) -> Chosen:
    """Remember what a statement selects (its column `id`, each once), so many in a part.

    Not a cursor of the statement itself: that could not be shared among processes of the server, and nobody would know how
    many there are.
    """
    done: str = await conn.execute(
        f"CREATE TEMPORARY TABLE {_SELECTION} ON COMMIT DROP AS SELECT id FROM ({text}) chosen", *args
    )
    parts = await conn.cursor(
        f"""
        SELECT array_agg(id ORDER BY id) AS numbers
          FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / $1 AS part FROM {_SELECTION}) AS numbered
         GROUP BY part ORDER BY part
        """,
        part,
    )
    return Chosen(int(done.rpartition(" ")[2]), parts)


async def share_snapshot(conn: Connection) -> str:
    """The name by which other transactions see what this one sees, until it ends."""
    name: str = await conn.fetchval("SELECT pg_export_snapshot()")
    return name


async def take_snapshot(conn: Connection, name: str) -> None:
    """See what another transaction sees; the first statement of this one."""
    await conn.execute(f"SET TRANSACTION SNAPSHOT '{name}'")


async def next_bound(conn: Connection, table: str, key: str, after: int, limit: int) -> int | None:
    """The last number of the next rows of a table, by a column that no two of them have the same in; None: no more.

    Rows that are not exported count, too: so an index alone answers.
    """
    found: int | None = await conn.fetchval(
        f"SELECT max(key) FROM (SELECT {key} AS key FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT $2) next",
        after, limit,
    )  # fmt: skip
    return found


async def fetch_range(
    conn: Connection, fields: Sequence[Field], options: ExportOptions, *, after: int, last: int, chosen: Sequence[int] | None
) -> tuple[Sequence[Any], int]:
    """The profiles of a range of ids as the format's writer takes them, in the order of ids; how many they are."""
    text = "SELECT p.*, p.id AS key FROM profile p WHERE p.id > $1 AND p.id <= $2 AND p.merged_into IS NULL"
    if chosen is None:
        return await fetch_rows(conn, fields, options, text, (after, last))
    return await fetch_rows(conn, fields, options, f"{text} AND p.id = ANY($3::bigint[])", (after, last, chosen))


async def write_days_alike(conn: Connection) -> None:
    """Until the end of the transaction days are written as everywhere, however the database is set up."""
    await conn.execute("SELECT set_config('datestyle', 'ISO', true)")


async def fetch_rows(
    conn: Connection, fields: Sequence[Field], options: ExportOptions, text: str, args: Sequence[Any]
) -> tuple[Sequence[Any], int]:
    """Rows of a SELECT that has the columns of the fields, and a number `key` by which they are ordered; how many they are."""
    if options.format is ExportFormat.CSV:
        return await _copy(conn, fields, options, text, args)
    if options.format is ExportFormat.FIXED_WIDTH:
        cells = ", ".join(f"({_cell(field, guarded=False)})::text" for field in fields)
        found = await conn.fetch(f"SELECT {cells} FROM ({text}) p ORDER BY p.key", *args)
        return found, len(found)
    # Names of columns that a team computes may be anything.
    names = ", ".join(f"{_value(field, options)} AS {_quoted(field.name)}" for field in fields)
    rows = f"SELECT {names} FROM ({text}) p ORDER BY p.key"
    if options.format is ExportFormat.JSON_LINES:
        found = await conn.fetch(f"SELECT row_to_json(r)::text FROM ({rows}) r", *args)
        return [b"".join(f"{row[0]}\n".encode() for row in found)], len(found)
    values = await conn.fetch(rows, *args)
    return values, len(values)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def _copy(
    conn: Connection, fields: Sequence[Field], options: ExportOptions, text: str, args: Sequence[Any]
) -> tuple[list[bytes], int]:
    cells = ", ".join(_cell(field, guarded=options.escape_formulas) for field in fields)
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(piece)  # nothing that could fail or wait: an interrupted COPY may never return

    done: str = await conn.copy_from_query(
        f"SELECT {cells} FROM ({text}) p ORDER BY p.key", *args,
        output=keep, format="csv", encoding="utf8", delimiter=options.delimiter, quote=options.quote,
        force_quote=options.quote_all or None,
    )  # fmt: skip
    return [b"".join(pieces)], int(done.rpartition(" ")[2])


def _value(field: Field, options: ExportOptions) -> str:
    """A column as its value: what a cell says in words is said in words."""
    if (options.format is ExportFormat.JSON_LINES and field.type is FieldType.INSTANT) or field.values is not None:
        return _cell(field, guarded=False)
    column = f"p.{field.column}"
    if field.type is FieldType.JSON and options.format is ExportFormat.JSON_LINES:  # a text or a null would be read otherwise
        return f"CASE WHEN jsonb_typeof({column}) IN ('string', 'null') THEN to_jsonb({column}::text) ELSE {column} END"
    return f"{column}::text" if field.type in (FieldType.JSON, FieldType.POINT) else column


def _cell(field: Field, *, guarded: bool) -> str:
    """A column as its cell. What a spreadsheet would compute gets a `'`, as in `core/profiles/formulas.py`."""
    column = f"p.{field.column}"
    if field.type in (FieldType.JSON, FieldType.POINT):
        column += "::text"
    if field.type is FieldType.BOOLEAN:
        return f"CASE WHEN {column} THEN 'true' WHEN NOT {column} THEN 'false' END"
    if field.values is not None:
        cases = " ".join(f"WHEN {int(one)} THEN '{one.name.lower()}'" for one in field.values)
        return f"CASE {column} {cases} END"
    if field.type is FieldType.INSTANT:
        return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    if field.type in _UNGUARDED or not guarded:
        return column
    # Most begin with a letter, and only what begins with a ' need be looked at further.
    return (
        f"CASE WHEN ascii({column}) > 64 THEN {column} WHEN ascii({column}) IN (61, 43, 45, 64, 9, 13)"  # = + - @ TAB CR
        f" OR ascii({column}) = 39 AND {column} ~ '^''*[=+@\\t\\r-]' THEN '''' || {column} ELSE {column} END"
    )
