"""SQL on `ledger` and `ledger_count`: partitions, reading, moving rows in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from channels.contract import FailureReason
from core.db import Connection, has_table
from core.delivery.records import CountRow, LedgerRow, LedgerState, RecipientKind

PARTITION_SPAN = 100  # delivery ids per partition
TRAP_SLOT = -1  # of the counters of traps, which count for nothing else
FIRST_TEST_PROFILE = 1_000_000_000_000_001  # migration 0028

_COLUMNS = """delivery_id, recipient_kind, recipient_id, occurrence, program_id, state, reason, attempt, after_hand_over,
              due_at, settled_at, address, values, provider_id, answer, segment_code, logged"""


def _row(row: Any) -> LedgerRow:
    values = dict(row)
    return LedgerRow(
        **{
            **values,
            "recipient_kind": RecipientKind(values["recipient_kind"]),
            "state": LedgerState(values["state"]),
            "reason": FailureReason(values["reason"]),
        }
    )


async def ensure_partition(conn: Connection, delivery_id: int) -> None:
    """Make the ledger partition of a delivery where it is missing. Attaching takes no lock that readers or writers feel."""
    low = delivery_id // PARTITION_SPAN * PARTITION_SPAN
    name = f"ledger_{low}"
    if await has_table(conn, name):
        return
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('ledger partition'))")
    if await has_table(conn, name):
        return
    await conn.execute(
        f"""
        CREATE TABLE {name} (LIKE ledger INCLUDING DEFAULTS) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
        ALTER TABLE ledger ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({low + PARTITION_SPAN})
        """
    )


async def analyze(conn: Connection, delivery_id: int) -> None:
    """Tell the planner what a preparation wrote, before the first claim is planned on no statistics at all."""
    await conn.execute(f"ANALYZE ledger_{delivery_id // PARTITION_SPAN * PARTITION_SPAN}")


async def get_counts(conn: Connection, delivery_id: int) -> list[CountRow]:
    """The counters of one delivery, summed over slots; no scan of the ledger."""
    return (await list_counts(conn, [delivery_id])).get(delivery_id, [])


async def list_counts(conn: Connection, delivery_ids: list[int]) -> dict[int, list[CountRow]]:
    """The counters of several deliveries in one statement, their traps left out."""
    return await _list_counts(conn, delivery_ids, traps=False)


async def get_trap_counts(conn: Connection, delivery_id: int) -> list[CountRow]:
    """How many traps of a delivery are in which state."""
    return (await list_trap_counts(conn, [delivery_id])).get(delivery_id, [])


async def list_trap_counts(conn: Connection, delivery_ids: list[int]) -> dict[int, list[CountRow]]:
    """The same of several deliveries in one statement."""
    return await _list_counts(conn, delivery_ids, traps=True)


async def has_pending(conn: Connection, delivery_id: int) -> bool:
    """Whether anything is still to be sent, to traps too."""
    found: bool = await conn.fetchval(
        "SELECT coalesce(sum(n), 0) <> 0 FROM ledger_count WHERE delivery_id = $1 AND state = 1", delivery_id
    )
    return found


async def _list_counts(conn: Connection, delivery_ids: list[int], *, traps: bool) -> dict[int, list[CountRow]]:
    rows = await conn.fetch(
        """
        SELECT delivery_id, state, reason, after_hand_over, sum(n)::bigint AS n
          FROM ledger_count WHERE delivery_id = ANY ($1) AND (slot = $2) = $3
         GROUP BY delivery_id, state, reason, after_hand_over
        HAVING sum(n) <> 0
         ORDER BY state, reason
        """,
        delivery_ids, TRAP_SLOT, traps,
    )  # fmt: skip
    found: dict[int, list[CountRow]] = {}
    for row in rows:
        count = CountRow(
            state=LedgerState(row["state"]),
            reason=FailureReason(row["reason"]),
            after_hand_over=row["after_hand_over"],
            n=row["n"],
        )
        found.setdefault(row["delivery_id"], []).append(count)
    return found


async def recount(conn: Connection, delivery_id: int) -> list[tuple[int, int, bool, int]]:
    """The same from the rows themselves, traps left out and moving states folded into pending; for checks and tests."""
    rows = await conn.fetch(
        """
        SELECT CASE WHEN state IN (2, 3) THEN 1 ELSE state END AS state,
               CASE WHEN state IN (1, 2, 3) THEN 0 ELSE reason END AS reason,
               after_hand_over AND state NOT IN (1, 2, 3) AS after_hand_over, count(*) AS n
          FROM ledger WHERE delivery_id = $1 AND recipient_kind <> 4 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        delivery_id,
    )
    return [tuple(row) for row in rows]


