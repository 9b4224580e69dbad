"""SQL on quarantine. Arrays of addresses go in the order of their keys, so that two writers never wait in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from channels.contract import FailureReason
from core.db import Connection
from core.profiles.records import QuarantineEntry, QuarantineStatus

COLUMNS = (
    "address_kind, address_key, status, reason, error_count, first_error_at, last_error_at, error_text,"
    " last_delivery_id, created_at, updated_at"
)


def _entry(row: Any) -> QuarantineEntry:
    values = dict(row)
    return QuarantineEntry(
        **{**values, "status": QuarantineStatus(values["status"]), "reason": FailureReason(values["reason"])}
    )


async def put_hard(
    conn: Connection,
    kind: str,
    keys: Sequence[str],
    reasons: Sequence[int],
    texts: Sequence[str],
    delivery_id: int | None,
    now: datetime,
) -> None:
    """Quarantine at once (2.57). Denylisted and allowlisted addresses stay what they are."""
    await conn.execute(
        """
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_count, first_error_at,
                                     last_error_at, error_text, last_delivery_id, created_at, updated_at)
        SELECT $1, e.key, 'quarantine', e.reason, 1, $6, $6, e.text, $5, $6, $6
          FROM (SELECT DISTINCT ON (key) key, reason, text
                  FROM unnest($2::text[], $3::smallint[], $4::text[]) WITH ORDINALITY AS e (key, reason, text, n)
                 ORDER BY key, n DESC) e
            ON CONFLICT (address_kind, address_key) DO UPDATE
           SET status = 'quarantine', reason = excluded.reason, error_count = q.error_count + 1,
               first_error_at = coalesce(q.first_error_at, excluded.first_error_at),
               last_error_at = excluded.last_error_at, error_text = excluded.error_text,
               last_delivery_id = coalesce(excluded.last_delivery_id, q.last_delivery_id),
               updated_at = excluded.updated_at
         WHERE q.status NOT IN ('denylisted', 'allowlisted')
        """,
        kind, keys, reasons, texts, delivery_id, now,
    )  # fmt: skip


async def count_soft(
    conn: Connection,
    kind: str,
    keys: Sequence[str],
    reasons: Sequence[int],
    texts: Sequence[str],
    delivery_id: int | None,
    now: datetime,
    *,
    between: timedelta,
    reset_after: timedelta,
    most: int,
) -> None:
    """Count significant soft errors (2.58, 2.59); the last one allowed is the first in quarantine."""
    await conn.execute(
        """
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_count, first_error_at,
                                     last_error_at, error_text, last_delivery_id, created_at, updated_at)
        SELECT $1, e.key, CASE WHEN $9::integer <= 1 THEN 'quarantine' ELSE 'erroneous' END, e.reason, 1, $6, $6,
               e.text, $5, $6, $6
          FROM (SELECT DISTINCT ON (key) key, reason, text
                  FROM unnest($2::text[], $3::smallint[], $4::text[]) WITH ORDINALITY AS e (key, reason, text, n)
                 ORDER BY key, n DESC) e
            ON CONFLICT (address_kind, address_key) DO UPDATE
           SET error_count = CASE WHEN q.last_error_at < $6 - $8::interval THEN 1 ELSE q.error_count + 1 END,
               status = CASE WHEN $9::integer <= CASE WHEN q.last_error_at < $6 - $8::interval THEN 1
                                                     ELSE q.error_count + 1 END
                             THEN 'quarantine' ELSE 'erroneous' END,
               first_error_at = CASE WHEN q.last_error_at < $6 - $8::interval THEN excluded.first_error_at
                                     ELSE coalesce(q.first_error_at, excluded.first_error_at) END,
               last_error_at = excluded.last_error_at, reason = excluded.reason, error_text = excluded.error_text,
               last_delivery_id = coalesce(excluded.last_delivery_id, q.last_delivery_id),
               updated_at = excluded.updated_at
         WHERE q.status IN ('unknown', 'valid', 'erroneous')
           AND (q.last_error_at IS NULL OR q.last_error_at <= $6 - $7::interval)
        """,
        kind, keys, reasons, texts, delivery_id, now, between, reset_after, most,
    )  # fmt: skip


async def forget_erroneous(conn: Connection, kind: str, keys: Sequence[str]) -> None:
    """Let out those with soft errors only (2.60)."""
    await conn.execute(
        """
        DELETE FROM quarantine
         WHERE (address_kind, address_key) IN (
               SELECT address_kind, address_key FROM quarantine
                WHERE address_kind = $1 AND address_key = ANY($2::text[]) AND status = 'erroneous'
                ORDER BY address_key FOR UPDATE)
        """,
        kind,
        keys,
    )


async def put_by_hand(
    conn: Connection,
    kind: str,
    keys: Sequence[str],
    status: QuarantineStatus,
    reason: FailureReason,
    text: str,
    now: datetime,
) -> list[str]:
    """Give addresses a status, whatever they had; the keys of those that had another."""
    rows = await conn.fetch(
        """
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_text, created_at, updated_at)
        SELECT $1, key, $3, $4, $5, $6, $6 FROM (SELECT DISTINCT unnest($2::text[]) AS key ORDER BY 1) k
            ON CONFLICT (address_kind, address_key) DO UPDATE
           SET status = excluded.status, reason = excluded.reason, error_text = excluded.error_text,
               updated_at = excluded.updated_at
         WHERE (q.status, q.reason, q.error_text) IS DISTINCT FROM (excluded.status, excluded.reason, excluded.error_text)
        RETURNING address_key
        """,
        kind, keys, status.value, int(reason), text, now,
    )  # fmt: skip
    return sorted(row["address_key"] for row in rows)


async def delete_entries(conn: Connection, kind: str, keys: Sequence[str]) -> list[str]:
    """The keys that were there."""
    rows = await conn.fetch(
        """
        DELETE FROM quarantine
         WHERE (address_kind, address_key) IN (
               SELECT address_kind, address_key FROM quarantine
                WHERE address_kind = $1 AND address_key = ANY($2::text[]) ORDER BY address_key FOR UPDATE)
        RETURNING address_key
        """,
        kind,
        keys,
    )
    return sorted(row["address_key"] for row in rows)


async def expire(conn: Connection, *, soft_before: datetime, full_before: datetime, limit: int) -> int:
    """Drop entries whose time is over; returns how many. Rows that somebody holds are left for the next time.

    Reason 5 is a full mailbox, written out as in the index that keeps this cheap.
    """
    done: str = await conn.execute(
        """
        DELETE FROM quarantine
         WHERE (address_kind, address_key) IN (
               SELECT address_kind, address_key FROM quarantine
                WHERE (status = 'erroneous' OR (status = 'quarantine' AND reason = 5))
                  AND last_error_at < $1 AND (reason <> 5 OR last_error_at < $2)
                LIMIT $3 FOR UPDATE SKIP LOCKED)
        """,
        soft_before, full_before, limit,
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


async def find_entry(conn: Connection, kind: str, key: str) -> QuarantineEntry | None:
    """By its address."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM quarantine WHERE address_kind = $1 AND address_key = $2", kind, key)
    return _entry(row) if row else None


async def get_entries(conn: Connection, kind: str, keys: Sequence[str]) -> list[QuarantineEntry]:
    """Those of the addresses that are known, in the order of their keys."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM quarantine WHERE address_kind = $1 AND address_key = ANY($2::text[]) ORDER BY address_key",
        kind,
        keys,
    )
    return [_entry(row) for row in rows]


async def list_entries(
    conn: Connection, kind: str | None, status: str | None, after: tuple[str, str], limit: int
) -> list[QuarantineEntry]:
    """In the order of kind and key, after one."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM quarantine
         WHERE (address_kind, address_key) > ($3, $4)
           AND ($1::text IS NULL OR address_kind = $1)
           AND ($2::text IS NULL OR status = $2)
         ORDER BY address_kind, address_key
         LIMIT $5
        """,
        kind, status, *after, limit,
    )  # fmt: skip
    return [_entry(row) for row in rows]
