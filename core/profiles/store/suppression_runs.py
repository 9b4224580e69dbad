"""SQL on files of suppression entries: runs in and out, and the rows that are refused until a file holds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.run_records import RunError, RunState
from core.profiles.store.imports import storable
from core.profiles.store.runs import RunTable
from core.profiles.suppression_records import SuppressionAction, SuppressionExport, SuppressionImport, SuppressionOptions

IMPORT_COLUMNS = (
    "id, list_id, state, file_id, rejects_file_id, action, options, bytes_total, bytes_read, lines_read, added, changed,"
    " unchanged, removed, rejected, repeated, error, fence, created_by, created_at, started_at, heartbeat_at, finished_at"
)
EXPORT_COLUMNS = (
    "id, list_id, state, file_id, rows_written, error, fence, created_by, created_at, started_at, heartbeat_at, finished_at"
)
REJECT_COLUMNS = ("import_id", "line", "column_name", "code", "message", "row_text")

Reject = tuple[int, str, str, str, str]
"""Line, column, code, reason, and the row as it stood in the file."""


def _import(row: Any) -> SuppressionImport:
    values = dict(row)
    values["action"] = SuppressionAction(values["action"])
    values["options"] = SuppressionOptions.from_json(values["options"])
    return SuppressionImport(**_common(values))


def _export(row: Any) -> SuppressionExport:
    return SuppressionExport(**_common(dict(row)))


def _common(values: dict[str, Any]) -> dict[str, Any]:
    error = RunError(**values["error"]) if values["error"] else None
    return {**values, "state": RunState(values["state"]), "error": error}


async def insert_import(
    conn: Connection,
    list_id: int,
    file_id: int,
    action: SuppressionAction,
    options: SuppressionOptions,
    created_by: str,
    now: datetime,
) -> SuppressionImport:
    """A new import that waits for its file."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO suppression_import (list_id, state, file_id, action, options, created_by, created_at)
        VALUES ($1, 'waiting', $2, $3, $4, $5, $6) RETURNING {IMPORT_COLUMNS}
        """,
        list_id, file_id, action.value, asdict(options), created_by, now,
    )  # fmt: skip
    return _import(row)


async def insert_export(conn: Connection, list_id: int, file_id: int, created_by: str, now: datetime) -> SuppressionExport:
    """A new export, ready to run."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO suppression_export (list_id, state, file_id, created_by, created_at, heartbeat_at)
        VALUES ($1, 'ready', $2, $3, $4, $4) RETURNING {EXPORT_COLUMNS}
        """,
        list_id, file_id, created_by, now,
    )  # fmt: skip
    return _export(row)


async def get_imports(conn: Connection, ids: Sequence[int]) -> list[SuppressionImport]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {IMPORT_COLUMNS} FROM suppression_import WHERE id = ANY($1::bigint[])", ids)
    return [_import(row) for row in rows]


async def get_exports(conn: Connection, ids: Sequence[int]) -> list[SuppressionExport]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {EXPORT_COLUMNS} FROM suppression_export WHERE id = ANY($1::bigint[])", ids)
    return [_export(row) for row in rows]


async def lock_import(conn: Connection, import_id: int) -> SuppressionImport | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {IMPORT_COLUMNS} FROM suppression_import WHERE id = $1 FOR NO KEY UPDATE", import_id)
    return _import(row) if row else None


async def lock_export(conn: Connection, export_id: int) -> SuppressionExport | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {EXPORT_COLUMNS} FROM suppression_export WHERE id = $1 FOR NO KEY UPDATE", export_id)
    return _export(row) if row else None


async def list_imports(conn: Connection, list_id: int | None, after: int | None, limit: int) -> list[SuppressionImport]:
    """In the order of their ids, after one; into one list or into all."""
    rows = await conn.fetch(
        f"""
        SELECT {IMPORT_COLUMNS} FROM suppression_import
         WHERE ($1::bigint IS NULL OR list_id = $1) AND id > coalesce($2::bigint, 0) ORDER BY id LIMIT $3
        """,
        list_id, after, limit,
    )  # fmt: skip
    return [_import(row) for row in rows]


async def list_exports(conn: Connection, list_id: int | None, after: int | None, limit: int) -> list[SuppressionExport]:
    """In the order of their ids, after one; of one list or of all."""
    rows = await conn.fetch(
        f"""
        SELECT {EXPORT_COLUMNS} FROM suppression_export
         WHERE ($1::bigint IS NULL OR list_id = $1) AND id > coalesce($2::bigint, 0) ORDER BY id LIMIT $3
        """,
        list_id, after, limit,
    )  # fmt: skip
    return [_export(row) for row in rows]


async def count_runs(conn: Connection, table: RunTable, list_id: int | None) -> int:
    """How many imports or exports there are, of one list or of all."""
    found: int = await conn.fetchval(
        f"SELECT count(*) FROM {table.value} WHERE $1::bigint IS NULL OR list_id = $1", list_id
    )  # fmt: skip
    return found


async def make_ready(conn: Connection, import_id: int, bytes_total: int, now: datetime) -> SuppressionImport:
    """The file is there."""
    row = await conn.fetchrow(
        f"""
        UPDATE suppression_import SET state = 'ready', bytes_total = $2, heartbeat_at = $3 WHERE id = $1
        RETURNING {IMPORT_COLUMNS}
        """,
        import_id, bytes_total, now,
    )  # fmt: skip
    return _import(row)


async def advance_import(
    conn: Connection,
    import_id: int,
    fence: int,
    now: datetime,
    *,
    bytes_read: int,
    lines_read: int,
    added: int,
    changed: int,
    unchanged: int,
    removed: int,
    rejected: int,
    repeated: int,
) -> bool:
    """Move an import behind a chunk; False when it is not this worker's any more."""
    return (
        await conn.fetchval(
            """
            UPDATE suppression_import
               SET bytes_read = $4, lines_read = $5, added = added + $6, changed = changed + $7, unchanged = unchanged + $8,
                   removed = removed + $9, rejected = rejected + $10, repeated = repeated + $11, heartbeat_at = $3
             WHERE id = $1 AND fence = $2 AND state = 'running'
            RETURNING true
            """,
            import_id, fence, now, bytes_read, lines_read, added, changed, unchanged, removed, rejected, repeated,
        )
        or False
    )  # fmt: skip