async def find_row(
    conn: Connection, delivery_id: int, kind: RecipientKind, recipient_id: int, occurrence: int
) -> LedgerRow | None:
    """One row by its key."""
    row = await conn.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM ledger
         WHERE delivery_id = $1 AND recipient_kind = $2 AND recipient_id = $3 AND occurrence = $4
        """,
        delivery_id, kind, recipient_id, occurrence,
    )  # fmt: skip
    return None if row is None else _row(row)


async def list_by_keys(conn: Connection, keys: Sequence[tuple[int, int, int, int]]) -> list[LedgerRow]:
    """Rows by (delivery, recipient kind, recipient, occurrence), in one statement."""
    deliveries, kinds, recipients, occurrences = zip(*keys, strict=True) if keys else ((), (), (), ())
    columns = ", ".join(f"l.{name.strip()}" for name in _COLUMNS.split(","))
    rows = await conn.fetch(
        f"""
        SELECT {columns}
          FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::integer[])
                 AS k (delivery_id, recipient_kind, recipient_id, occurrence)
          JOIN ledger l USING (delivery_id, recipient_kind, recipient_id, occurrence)
        """,
        list(deliveries), list(kinds), list(recipients), list(occurrences),
    )  # fmt: skip
    return [_row(row) for row in rows]


async def list_rows(
    conn: Connection, delivery_id: int, states: list[int] | None, after: int | None, limit: int
) -> list[LedgerRow]:
    """Rows in the order of recipients, after a recipient id: profiles', then traps', whose ids are the higher ones."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS} FROM ledger
         WHERE delivery_id = $1 AND (recipient_kind, recipient_id) > ($5::smallint, coalesce($3::bigint, -1))
           AND ($2::smallint[] IS NULL OR state = ANY($2))
         ORDER BY recipient_kind, recipient_id, occurrence LIMIT $4
        """,
        delivery_id, states, after, limit, RecipientKind.TRAP if (after or 0) >= FIRST_TEST_PROFILE else RecipientKind.PROFILE,
    )  # fmt: skip
    return [_row(row) for row in rows]


async def clear(conn: Connection, delivery_id: int) -> None:
    """Forget an unsent preparation."""
    await conn.execute(
        """
        WITH gone AS (DELETE FROM ledger WHERE delivery_id = $1),
             counts AS (DELETE FROM ledger_count WHERE delivery_id = $1),
             doubles AS (DELETE FROM prepare_duplicate WHERE delivery_id = $1),
             targets AS (DELETE FROM prepare_target WHERE delivery_id = $1)
        DELETE FROM program WHERE delivery_id = $1
        """,
        delivery_id,
    )


async def count_by_program(conn: Connection, delivery_id: int) -> dict[int, int]:
    """How many rows of a delivery are to be sent, by the id of their program. Scans the ledger of the delivery."""
    rows = await conn.fetch(
        """
        SELECT program_id, count(*) AS n FROM ledger WHERE delivery_id = $1 AND state = $2 AND recipient_kind <> $3
         GROUP BY program_id
        """,
        delivery_id, int(LedgerState.PENDING), int(RecipientKind.TRAP),
    )  # fmt: skip
    return {row["program_id"]: row["n"] for row in rows}


async def forget_scratch(conn: Connection, delivery_id: int) -> None:
    """Which addresses are shared, and whom a ranking found, is in the ledger by now."""
    await conn.execute(
        """
        WITH doubles AS (DELETE FROM prepare_duplicate WHERE delivery_id = $1)
        DELETE FROM prepare_target WHERE delivery_id = $1
        """,
        delivery_id,
    )


async def move_pending(
    conn: Connection, delivery_id: int, to: LedgerState, reason: FailureReason, limit: int, now: datetime
) -> int:
    """Take up to `limit` pending rows out of the running: stopped or expired. Returns how many."""
    moved: int = await conn.fetchval(
        """
        WITH victim AS (
            SELECT recipient_kind, recipient_id, occurrence FROM ledger
             WHERE delivery_id = $1 AND state = 1 LIMIT $4 FOR UPDATE SKIP LOCKED
        ), moved AS (
            UPDATE ledger l SET state = $2, reason = $3, settled_at = $5
              FROM victim v
             WHERE l.delivery_id = $1 AND l.recipient_kind = v.recipient_kind AND l.recipient_id = v.recipient_id
               AND l.occurrence = v.occurrence
            RETURNING CASE WHEN l.recipient_kind = 4 THEN -1 ELSE 0 END AS slot
        ), counted AS (
            INSERT INTO ledger_count (delivery_id, slot, state, reason, after_hand_over, n)
            SELECT $1, total.slot, change.state, change.reason, false, change.n
              FROM (SELECT slot, count(*) AS n FROM moved GROUP BY slot) AS total,
                   LATERAL (VALUES (1::smallint, 0::smallint, -total.n), ($2::smallint, $3::smallint, total.n))
                        AS change (state, reason, n)
            ON CONFLICT (delivery_id, slot, state, reason, after_hand_over) DO UPDATE SET n = ledger_count.n + excluded.n
        )
        SELECT count(*) FROM moved
        """,
        delivery_id, to, reason, limit, now,
    )  # fmt: skip
    return moved


async def settle_unknown(conn: Connection, delivery_id: int, to: LedgerState, reason: FailureReason, now: datetime) -> int:
    """Move every row in doubt to a state somebody decided on; the lease that left it there can tell no more."""
    settled: int = await conn.fetchval(
        """
        WITH doubtful AS (
            SELECT recipient_kind, recipient_id, occurrence, reason, after_hand_over FROM ledger
             WHERE delivery_id = $1 AND state = 6 FOR UPDATE
        ), moved AS (
            UPDATE ledger l SET state = $2::smallint, reason = $3::smallint, lease_id = NULL,
                                due_at = CASE WHEN $2::smallint = 1 THEN $4::timestamptz ELSE due_at END,
                                after_hand_over = $2::smallint <> 1,
                                settled_at = CASE WHEN $2::smallint = 1 THEN NULL ELSE $4::timestamptz END
              FROM doubtful d
             WHERE l.delivery_id = $1 AND l.recipient_kind = d.recipient_kind AND l.recipient_id = d.recipient_id
               AND l.occurrence = d.occurrence
            RETURNING d.reason, d.after_hand_over, CASE WHEN l.recipient_kind = 4 THEN -1 ELSE 0 END AS slot
        ), counted AS (
            INSERT INTO ledger_count (delivery_id, slot, state, reason, after_hand_over, n)
            SELECT $1, slot, 6, reason, after_hand_over, -count(*) FROM moved GROUP BY slot, reason, after_hand_over
            UNION ALL
            SELECT $1, slot, $2::smallint, $3::smallint, $2::smallint <> 1, count(*) FROM moved GROUP BY slot
            ON CONFLICT (delivery_id, slot, state, reason, after_hand_over) DO UPDATE SET n = ledger_count.n + excluded.n
        )
        SELECT count(*) FROM moved
        """,
        delivery_id, to, reason, now,
    )  # fmt: skip
    return settled


async def next_due(conn: Connection, delivery_id: int) -> datetime | None:
    """When the next pending row wants to be tried; None when none is pending."""
    due: datetime | None = await conn.fetchval(
        "SELECT due_at FROM ledger WHERE delivery_id = $1 AND state = 1 ORDER BY due_at LIMIT 1", delivery_id
    )
    return due


async def last_due(conn: Connection, delivery_id: int) -> datetime | None:
    """When the last pending row wants to be tried; None when none is pending."""
    due: datetime | None = await conn.fetchval(
        "SELECT due_at FROM ledger WHERE delivery_id = $1 AND state = 1 ORDER BY due_at DESC LIMIT 1", delivery_id
    )
    return due


async def count_later(conn: Connection, delivery_id: int, than: datetime) -> int:
    """How many pending rows are due after a moment."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM ledger WHERE delivery_id = $1 AND state = 1 AND due_at > $2", delivery_id, than
    )
    return found


