"""SQL on `delivery_run` and `delivery_log`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.db import Connection
from core.delivery.records import DeliveryRun, DeliveryState, LogEntry, LogLevel
from core.errors import NotFound

_COLUMNS = """delivery_id, state, versions, prepare_id, prepare_from, prepare_to, prepared_at, contact_at, deadline,
              confirmed_at, started_at, finished_at, pause_reason, error, updated_at"""


def _run(row: Any) -> DeliveryRun:
    values = dict(row)
    return DeliveryRun(**{**values, "state": DeliveryState(values["state"])})


async def find_run(conn: Connection, delivery_id: int) -> DeliveryRun | None:
    """The run, or None while nothing was ever asked of the delivery."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM delivery_run WHERE delivery_id = $1", delivery_id)
    return None if row is None else _run(row)


async def list_runs(conn: Connection, delivery_ids: list[int]) -> dict[int, DeliveryRun]:
    """Runs by delivery, in one statement."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM delivery_run WHERE delivery_id = ANY($1)", delivery_ids)
    return {row["delivery_id"]: _run(row) for row in rows}


async def lock_run(conn: Connection, delivery_id: int) -> DeliveryRun:
    """The run, locked until the transaction ends; made when it is not there yet. Raises NotFound."""
    await conn.execute(
        "INSERT INTO delivery_run (delivery_id) SELECT id FROM delivery WHERE id = $1 ON CONFLICT DO NOTHING",
        delivery_id,
    )
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM delivery_run WHERE delivery_id = $1 FOR UPDATE", delivery_id)
    if row is None:
        raise NotFound("there is no such delivery", code="DELIVERY_NOT_FOUND", path="id")
    return _run(row)


async def lock_run_if_free(conn: Connection, delivery_id: int) -> DeliveryRun | None:
    """The run, locked until the transaction ends; None when there is none, or somebody else has it locked."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM delivery_run WHERE delivery_id = $1 FOR UPDATE SKIP LOCKED", delivery_id)
    return None if row is None else _run(row)


async def set_state(conn: Connection, delivery_id: int, state: DeliveryState, now: datetime) -> None:
    """Move a locked run."""
    await conn.execute(
        "UPDATE delivery_run SET state = $2, updated_at = $3, heartbeat_at = $3 WHERE delivery_id = $1",
        delivery_id, state, now,
    )  # fmt: skip


async def move_on(conn: Connection, delivery_id: int, was: DeliveryState, now_is: DeliveryState, now: datetime) -> None:
    """Move a run that is still in one state to another; nothing happens to one that is not."""
    await conn.execute(
        "UPDATE delivery_run SET state = $3, updated_at = $4 WHERE delivery_id = $1 AND state = $2",
        delivery_id, was, now_is, now,
    )  # fmt: skip


async def begin_preparation(conn: Connection, delivery_id: int, now: datetime) -> int:
    """Forget the last preparation and give out the fence of a new one."""
    prepare_id: int = await conn.fetchval(
        """
        UPDATE delivery_run
           SET prepare_id = prepare_id + 1, prepare_from = NULL, prepare_to = NULL, prepared_at = NULL, versions = NULL,
               contact_at = NULL, deadline = NULL, confirmed_at = NULL, error = NULL, pause_reason = NULL,
               heartbeat_at = $2, updated_at = $2
         WHERE delivery_id = $1
        RETURNING prepare_id
        """,
        delivery_id, now,
    )  # fmt: skip
    return prepare_id


async def take_over_preparation(conn: Connection, delivery_id: int, now: datetime) -> int:
    """Fence off whoever prepared before; progress stays."""
    prepare_id: int = await conn.fetchval(
        "UPDATE delivery_run SET prepare_id = prepare_id + 1, heartbeat_at = $2 WHERE delivery_id = $1 RETURNING prepare_id",
        delivery_id, now,
    )  # fmt: skip
    return prepare_id


async def plan_preparation(conn: Connection, delivery_id: int, versions: Mapping[str, int], last_id: int) -> None:
    """Remember what the preparation reads and how far it goes."""
    await conn.execute(
        "UPDATE delivery_run SET versions = $2, prepare_from = 0, prepare_to = $3 WHERE delivery_id = $1",
        delivery_id, dict(versions), last_id,
    )  # fmt: skip


async def take_turn(conn: Connection, delivery_id: int) -> bool:
    """Keep other workers from the preparation until the transaction ends. False: one of them is at it. Nobody else waits."""
    taken: bool = await conn.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('preparation ' || $1::bigint, 0))", delivery_id
    )
    return taken


async def is_own(conn: Connection, delivery_id: int, prepare_id: int, preparing: list[int]) -> bool:
    """Whether the preparation goes on under this fence. Waits for nobody."""
    own: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM delivery_run WHERE delivery_id = $1 AND prepare_id = $2 AND state = ANY($3))",
        delivery_id, prepare_id, preparing,
    )  # fmt: skip
    return own


