"""SQL on privacy requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from core.db import Connection
from core.privacy.records import (
    OPEN,
    Namespace,
    PrivacyRequest,
    Regulation,
    RequestDraft,
    RequestError,
    RequestKind,
    RequestState,
)

WORK_LOCK = 0x636C_6172_0800  # advisory: of the one worker that carries requests out

COLUMNS = ", ".join(one.name for one in fields(PrivacyRequest))
_OPEN = sorted(one.value for one in OPEN)


def _request(row: Any) -> PrivacyRequest:
    values = dict(row)
    values["kind"] = RequestKind(values["kind"])
    values["regulation"] = Regulation(values["regulation"])
    values["state"] = RequestState(values["state"])
    values["error"] = RequestError(**values["error"]) if values["error"] else None
    return PrivacyRequest(**values)


async def insert_request(
    conn: Connection,
    draft: RequestDraft,
    namespace: Namespace,
    value_hash: str,
    needs_confirm: bool,
    created_by: str,
    now: datetime,
) -> int | None:
    """A new request without its value; None when the name is taken."""
    found: int | None = await conn.fetchval(
        """
        INSERT INTO privacy_request
               (name, label, kind, regulation, namespace_id, namespace, value_hash, needs_confirm, state, created_by,
                created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'new', $9, $10)
        ON CONFLICT (name) DO NOTHING RETURNING id
        """,
        draft.name, draft.label, draft.kind.value, draft.regulation.value, namespace.id, namespace.name, value_hash,
        needs_confirm, created_by, now,
    )  # fmt: skip
    return found


async def set_value(conn: Connection, request_id: int, sealed: bytes) -> None:
    """The value that names the person, sealed."""
    await conn.execute("UPDATE privacy_request SET value = $2 WHERE id = $1", request_id, sealed)


async def get_requests(conn: Connection, ids: Sequence[int]) -> list[PrivacyRequest]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM privacy_request WHERE id = ANY($1::bigint[])", ids)
    return [_request(row) for row in rows]


async def lock_request(conn: Connection, request_id: int) -> PrivacyRequest | None:
    """By id, held until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM privacy_request WHERE id = $1 FOR NO KEY UPDATE", request_id)
    return _request(row) if row else None


async def list_requests(
    conn: Connection, kind: RequestKind | None, states: Sequence[RequestState] | None, before: int | None, limit: int
) -> list[PrivacyRequest]:
    """The newest first, before one."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM privacy_request
         WHERE id < coalesce($3::bigint, 9223372036854775807)
           AND ($1::text IS NULL OR kind = $1) AND ($2::text[] IS NULL OR state = ANY($2))
         ORDER BY id DESC LIMIT $4
        """,
        None if kind is None else kind.value, None if states is None else [one.value for one in states], before, limit,
    )  # fmt: skip
    return [_request(row) for row in rows]


async def count_requests(conn: Connection, kind: RequestKind | None, states: Sequence[RequestState] | None) -> int:
    """How many there are."""
    found: int = await conn.fetchval(
        """
        SELECT count(*) FROM privacy_request
         WHERE ($1::text IS NULL OR kind = $1) AND ($2::text[] IS NULL OR state = ANY($2))
        """,
        None if kind is None else kind.value, None if states is None else [one.value for one in states],
    )  # fmt: skip
    return found


async def list_open(conn: Connection) -> list[int]:
    """Those that a worker has something to do for, the oldest first."""
    rows = await conn.fetch(
        "SELECT id FROM privacy_request WHERE finished_at IS NULL AND state = ANY($1::text[]) ORDER BY id", _OPEN
    )
    return [row["id"] for row in rows]


async def take_work(conn: Connection) -> bool:
    """Whether this connection, as long as it lives, is that of the one worker. A worker that is killed lets go by that."""
    taken: bool = await conn.fetchval("SELECT pg_try_advisory_lock($1)", WORK_LOCK)
    return taken


async def leave_work(conn: Connection) -> None:
    """Let another one."""
    await conn.execute("SELECT pg_advisory_unlock($1)", WORK_LOCK)


async def set_state(conn: Connection, request_id: int, state: RequestState, now: datetime) -> None:
    """It moves on."""
    await conn.execute(
        "UPDATE privacy_request SET state = $2, started_at = coalesce(started_at, $3) WHERE id = $1",
        request_id, state.value, now,
    )  # fmt: skip


async def retry(conn: Connection, request_id: int) -> None:
    """Once more, from where it was."""
    await conn.execute(
        "UPDATE privacy_request SET state = 'retry_pending', error = NULL, finished_at = NULL WHERE id = $1", request_id
    )


async def confirm(conn: Connection, request_id: int, by: str, now: datetime) -> None:
    """Somebody has said that it shall be done."""
    await conn.execute(
        "UPDATE privacy_request SET state = 'delete_in_progress', confirmed_by = $2, confirmed_at = $3 WHERE id = $1",
        request_id, by, now,
    )  # fmt: skip


async def get_sealed(conn: Connection, request_id: int) -> tuple[bytes | None, bytes | None]:
    """The value, and whom a deletion has found so far."""
    row = await conn.fetchrow("SELECT value, person FROM privacy_request WHERE id = $1", request_id)
    return (row["value"], row["person"]) if row else (None, None)


