"""SQL on work that takes its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.db import Connection
from core.profiles.run_records import RunError, RunState
from core.targeting.records import AudienceRun, Task

_COLUMNS = (
    "id, task, state, audience_id, file_id, request, time_zone, seconds, total, done, position, lines_read, result, error,"
    " fence, created_by, created_at, started_at, heartbeat_at, finished_at"
)
# Every field by which the rows of a run `r` are found as `k`, those of keys of several fields too.
_KEY_FIELDS = """
    jsonb_array_elements_text(jsonb_path_query_array(r.request, '$.keys[*].field')
                              || jsonb_path_query_array(r.request, '$.keys[*].also[*].field')) AS k"""


class RunTable(StrEnum):
    """The table whose rows are run by a worker, for `core.profiles.store.runs`."""

    AUDIENCE = "audience_run"


def _run(row: Any) -> AudienceRun:
    values = dict(row)
    values["task"] = Task(values["task"])
    values["state"] = RunState(values["state"])
    values["error"] = RunError(**values["error"]) if values["error"] else None
    return AudienceRun(**values)


async def insert_run(
    conn: Connection, task: Task, *, audience_id: int | None, file_id: int | None, request: Any, time_zone: str, seconds: int,
    created_by: str, now: datetime,
) -> AudienceRun:  # fmt: skip
    """Work that waits for a worker."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO audience_run (task, state, audience_id, file_id, request, time_zone, seconds, created_by, created_at,
                                  heartbeat_at)
        VALUES ($1, 'ready', $2, $3, $4, $5, $6, $7, $8, $8) RETURNING {_COLUMNS}
        """,
        task.value, audience_id, file_id, request, time_zone, seconds, created_by, now,
    )  # fmt: skip
    return _run(row)


async def find_runs(conn: Connection, ids: Sequence[int]) -> list[AudienceRun]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM audience_run WHERE id = ANY ($1)", list(ids))
    return [_run(row) for row in rows]


async def lock_run(conn: Connection, run_id: int) -> AudienceRun | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM audience_run WHERE id = $1 FOR NO KEY UPDATE", run_id)
    return _run(row) if row else None


async def list_runs(conn: Connection, audience_id: int | None, *, after: int | None, limit: int) -> list[AudienceRun]:
    """Of one audience or all, in the order of their ids, after one."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM audience_run
         WHERE id > coalesce($1::bigint, 0) AND ($2::bigint IS NULL OR audience_id = $2) ORDER BY id LIMIT $3
        """,
        after, audience_id, limit,
    )  # fmt: skip
    return [_run(row) for row in rows]


async def count_runs(conn: Connection, audience_id: int | None) -> int:
    """How many there are, of one audience or all."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM audience_run WHERE $1::bigint IS NULL OR audience_id = $1", audience_id
    )
    return found


async def find_open_run(conn: Connection, audience_id: int, tasks: Sequence[Task]) -> int | None:
    """A run of one of these tasks on an audience that has not ended."""
    found: int | None = await conn.fetchval(
        "SELECT min(id) FROM audience_run WHERE audience_id = $1 AND task = ANY ($2) AND finished_at IS NULL",
        audience_id, [one.value for one in tasks],
    )  # fmt: skip
    return found


async def advance(
    conn: Connection, run_id: int, fence: int, now: datetime, *, done: int, position: int, lines_read: int,
    result: Mapping[str, Any], total: int | None = None,
) -> bool:  # fmt: skip
    """Move a run behind a chunk; False when it is not this worker's any more."""
    found = await conn.fetchval(
        """
        UPDATE audience_run
           SET done = $4, position = $5, lines_read = $6, result = $7, total = coalesce($8, total), heartbeat_at = $3
         WHERE id = $1 AND fence = $2 AND state = 'running'
        RETURNING true
        """,
        run_id, fence, now, done, position, lines_read, result, total,
    )  # fmt: skip
    return found or False


async def end_run(
    conn: Connection, run_id: int, state: RunState, now: datetime, *, result: Mapping[str, Any] | None = None,
    error: RunError | None = None, audience_id: int | None = None,
) -> AudienceRun:  # fmt: skip
    """Write the end of a run that is locked, or whose worker has just given a sign of life."""
    row = await conn.fetchrow(
        f"""
        UPDATE audience_run
           SET state = $2, finished_at = $3, result = coalesce($4, result), error = $5,
               audience_id = coalesce($6, audience_id)
         WHERE id = $1 RETURNING {_COLUMNS}
        """,
        run_id, state.value, now, result, asdict(error) if error else None, audience_id,
    )  # fmt: skip
    return _run(row)


async def list_key_fields(conn: Connection) -> list[str]:
    """The fields of profiles by which rows of files, or ids of outside systems, were ever to be found."""
    rows = await conn.fetch(
        f"""
        SELECT k AS field FROM audience_run r, {_KEY_FIELDS} UNION SELECT key FROM external_segment ORDER BY 1
        """
    )
    return [row["field"] for row in rows]


async def list_by_keys(conn: Connection, fields: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The audiences of files which are being reconciled by any of these fields, or wait for that: the name and those fields."""
    rows = await conn.fetch(
        f"""
        SELECT a.name, f.found
          FROM audience_run r JOIN audience a ON a.id = r.audience_id,
               LATERAL (SELECT array_agg(DISTINCT k ORDER BY k) AS found FROM {_KEY_FIELDS} WHERE k = ANY ($1)) AS f
         WHERE r.finished_at IS NULL AND f.found IS NOT NULL ORDER BY r.id
        """,
        list(fields),
    )
    return [(row["name"], row["found"]) for row in rows]