async def advance_export(conn: Connection, export_id: int, fence: int, now: datetime, rows: int) -> bool:
    """Say how many entries are written; False when it is not this worker's any more."""
    return (
        await conn.fetchval(
            """
            UPDATE suppression_export SET rows_written = $4, heartbeat_at = $3
             WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING true
            """,
            export_id, fence, now, rows,
        )
        or False
    )  # fmt: skip


async def end_run(
    conn: Connection, table: RunTable, run_id: int, state: RunState, now: datetime, error: RunError | None = None
) -> None:
    """Write the end of a locked run."""
    await conn.execute(
        f"UPDATE {table.value} SET state = $2, finished_at = $3, error = $4 WHERE id = $1",
        run_id, state.value, now, asdict(error) if error else None,
    )  # fmt: skip


async def add_rejects(conn: Connection, import_id: int, rejects: Sequence[Reject]) -> None:
    """Keep refused rows. What Postgres cannot keep of them is marked."""
    await conn.copy_records_to_table(
        "suppression_reject",
        records=[
            (import_id, line, storable(column[:200]), code, storable(message[:1000]), storable(text))
            for line, column, code, message, text in rejects
        ],
        columns=REJECT_COLUMNS,
    )


async def has_rejects(conn: Connection, import_id: int) -> bool:
    """Whether refused rows wait for their file."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM suppression_reject WHERE import_id = $1)", import_id)
    return found


async def stream_rejects(conn: Connection, import_id: int) -> AsyncIterator[Reject]:
    """In the order of the file; needs a transaction."""
    async for row in conn.cursor(
        "SELECT line, column_name, code, message, row_text FROM suppression_reject WHERE import_id = $1 ORDER BY line",
        import_id,
        prefetch=500,
    ):
        yield tuple(row)


async def move_rejects(conn: Connection, import_id: int, file_id: int) -> None:
    """A file has the refused rows now."""
    await conn.execute(
        """
        WITH gone AS (DELETE FROM suppression_reject WHERE import_id = $1)
        UPDATE suppression_import SET rejects_file_id = $2 WHERE id = $1
        """,
        import_id, file_id,
    )  # fmt: skip


async def list_unwritten_rejects(conn: Connection, ended_since: datetime) -> list[int]:
    """Imports that ended a while ago at most, while their refused rows were not in a file yet."""
    rows = await conn.fetch(
        """
        SELECT id FROM suppression_import r
         WHERE finished_at > $1 AND rejects_file_id IS NULL AND rejected > 0
           AND EXISTS (SELECT FROM suppression_reject j WHERE j.import_id = r.id)
         ORDER BY id
        """,
        ended_since,
    )
    return [row["id"] for row in rows]