async def set_erased(conn: Connection, request_id: int, person: bytes, profiles: int, now: datetime) -> None:
    """What was found is erased, in this transaction. Whatever is at work on the data has to end after its commit."""
    await conn.execute(
        "UPDATE privacy_request SET person = $2, profiles_found = $3, erased_at = $4, gone_at = NULL WHERE id = $1",
        request_id, person, profiles, now,
    )  # fmt: skip


async def set_gone(conn: Connection, request_id: int) -> datetime:
    """Since when, by the database's own clock, nobody can find what was erased; asked after the commit."""
    gone: datetime = await conn.fetchval(
        "UPDATE privacy_request SET gone_at = coalesce(gone_at, clock_timestamp()) WHERE id = $1 RETURNING gone_at", request_id
    )
    return gone


async def add_counts(conn: Connection, request_id: int, counts: Mapping[str, int]) -> None:
    """So many more rows of these tables."""
    await conn.execute(
        """
        UPDATE privacy_request
           SET counts = (SELECT coalesce(jsonb_object_agg(key, n), '{}')
                           FROM (SELECT key, sum(value::bigint) AS n
                                   FROM (SELECT * FROM jsonb_each_text(counts)
                                         UNION ALL SELECT * FROM jsonb_each_text($2::jsonb)) AS every (key, value)
                                  GROUP BY key) AS summed)
         WHERE id = $1
        """,
        request_id, dict(counts),
    )  # fmt: skip


async def set_waiting(conn: Connection, request_id: int, waits_for: str | None) -> None:
    """What it waits for."""
    await conn.execute(
        "UPDATE privacy_request SET waits_for = $2 WHERE id = $1 AND waits_for IS DISTINCT FROM $2", request_id, waits_for
    )


async def fail(conn: Connection, request_id: int, error: RequestError, hashes: Sequence[str], now: datetime) -> None:
    """It ends without a result. The value and whom it has found are kept for another try, unless the value is that of somebody
    who was erased: one of these hashes stands for it. Without the value there is no other try."""
    await conn.execute(
        """
        UPDATE privacy_request r
           SET state = 'error', error = $2, waits_for = NULL, finished_at = $3,
               value = CASE WHEN NOT k.goes THEN r.value END,
               person = CASE WHEN NOT k.goes AND r.value IS NOT NULL THEN r.person END
          FROM (SELECT EXISTS (SELECT FROM privacy_request o
                                WHERE o.value_hash = ANY($4::text[]) AND o.kind = 'delete' AND o.state = 'complete') AS goes) k
         WHERE r.id = $1
        """,
        request_id, asdict(error), now, hashes,
    )  # fmt: skip


async def complete(
    conn: Connection, request_id: int, *, profiles: int, file_id: int | None = None, proof: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:  # fmt: skip
    """It is done; the value and whom it was about are forgotten."""
    await conn.execute(
        """
        UPDATE privacy_request
           SET state = 'complete', profiles_found = $2, file_id = $3, proof = $4::jsonb, value = NULL, person = NULL,
               waits_for = NULL, finished_at = $5
         WHERE id = $1
        """,
        request_id, profiles, file_id, proof, now,
    )  # fmt: skip


async def leave_namespace(conn: Connection, namespace_id: int) -> None:
    """Requests of a namespace that have ended do without it, and so cannot be tried again: their values are forgotten. Not
    a deletion that ended in an error when it had erased something: another try has to finish it."""
    await conn.execute(
        """
        UPDATE privacy_request SET namespace_id = NULL, value = NULL, person = NULL
         WHERE namespace_id = $1 AND finished_at IS NOT NULL AND num_nonnulls(erased_at, value) < 2
        """,
        namespace_id,
    )


async def list_left_namespaces(conn: Connection) -> list[str]:
    """The names of namespaces that are gone, by which somebody was erased."""
    rows = await conn.fetch(
        "SELECT DISTINCT namespace FROM privacy_request WHERE namespace_id IS NULL AND kind = 'delete' AND state = 'complete'"
    )
    return [row["namespace"] for row in rows]


async def list_ended_with_value(conn: Connection) -> list[tuple[int, bytes]]:
    """The sealed values of requests that have ended without a result."""
    rows = await conn.fetch("SELECT id, value FROM privacy_request WHERE finished_at IS NOT NULL AND value IS NOT NULL")
    return [(row["id"], row["value"]) for row in rows]


async def forget_value(conn: Connection, ids: Sequence[int]) -> None:
    """Nobody needs the values of these any more, nor whom they have found."""
    await conn.execute("UPDATE privacy_request SET value = NULL, person = NULL WHERE id = ANY($1::bigint[])", ids)


async def rename_quoting(conn: Connection, words: Sequence[str]) -> None:
    """Take people out of the names of requests, which are kept; words are patterns."""
    await conn.execute("UPDATE privacy_request SET name = 'request-' || id WHERE name ~* ANY($1::text[])", words)


async def forget_old_values(conn: Connection, before: datetime) -> None:
    """Requests that ended without a result so long ago are not tried again, and so are those whose value went before."""
    await conn.execute(
        """
        UPDATE privacy_request SET value = NULL, person = NULL
         WHERE num_nonnulls(value, person) > 0 AND finished_at IS NOT NULL AND (finished_at < $1 OR value IS NULL)
        """,
        before,
    )
