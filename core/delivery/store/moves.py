"""SQL that moves ledger rows and counters to what was done with the messages of one delivery, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from core.db import Connection
from core.delivery.records import LedgerState
from core.delivery.retries import Verdict

Key = tuple[int, int, int]  # recipient kind, recipient id, occurrence


class Intent(Struct, frozen=True, gc=False):
    """A message about to be handed over under a lease."""

    key: Key
    lease_id: int


class Settlement(Struct, frozen=True, gc=False):
    """A message whose outcome is known."""

    key: Key
    lease_id: int
    verdict: Verdict
    handed_over: bool
    provider_id: str | None
    answer: str | None
    address_key: str


# One statement, so that a set costs one round trip; written twice it changes nothing more. A row moves only while it belongs
# to this very lease. Rows in doubt (6) may still be settled by the lease that handed them over; their counters move from
# unknown then. One that wants to be sent again stays in doubt when its delivery does not run any more: nobody would send it.
# No row is in both lists.
_WRITE = """
WITH told AS (
    SELECT * FROM unnest($3::smallint[], $4::bigint[], $5::integer[], $6::bigint[], $7::smallint[], $8::smallint[],
                         $9::timestamptz[], $10::boolean[], $11::boolean[], $12::text[], $13::text[])
        AS t (recipient_kind, recipient_id, occurrence, lease_id, state, reason, due_at, counts_attempt, handed_over,
              provider_id, answer)
), running AS (
    SELECT FROM delivery_run WHERE delivery_id = $1 AND state IN (55, 61, 62)
), before AS (
    SELECT t.*, l.state AS was, l.reason AS was_reason, l.after_hand_over AS was_after
      FROM told t JOIN ledger l
        ON l.delivery_id = $1 AND l.recipient_kind = t.recipient_kind AND l.recipient_id = t.recipient_id
       AND l.occurrence = t.occurrence AND l.lease_id = t.lease_id
       AND (l.state IN (2, 3) OR l.state = 6 AND (t.state <> 1 OR EXISTS (SELECT FROM running)))
       FOR UPDATE OF l
), settled AS (
    UPDATE ledger l
       SET state = b.state, reason = b.reason, due_at = coalesce(b.due_at, l.due_at),
           attempt = l.attempt + b.counts_attempt::int,
           lease_id = CASE WHEN b.state = 6 THEN l.lease_id END,
           settled_at = CASE WHEN b.state = 1 THEN NULL ELSE $14::timestamptz END,
           after_hand_over = b.handed_over AND b.state NOT IN (1, 8),
           -- Whoever was erased meanwhile has no address in the row: what the provider says of them is not kept.
           provider_id = CASE WHEN l.address IS NOT NULL THEN b.provider_id END,
           answer = CASE WHEN l.address IS NOT NULL THEN b.answer END
      FROM before b
     WHERE l.delivery_id = $1 AND l.recipient_kind = b.recipient_kind AND l.recipient_id = b.recipient_id
       AND l.occurrence = b.occurrence
    RETURNING b.was, b.was_reason, b.was_after, l.state, l.reason, l.after_hand_over,
              l.recipient_kind, l.recipient_id, l.occurrence, b.lease_id, l.address IS NOT NULL AS is_somebody
), change AS (  -- what is counted of traps has a slot of its own
    SELECT CASE WHEN recipient_kind = 4 THEN -1 ELSE $2::smallint END AS slot, state,
           CASE WHEN state = 1 THEN 0 ELSE reason END AS reason, after_hand_over, 1 AS n FROM settled
    UNION ALL
    SELECT CASE WHEN recipient_kind = 4 THEN -1 ELSE $2::smallint END, CASE WHEN was = 6 THEN 6 ELSE 1 END,
           CASE WHEN was = 6 THEN was_reason ELSE 0 END, was = 6 AND was_after, -1
      FROM settled
), counted AS (
    INSERT INTO ledger_count (delivery_id, slot, state, reason, after_hand_over, n)
    SELECT $1, slot, state, reason, after_hand_over, sum(n) FROM change
     GROUP BY slot, state, reason, after_hand_over HAVING sum(n) <> 0
    ON CONFLICT (delivery_id, slot, state, reason, after_hand_over) DO UPDATE SET n = ledger_count.n + excluded.n
), handed_over AS (
    UPDATE ledger l SET state = 3
      FROM unnest($15::smallint[], $16::bigint[], $17::integer[], $18::bigint[])
             AS i (recipient_kind, recipient_id, occurrence, lease_id)
     WHERE l.delivery_id = $1 AND l.recipient_kind = i.recipient_kind AND l.recipient_id = i.recipient_id
       AND l.occurrence = i.occurrence AND l.lease_id = i.lease_id AND l.state = 2
)
SELECT recipient_kind, recipient_id, occurrence, lease_id FROM settled WHERE is_somebody
"""


async def write(
    conn: Connection,
    delivery_id: int,
    slot: int,
    handed_over: Sequence[Intent],
    settlements: Sequence[Settlement],
    now: datetime,
) -> set[tuple[Key, int]]:
    """Move rows and counters; returns key and lease of those that were still their leases' to settle, and are somebody's."""
    if any(one.verdict.state is LedgerState.PENDING for one in settlements):
        # What goes back to be sent again must not do so while its delivery is being finished.
        await conn.execute("SELECT FROM delivery_run WHERE delivery_id = $1 FOR SHARE", delivery_id)
    rows = await conn.fetch(
        _WRITE,
        delivery_id,
        slot,
        [one.key[0] for one in settlements],
        [one.key[1] for one in settlements],
        [one.key[2] for one in settlements],
        [one.lease_id for one in settlements],
        [one.verdict.state for one in settlements],
        [one.verdict.reason for one in settlements],
        [one.verdict.due_at for one in settlements],
        [one.verdict.counts_attempt for one in settlements],
        [one.handed_over for one in settlements],
        [one.provider_id for one in settlements],
        [one.answer for one in settlements],
        now,
        [one.key[0] for one in handed_over],
        [one.key[1] for one in handed_over],
        [one.key[2] for one in handed_over],
        [one.lease_id for one in handed_over],
    )
    return {((kind, recipient_id, occurrence), lease_id) for kind, recipient_id, occurrence, lease_id in rows}