async def lock_own_run(
    conn: Connection, delivery_id: int, prepare_id: int, preparing: list[int], *, within_ms: int
) -> DeliveryRun | None:  # fmt: skip
    """The run, locked until the transaction ends; None when its preparation was stopped or taken over.

    Raises LockNotAvailableError where somebody else keeps it locked for longer.
    """
    await conn.execute("SELECT set_config('lock_timeout', $1, true)", f"{within_ms}ms")
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM delivery_run WHERE delivery_id = $1 AND prepare_id = $2 AND state = ANY($3) FOR UPDATE",
        delivery_id, prepare_id, preparing,
    )  # fmt: skip
    await conn.execute("SET LOCAL lock_timeout = DEFAULT")
    return None if row is None else _run(row)


async def beat(conn: Connection, delivery_id: int, now: datetime) -> None:
    """A sign of life of whoever prepares."""
    await conn.execute("UPDATE delivery_run SET heartbeat_at = $2 WHERE delivery_id = $1", delivery_id, now)


async def advance_preparation(conn: Connection, delivery_id: int, up_to: int, now: datetime) -> None:
    """Say of a locked run how far its preparation came."""
    await conn.execute(
        "UPDATE delivery_run SET prepare_from = $2, heartbeat_at = $3, updated_at = $3 WHERE delivery_id = $1",
        delivery_id, up_to, now,
    )  # fmt: skip


async def forget_preparation(conn: Connection, delivery_id: int) -> None:
    """Back to edition: nothing is prepared, nothing confirmed. The ledger's rows go when it is prepared anew."""
    await conn.execute(
        """
        UPDATE delivery_run SET prepared_at = NULL, versions = NULL, contact_at = NULL, confirmed_at = NULL, pause_reason = NULL
         WHERE delivery_id = $1
        """,
        delivery_id,
    )
    await conn.execute("DELETE FROM ledger_count WHERE delivery_id = $1", delivery_id)


async def finish_preparation(conn: Connection, delivery_id: int, now: datetime) -> None:
    """Everything is in the ledger."""
    await conn.execute("UPDATE delivery_run SET prepared_at = $2 WHERE delivery_id = $1", delivery_id, now)


async def set_contact(conn: Connection, delivery_id: int, contact_at: datetime, now: datetime) -> None:
    """Confirmed: sending may start at `contact_at`."""
    await conn.execute(
        "UPDATE delivery_run SET contact_at = $2, confirmed_at = $3 WHERE delivery_id = $1",
        delivery_id,
        contact_at,
        now,
    )


async def set_started(conn: Connection, delivery_id: int, deadline: datetime, now: datetime) -> None:
    """Started for the first time; resuming changes neither start nor deadline."""
    await conn.execute(
        """
        UPDATE delivery_run SET started_at = coalesce(started_at, $2), deadline = coalesce(deadline, $3)
         WHERE delivery_id = $1
        """,
        delivery_id, now, deadline,
    )  # fmt: skip


async def set_finished(conn: Connection, delivery_id: int, now: datetime) -> None:
    """Ended, in whichever way."""
    await conn.execute("UPDATE delivery_run SET finished_at = $2 WHERE delivery_id = $1", delivery_id, now)


async def set_pause_reason(conn: Connection, delivery_id: int, reason: str | None) -> None:
    """Why it rests; None when it goes on."""
    await conn.execute("UPDATE delivery_run SET pause_reason = $2 WHERE delivery_id = $1", delivery_id, reason)


async def set_error(conn: Connection, delivery_id: int, error: Mapping[str, Any]) -> None:
    """What went wrong, as code, message, path and hint."""
    await conn.execute("UPDATE delivery_run SET error = $2 WHERE delivery_id = $1", delivery_id, dict(error))


async def list_moving(conn: Connection, now: datetime, stalled_before: datetime) -> list[DeliveryRun]:
    """Runs that somebody should be working on: due to start, sending, stopping, or with a preparation that went quiet."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM delivery_run
         WHERE (state BETWEEN 11 AND 25 AND heartbeat_at < $2)
            OR (state = 51 AND contact_at <= $1)
            OR state IN (55, 61, 62)
        UNION ALL
        -- Stopped ones keep their pending rows until the job has cancelled them all.
        SELECT {_COLUMNS} FROM delivery_run WHERE state = 85 AND finished_at IS NULL
        """,
        now, stalled_before,
    )  # fmt: skip
    return [_run(row) for row in rows]


async def add_log(
    conn: Connection,
    delivery_id: int,
    now: datetime,
    level: LogLevel,
    code: str,
    message: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """One line for the people who watch the delivery."""
    await conn.execute(
        "INSERT INTO delivery_log (delivery_id, at, level, code, message, details) VALUES ($1, $2, $3, $4, $5, $6)",
        delivery_id, now, level.value, code, message, dict(details or {}),
    )  # fmt: skip


async def list_log(conn: Connection, delivery_id: int, after: int | None, limit: int) -> list[LogEntry]:
    """Oldest first."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, at, level, code, message, details FROM delivery_log
         WHERE delivery_id = $1 AND id > coalesce($2, 0) ORDER BY id LIMIT $3
        """,
        delivery_id, after, limit,
    )  # fmt: skip
    return [LogEntry(**{**dict(row), "level": LogLevel(row["level"])}) for row in rows]