async def count_due(
    conn: Connection, delivery_id: int, unit: str, zone: str, start: datetime | None, most: int
) -> list[tuple[datetime, int]]:
    """How many pending rows, traps left out, are due in each hour or day (`unit`) of a zone, none before `start`."""
    rows = await conn.fetch(
        """
        SELECT date_trunc($2, greatest(due_at, $4::timestamptz), $3) AS at, count(*) AS n
          FROM ledger WHERE delivery_id = $1 AND state = 1 AND recipient_kind <> 4
         GROUP BY 1 ORDER BY 1 LIMIT $5
        """,
        delivery_id, unit, zone, start, most,
    )  # fmt: skip
    return [(row["at"], row["n"]) for row in rows]


async def blank_traps(conn: Connection, member: str, profile_ids: Sequence[int], address_keys: Sequence[str]) -> int:
    """Forget what was written to traps whose values name one of these profiles as their member, or at these addresses."""
    done: str = await conn.execute(
        """
        UPDATE ledger l SET address = NULL, address_key = NULL, values = NULL, provider_id = NULL, answer = NULL
         WHERE l.delivery_id IN (SELECT delivery_id FROM ledger_count WHERE slot = $1) AND l.recipient_kind = 4
           AND ((l.values ->> $2)::bigint = ANY($3::bigint[]) OR l.address_key = ANY($4::text[]))
        """,
        TRAP_SLOT, member, list(profile_ids), list(address_keys),
    )  # fmt: skip
    return int(done.rpartition(" ")[2])
