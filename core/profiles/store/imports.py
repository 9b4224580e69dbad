"""SQL on imports, and on the rows they refuse until a file holds them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.import_rows import Reject
from core.profiles.run_records import ImportOptions, ImportRun, RunError, RunState

COLUMNS = (
    "id, state, file_id, rejects_file_id, template_id, match_key, options, bytes_total, bytes_read, position, lines_read,"
    " header, inserted, updated, unchanged, deleted, skipped, rejected, repeated, ambiguous, error, fence, created_by,"
    " created_at, started_at, heartbeat_at, finished_at"
)
_HALVES = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")  # the others stand for bytes
REJECT_COLUMNS = ("import_id", "line", "column_name", "code", "message", "row_text", "cells")


def _run(row: Any) -> ImportRun:
    values = dict(row)
    values["state"] = RunState(values["state"])
    values["options"] = ImportOptions.from_json(values["options"])
    values["header"] = None if values["header"] is None else tuple(values["header"])
    values["error"] = RunError(**values["error"]) if values["error"] else None
    return ImportRun(**values)


async def insert_run(
    conn: Connection,
    file_id: int,
    match_key: str,
    options: ImportOptions,
    template_id: int | None,
    created_by: str,
    now: datetime,
) -> ImportRun:
    """A new import that waits for its file."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO import_run (state, file_id, match_key, options, template_id, created_by, created_at)
        VALUES ('waiting', $1, $2, $3, $4, $5, $6) RETURNING {COLUMNS}
        """,
        file_id, str(match_key), asdict(options), template_id, created_by, now,
    )  # fmt: skip
    return _run(row)


async def find_run(conn: Connection, import_id: int) -> ImportRun | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM import_run WHERE id = $1", import_id)
    return _run(row) if row else None


async def get_runs(conn: Connection, ids: Sequence[int]) -> list[ImportRun]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM import_run WHERE id = ANY($1::bigint[])", ids)
    return [_run(row) for row in rows]


async def lock_run(conn: Connection, import_id: int) -> ImportRun | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM import_run WHERE id = $1 FOR NO KEY UPDATE", import_id)
    return _run(row) if row else None


async def list_runs(conn: Connection, template_id: int | None, after: int | None, limit: int) -> list[ImportRun]:
    """All or those made from a template, in the order of their ids, after one."""
    chosen = "true" if template_id is None else "template_id = $3"
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM import_run WHERE id > coalesce($1::bigint, 0) AND {chosen} ORDER BY id LIMIT $2",
        *(after, limit, template_id)[: 2 if template_id is None else 3],
    )
    return [_run(row) for row in rows]


async def count_runs(conn: Connection, template_id: int | None) -> int:
    """How many there are, or were made from a template."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM import_run WHERE $1::bigint IS NULL OR template_id = $1", template_id
    )
    return found


async def make_ready(conn: Connection, import_id: int, bytes_total: int, now: datetime) -> ImportRun:
    """The file is there."""
    row = await conn.fetchrow(
        f"""
        UPDATE import_run SET state = 'ready', bytes_total = $2, heartbeat_at = $3 WHERE id = $1 RETURNING {COLUMNS}
        """,
        import_id, bytes_total, now,
    )  # fmt: skip
    return _run(row)


async def set_header(conn: Connection, import_id: int, fence: int, header: Sequence[str]) -> None:
    """Remember what the columns of the file are called."""
    await conn.execute(
        "UPDATE import_run SET header = $3 WHERE id = $1 AND fence = $2", import_id, fence, list(map(storable, header))
    )


async def set_options(conn: Connection, import_id: int, fence: int, options: ImportOptions) -> bool:
    """Remember what was found out about how it goes on; False when it is not this worker's any more."""
    text = "UPDATE import_run SET options = $3 WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING true"
    return await conn.fetchval(text, import_id, fence, asdict(options)) or False


