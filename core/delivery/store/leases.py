"""SQL on leases: claiming rows under one, keeping it, letting go of it, and reaping those of workers that went away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.db import Connection
from core.delivery.records import ClaimedRow
from core.delivery.store.claim_text import LEASE, claim_text
from core.profiles.erased import HashKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Rows under a fresh lease, and the position from which the next claim of this worker should look."""

    lease_id: int
    at: datetime
    rows: list[ClaimedRow]
    withdrawn: int
    cursor: tuple[datetime, int, int, int] | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A lease that was just ended, its rows' recipients from … to …"""

    lease_id: int
    delivery_id: int
    address_kind: str | None  # None: of a version that blamed addresses at once
    recipient_low: int | None
    recipient_high: int | None


async def lock_account(conn: Connection, account_id: int, worker: str, now: datetime) -> int:
    """How many connections other workers hold to the account; nobody else claims on it until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('lease'), $1::int)", account_id % 2**31)
    held: int = await conn.fetchval(
        """
        SELECT coalesce(sum(connections), 0)::int
          FROM (SELECT max(connections) AS connections FROM lease
                 WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $3 AND worker <> $2 GROUP BY worker) AS others
        """,
        account_id, worker, now,
    )  # fmt: skip
    return held


async def claim(
    conn: Connection,
    *,
    delivery_id: int,
    account_id: int,
    address_kind: str,
    worker: str,
    connections: int,
    limit: int,
    slot: int,
    cursor: tuple[datetime, int, int, int] | None,
    now: datetime,
    expires_at: datetime,
    hash_keys: Sequence[HashKey],
) -> Claim | None:
    """Claim up to `limit` due rows, oldest first, none that somebody else holds; None when there are none.

    Consent, quarantine, suppression lists and existence are asked again here, set-based: who left since prepare becomes
    withdrawn. Somebody who was merged since gets the message at the address that was prepared, with the survivor's consent,
    unless another profile of the same person gets it: then the person has it once.
    """
    lease_id, *asked = await conn.fetchrow(LEASE, delivery_id, account_id, address_kind, worker, connections, now, expires_at)
    text = claim_text(cursor is not None, *asked)
    keys = _arguments(hash_keys) if asked[-1] else ()
    rows = await conn.fetch(text, delivery_id, lease_id, address_kind, limit, now, *(cursor or ()), *keys)
    if not rows:
        await conn.execute("DELETE FROM lease WHERE id = $1", lease_id)
        return None
    withdrawn = [(row["recipient_kind"], row["reason"]) for row in rows if row["state"] == 7]
    if withdrawn:
        await _count_withdrawn(conn, delivery_id, slot, withdrawn)
    last = max((row["due_at"], row["recipient_kind"], row["recipient_id"], row["occurrence"]) for row in rows)
    claimed = [
        ClaimedRow(
            recipient_kind=row["recipient_kind"],
            recipient_id=row["recipient_id"],
            occurrence=row["occurrence"],
            attempt=row["attempt"],
            program_id=row["program_id"],
            address=row["address"],
            address_key=row["address_key"],
            values=row["values"],
        )
        for row in rows
        if row["state"] == 2
    ]
    ids = [row["recipient_id"] for row in rows]
    await conn.execute("UPDATE lease SET recipient_low = $2, recipient_high = $3 WHERE id = $1", lease_id, min(ids), max(ids))
    return Claim(lease_id=lease_id, at=now, rows=claimed, withdrawn=len(withdrawn), cursor=last)


def _arguments(keys: Sequence[HashKey]) -> tuple[list[Any], ...]:
    """Those by which a claim asks for addresses of erased people."""
    return [one.key_id for one in keys], [one.inner for one in keys], [one.outer for one in keys]


async def _count_withdrawn(conn: Connection, delivery_id: int, slot: int, rows: Sequence[tuple[int, int]]) -> None:
    """`rows`: recipient kinds and reasons."""
    await conn.execute(
        """
        INSERT INTO ledger_count (delivery_id, slot, state, reason, after_hand_over, n)
        SELECT $1, CASE WHEN r.kind = 4 THEN -1 ELSE $2::smallint END, change.state, change.reason, false, sum(change.n)
          FROM unnest($3::smallint[], $4::smallint[]) AS r (kind, reason),
               LATERAL (VALUES (1::smallint, 0::smallint, -1), (7::smallint, r.reason, 1)) AS change (state, reason, n)
         GROUP BY 2, change.state, change.reason
        ON CONFLICT (delivery_id, slot, state, reason, after_hand_over) DO UPDATE SET n = ledger_count.n + excluded.n
        """,
        delivery_id, slot, [kind for kind, _ in rows], [reason for _, reason in rows],
    )  # fmt: skip


async def renew(conn: Connection, lease_ids: Sequence[int], expires_at: datetime) -> None:
    """A sign of life for leases. One that was reaped stays dead."""
    await conn.execute("UPDATE lease SET expires_at = $2 WHERE id = ANY($1) AND ended_at IS NULL", list(lease_ids), expires_at)


async def end(conn: Connection, lease_id: int, *, settled: int, invalid: int, refused: int, now: datetime) -> Ended | None:
    """End a lease for its holder; None: it was ended before. Its rows still have to be let go of."""
    # FOR UPDATE, which the update itself would not take, waits for what is being stored under the lease.
    row = await conn.fetchrow(
        """
        UPDATE lease SET ended_at = $2, settled = $3, invalid = $4, refused = $5
         WHERE id = (SELECT id FROM lease WHERE id = $1 AND ended_at IS NULL FOR UPDATE)
        RETURNING id, delivery_id, address_kind, recipient_low, recipient_high
        """,
        lease_id, now, settled, invalid, refused,
    )  # fmt: skip
    return None if row is None else Ended(*row)


async def lock_silent(conn: Connection, now: datetime, limit: int = 100) -> list[int]:
    """The leases of workers that gave no sign of life, for us alone to end."""
    rows = await conn.fetch(
        """
        SELECT id FROM lease WHERE ended_at IS NULL AND expires_at < $1
         ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        now, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def has_claimed(conn: Connection, ended: Ended) -> bool:
    """Whether rows of the lease are told to be claimed and no more."""
    # It names every kind, because before PostgreSQL 18 a scan cannot skip over a column: it would read the whole delivery.
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM ledger
                        WHERE delivery_id = $1 AND recipient_kind IN (1, 2, 3, 4, 5) AND recipient_id BETWEEN $2 AND $3
                           AND lease_id = $4 AND state = 2)
        """,
        ended.delivery_id, ended.recipient_low, ended.recipient_high, ended.lease_id,
    )  # fmt: skip
    return found


async def let_go(conn: Connection, ended: Ended, now: datetime) -> tuple[int, int]:
    """Claimed rows go back, rows handed over become unknown or go back, as the delivery says: (released, unknown)."""
    row = await conn.fetchrow(
        """
        WITH policy AS (SELECT unknown_policy = 'resend' AS resend FROM delivery WHERE id = $2),
        moved AS (
            UPDATE ledger l
               SET state = CASE WHEN l.state = 2 OR policy.resend THEN 1 ELSE 6 END,
                   attempt = l.attempt + CASE WHEN l.state = 3 THEN 1 ELSE 0 END,
                   after_hand_over = l.state = 3 AND NOT policy.resend,
                   -- An unknown row keeps its lease: a worker that wakes up late may still tell its answer.
                   lease_id = CASE WHEN l.state = 2 OR policy.resend THEN NULL ELSE l.lease_id END,
                   settled_at = CASE WHEN l.state = 2 OR policy.resend THEN NULL ELSE $5::timestamptz END
              FROM policy
             WHERE l.delivery_id = $2 AND l.recipient_kind IN (1, 2, 3, 4, 5) AND l.recipient_id BETWEEN $3 AND $4
               AND l.lease_id = $1 AND l.state IN (2, 3)
            RETURNING l.state, CASE WHEN l.recipient_kind = 4 THEN -1 ELSE 0 END AS slot
        ), total AS (
            SELECT slot, count(*) FILTER (WHERE state = 1) AS released, count(*) FILTER (WHERE state = 6) AS unknown
              FROM moved GROUP BY slot
        ), counted AS (
            INSERT INTO ledger_count (delivery_id, slot, state, reason, after_hand_over, n)
            SELECT $2, total.slot, change.state, 0, change.after_hand_over, change.n
              FROM total, LATERAL (VALUES (1::smallint, false, -total.unknown), (6::smallint, true, total.unknown))
                            AS change (state, after_hand_over, n)
             WHERE total.unknown > 0
            ON CONFLICT (delivery_id, slot, state, reason, after_hand_over) DO UPDATE SET n = ledger_count.n + excluded.n
        )
        SELECT coalesce(sum(released), 0)::bigint AS released, coalesce(sum(unknown), 0)::bigint AS unknown FROM total
        """,
        ended.lease_id, ended.delivery_id, ended.recipient_low, ended.recipient_high, now,
    )  # fmt: skip
    return (row["released"], row["unknown"])


async def recent_refusals(conn: Connection, delivery_id: int, window: int) -> tuple[int, int, int]:
    """(settled, invalid, refused) over the newest batches that together reach `window` messages.

    What was before somebody resumed the delivery does not count: that has been looked at.
    """
    row = await conn.fetchrow(
        """
        WITH newest AS (
            SELECT settled, invalid, refused, sum(settled) OVER (ORDER BY id DESC) - settled AS newer
              FROM (SELECT id, settled, invalid, refused FROM lease
                     WHERE delivery_id = $1 AND ended_at IS NOT NULL AND settled > 0
                       AND claimed_at > coalesce((SELECT max(at) FROM delivery_log
                                                   WHERE delivery_id = $1 AND code = 'RESUMED'), '-infinity')
                     ORDER BY id DESC LIMIT 1000) AS last
        )
        SELECT coalesce(sum(settled), 0)::int AS settled, coalesce(sum(invalid), 0)::int AS invalid,
               coalesce(sum(refused), 0)::int AS refused
          FROM newest WHERE newer < $2
        """,
        delivery_id, window,
    )  # fmt: skip
    return (row["settled"], row["invalid"], row["refused"])
