"""SQL on quarantine. Arrays of addresses go in the order of their keys, so that two writers never wait in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from channels.contract import AddressKind, FailureReason
from core.db import Connection
from core.profiles.quarantine_records import QuarantineEntry, QuarantineStatus
from core.profiles.reached_by import COLUMNS as REACHED_BY
from core.profiles.reached_by import key_text

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
        f"""
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_count, first_error_at,
                                     last_error_at, error_text, last_delivery_id, created_at, updated_at)
        SELECT $1, e.key, 'quarantine', e.reason, 1, $6, $6, e.text, $5, $6, $6
          FROM (SELECT DISTINCT ON (key) key, reason, text
                  FROM unnest($2::text[], $3::smallint[], $4::text[]) WITH ORDINALITY AS e (key, reason, text, n)
                 ORDER BY key, n DESC) e
            ON CONFLICT (address_kind, address_key) DO UPDATE
           SET status = 'quarantine', reason = excluded.reason,
               error_count = CASE WHEN q.status = 'erroneous' AND {_FORGOTTEN} THEN 1 ELSE q.error_count + 1 END,
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
) -> None:
    """Count significant soft errors (2.58, 2.59) by the team's figures; the last one allowed is the first in quarantine.

    An entry whose time is over counts as forgotten, whether or not a sweep has been by. Reason 5 is a full mailbox.
    """
    await conn.execute(
        f"""
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_count, first_error_at,
                                     last_error_at, error_text, last_delivery_id, created_at, updated_at)
        SELECT $1, e.key, CASE WHEN s.soft_errors <= 1 THEN 'quarantine' ELSE 'erroneous' END, e.reason, 1, $6, $6,
               e.text, $5, $6, $6
          FROM quarantine_settings s,
               (SELECT DISTINCT ON (key) key, reason, text
                  FROM unnest($2::text[], $3::smallint[], $4::text[]) WITH ORDINALITY AS e (key, reason, text, n)
                 ORDER BY key, n DESC) e
         ORDER BY e.key
            ON CONFLICT (address_kind, address_key) DO UPDATE
           SET error_count = CASE WHEN {_FORGOTTEN} THEN 1 ELSE q.error_count + 1 END,
               status = CASE WHEN (SELECT soft_errors FROM quarantine_settings)
                                  <= CASE WHEN {_FORGOTTEN} THEN 1 ELSE q.error_count + 1 END
                             THEN 'quarantine' ELSE 'erroneous' END,
               first_error_at = CASE WHEN {_FORGOTTEN} THEN excluded.first_error_at
                                     ELSE coalesce(q.first_error_at, excluded.first_error_at) END,
               last_error_at = excluded.last_error_at, reason = excluded.reason, error_text = excluded.error_text,
               last_delivery_id = coalesce(excluded.last_delivery_id, q.last_delivery_id),
               updated_at = excluded.updated_at
         WHERE q.status IN ('unknown', 'valid', 'erroneous')
           AND (q.last_error_at IS NULL
                OR q.last_error_at <= $6 - (SELECT between_soft_errors FROM quarantine_settings))
        """,
        kind, keys, reasons, texts, delivery_id, now,
    )  # fmt: skip


_FORGOTTEN = """
    q.last_error_at < $6::timestamptz - (SELECT CASE WHEN q.reason = 5 THEN greatest(release_full_after, forget_soft_after)
                                                ELSE forget_soft_after END FROM quarantine_settings)
""".strip()


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