async def advance(
    conn: Connection,
    import_id: int,
    fence: int,
    now: datetime,
    *,
    bytes_read: int,
    position: int,
    lines_read: int,
    inserted: int,
    updated: int,
    unchanged: int,
    deleted: int,
    skipped: int,
    rejected: int,
    repeated: int,
    ambiguous: int,
) -> int | None:
    """Move an import behind a chunk; returns the rows refused so far, or None when it is not this worker's any more."""
    found: int | None = await conn.fetchval(
        """
        UPDATE import_run
           SET bytes_read = $4, position = $5, lines_read = $6, inserted = inserted + $7, updated = updated + $8,
               unchanged = unchanged + $9, deleted = deleted + $10, skipped = skipped + $11, rejected = rejected + $12,
               repeated = repeated + $13, ambiguous = ambiguous + $14, heartbeat_at = $3
         WHERE id = $1 AND fence = $2 AND state = 'running'
        RETURNING rejected
        """,
        import_id, fence, now, bytes_read, position, lines_read, inserted, updated, unchanged, deleted, skipped, rejected,
        repeated, ambiguous,
    )  # fmt: skip
    return found


async def end_run(conn: Connection, import_id: int, state: RunState, now: datetime, error: RunError | None = None) -> ImportRun:
    """Write the end of a locked import."""
    row = await conn.fetchrow(
        f"""
        UPDATE import_run SET state = $2, finished_at = $3, error = $4 WHERE id = $1
        RETURNING {COLUMNS}
        """,
        import_id, state.value, now, asdict(error) if error else None,
    )  # fmt: skip
    return _run(row)


async def set_rejects_file(conn: Connection, import_id: int, file_id: int) -> None:
    """Say where the refused rows are."""
    await conn.execute("UPDATE import_run SET rejects_file_id = $2 WHERE id = $1", import_id, file_id)


async def list_unwritten_rejects(conn: Connection, ended_since: datetime) -> list[int]:
    """Imports that ended a while ago at most, while their refused rows were not in a file yet."""
    rows = await conn.fetch(
        """
        SELECT id FROM import_run r
         WHERE finished_at > $1 AND rejects_file_id IS NULL
           AND EXISTS (SELECT FROM import_reject j WHERE j.import_id = r.id)
         ORDER BY id
        """,
        ended_since,
    )
    return [row["id"] for row in rows]


async def has_rejects(conn: Connection, import_id: int) -> bool:
    """Whether refused rows wait for their file."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM import_reject WHERE import_id = $1)", import_id)
    return found


async def add_rejects(conn: Connection, import_id: int, rejects: Sequence[Reject]) -> None:
    """Keep refused rows and remarks. What Postgres cannot keep of them is marked."""
    await conn.copy_records_to_table(
        "import_reject",
        records=[
            (
                import_id,
                one.line,
                storable(one.column[:200]),
                one.code,
                storable(one.message[:1000]),
                storable(one.row_text),
                list(map(storable, one.cells)),
            )
            for one in rejects
        ],
        columns=REJECT_COLUMNS,
    )


async def stream_rejects(conn: Connection, import_id: int) -> AsyncIterator[tuple[int, str, str, str, str, list[str]]]:
    """In the order of the file; needs a transaction."""
    async for row in conn.cursor(
        """
        SELECT line, column_name, code, message, row_text, cells FROM import_reject WHERE import_id = $1 ORDER BY line
        """,
        import_id,
        prefetch=500,
    ):
        yield tuple(row)


async def list_rejects(conn: Connection, import_id: int, limit: int) -> list[Reject]:
    """The first that wait for their file."""
    rows = await conn.fetch(
        """
        SELECT line, column_name AS column, code, message, row_text, cells FROM import_reject
         WHERE import_id = $1 ORDER BY line LIMIT $2
        """,
        import_id, limit,
    )  # fmt: skip
    return [Reject(**dict(row)) for row in rows]


async def delete_rejects(conn: Connection, import_id: int) -> None:
    """They are in a file now."""
    await conn.execute("DELETE FROM import_reject WHERE import_id = $1", import_id)


def storable(text: str) -> str:
    """The text with a mark in the place of NUL, of bytes that were not UTF-8 and of halves of surrogate pairs."""
    if text.isprintable():
        return text
    return _HALVES.sub("\ufffd", text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