async def put_denylisted(
    conn: Connection,
    kind: str,
    keys: Sequence[str],
    reason: FailureReason,
    text: str,
    delivery_id: int | None,
    now: datetime,
) -> list[str]:
    """Denylist addresses whose owners refused (2.61, 2.62), whatever they were; the keys of those that were not before."""
    rows = await conn.fetch(
        """
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_count, first_error_at,
                                     last_error_at, error_text, last_delivery_id, created_at, updated_at)
        SELECT $1, key, 'denylisted', $3, 0, $6, $6, $4, $5, $6, $6
          FROM (SELECT DISTINCT unnest($2::text[]) AS key ORDER BY 1) k
            ON CONFLICT (address_kind, address_key) DO UPDATE
           SET status = excluded.status, reason = excluded.reason, error_text = excluded.error_text,
               first_error_at = coalesce(q.first_error_at, excluded.first_error_at),
               last_error_at = excluded.last_error_at,
               last_delivery_id = coalesce(excluded.last_delivery_id, q.last_delivery_id),
               updated_at = excluded.updated_at
         WHERE q.status <> 'denylisted'
        RETURNING address_key
        """,
        kind, keys, int(reason), text, delivery_id, now,
    )  # fmt: skip
    return sorted(row["address_key"] for row in rows)


async def put_by_hand(
    conn: Connection,
    kind: str,
    keys: Sequence[str],
    status: QuarantineStatus,
    reason: FailureReason,
    text: str,
    now: datetime,
) -> list[str]:
    """Give addresses a status, whatever they had; the keys of those that had another.

    Of those that are told to be good the errors are forgotten: the next one would count on top of them.
    """
    rows = await conn.fetch(
        """
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_text, created_at, updated_at)
        SELECT $1, key, $3, $4, $5, $6, $6 FROM (SELECT DISTINCT unnest($2::text[]) AS key ORDER BY 1) k
            ON CONFLICT (address_kind, address_key) DO UPDATE
           SET status = excluded.status, reason = excluded.reason, error_text = excluded.error_text,
               error_count = CASE WHEN excluded.status IN ('valid', 'unknown') THEN 0 ELSE q.error_count END,
               first_error_at = CASE WHEN excluded.status IN ('valid', 'unknown') THEN NULL ELSE q.first_error_at END,
               last_error_at = CASE WHEN excluded.status IN ('valid', 'unknown') THEN NULL ELSE q.last_error_at END,
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


async def expire(conn: Connection, now: datetime, limit: int) -> int:
    """Drop entries whose time is over; returns how many. Rows that somebody holds are left for the next time.

    Reason 5 is a full mailbox.
    """
    done: str = await conn.execute(
        """
        DELETE FROM quarantine
         WHERE (address_kind, address_key) IN (
               SELECT address_kind, address_key FROM quarantine
                WHERE status = 'erroneous'
                  AND last_error_at < $1::timestamptz - (SELECT forget_soft_after FROM quarantine_settings)
                  AND (reason <> 5
                       OR last_error_at < $1::timestamptz - (SELECT release_full_after FROM quarantine_settings))
                LIMIT $2 FOR UPDATE SKIP LOCKED)
            OR (address_kind, address_key) IN (
               SELECT address_kind, address_key FROM quarantine
                WHERE status = 'valid' AND updated_at < $1::timestamptz - (SELECT forget_soft_after FROM quarantine_settings)
                LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        now, limit,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A filter in the terms of the table; None: whatever it is."""

    kind: str | None = None
    keys: Sequence[str] | None = None
    prefix: str | None = None
    statuses: Sequence[str] | None = None
    reasons: Sequence[int] | None = None
    text: str | None = None
    changed_from: datetime | None = None
    changed_before: datetime | None = None


# `~>=~` compares bytes, as the index on the beginning of addresses sorts.
_WHERE = """
    ($1::text IS NULL OR address_kind = $1)
    AND ($2::text[] IS NULL OR address_key = ANY($2))
    AND ($3::text IS NULL OR (address_key ~>=~ $3 AND address_key ~<~ ($3 || chr(1114111))))
    AND ($4::text[] IS NULL OR status = ANY($4))
    AND ($5::smallint[] IS NULL OR reason = ANY($5))
    AND ($6::text IS NULL OR strpos(lower(error_text), lower($6)) > 0)
    AND ($7::timestamptz IS NULL OR updated_at >= $7)
    AND ($8::timestamptz IS NULL OR updated_at < $8)
""".strip()


async def list_entries(conn: Connection, where: Where, after: tuple[str, str], limit: int) -> list[QuarantineEntry]:
    """In the order of kind and key, after one."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM quarantine
         WHERE {_WHERE} AND (address_kind, address_key) > ($9, $10)
         ORDER BY address_kind, address_key
         LIMIT $11
        """,
        *astuple(where), *after, limit,
    )  # fmt: skip
    return [_entry(row) for row in rows]


async def count_entries(conn: Connection, where: Where) -> int:
    """How many there are."""
    found: int = await conn.fetchval(f"SELECT count(*) FROM quarantine WHERE {_WHERE}", *astuple(where))
    return found


async def set_valid(conn: Connection, where: Where, now: datetime, limit: int) -> list[tuple[str, str]]:
    """Forget what is known against up to so many entries, in the order of their keys; returns their kinds and keys."""
    rows = await conn.fetch(
        f"""
        UPDATE quarantine q
           SET status = 'valid', reason = 0, error_text = '', error_count = 0, first_error_at = NULL, last_error_at = NULL,
               updated_at = $9
          FROM (SELECT address_kind, address_key FROM quarantine WHERE {_WHERE} AND status <> 'valid'
                 ORDER BY address_kind, address_key LIMIT $10 FOR UPDATE) k
         WHERE q.address_kind = k.address_kind AND q.address_key = k.address_key
        RETURNING q.address_kind, q.address_key
        """,
        *astuple(where), now, limit,
    )  # fmt: skip
    return sorted(tuple(row) for row in rows)


async def delete_some(conn: Connection, where: Where, limit: int) -> list[tuple[str, str]]:
    """Delete up to so many entries, in the order of their keys; returns their kinds and keys."""
    rows = await conn.fetch(
        f"""
        DELETE FROM quarantine q
         USING (SELECT address_kind, address_key FROM quarantine WHERE {_WHERE}
                 ORDER BY address_kind, address_key LIMIT $9 FOR UPDATE) k
         WHERE q.address_kind = k.address_kind AND q.address_key = k.address_key
        RETURNING q.address_kind, q.address_key
        """,
        *astuple(where), limit,
    )  # fmt: skip
    return sorted(tuple(row) for row in rows)


# In the order in which a person's entries are told. Devices are read as the survivor's after a merge; what stands in columns is
# the survivor's alone, as deliveries read it.
_REACHED = ", ".join(
    f"({n}, '{kind.value}', {key_text(kind, 'p')})" for n, kind in enumerate((*REACHED_BY, AddressKind.POSTAL), start=1)
)


async def get_entries_of(conn: Connection, profile_ids: Sequence[int]) -> list[tuple[int, QuarantineEntry]]:
    """What is known against all that these people are reached by; beside the profile that was asked for."""
    rows = await conn.fetch(
        f"""
        WITH reached AS (
            SELECT p.id AS person, a.n, a.kind, a.key
              FROM profile p CROSS JOIN LATERAL (VALUES {_REACHED}) AS a (n, kind, key) WHERE p.id = ANY($1::bigint[])
             UNION
            SELECT asked.id, 100, '{AddressKind.PUSH.value}', s.registration_token
              FROM unnest($1::bigint[]) AS asked (id)
             CROSS JOIN LATERAL (SELECT asked.id AS id UNION ALL SELECT m.id FROM profile m WHERE m.merged_into = asked.id) f
              JOIN app_subscription s ON s.profile_id = f.id
        )
        SELECT person, {COLUMNS} FROM reached JOIN quarantine ON address_kind = kind AND address_key = key
         ORDER BY person, n, address_key
        """,
        profile_ids,
    )  # fmt: skip
    return [(row["person"], _entry(dict(list(row.items())[1:]))) for row in rows]
