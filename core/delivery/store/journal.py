"""SQL of the group commit: what a process did under its leases, one small row each time, until the ledger's rows say it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from channels.contract import FailureReason
from core.db import Connection
from core.delivery.records import LedgerState
from core.delivery.retries import AddressVerdict, Verdict
from core.delivery.store.moves import Intent, Key, Settlement

# Of a settlement: its key, where the row goes, what the provider said, and what that says about the address.
_Line = tuple[
    Key, LedgerState, FailureReason, datetime | None, bool, bool, str | None, str | None,
    AddressVerdict, FailureReason | None, str,
]  # fmt: skip

_encode = msgspec.json.Encoder().encode
_decode_keys = msgspec.json.Decoder(list[Key]).decode
_decode_lines = msgspec.json.Decoder(list[_Line]).decode


@dataclass(slots=True)
class Entry:
    """What one commit says about one lease."""

    intents: list[Intent]
    settlements: list[Settlement]


# The fence: nothing is stored under a lease that has ended, and no lease ends between this look and the commit (who ends it
# locks its row first). Intents are stored only while the delivery runs; outcomes always.
_APPEND = """
INSERT INTO lease_journal (lease_id, handed_over, settled)
SELECT l.id,
       CASE WHEN EXISTS (SELECT FROM delivery_run WHERE delivery_id = $1 AND state IN (55, 61, 62)) THEN t.handed_over END,
       t.settled
  FROM unnest($2::bigint[], $3::bytea[], $4::bytea[]) AS t (lease_id, handed_over, settled)
  JOIN lease l ON l.id = t.lease_id AND l.ended_at IS NULL
   FOR KEY SHARE OF l
RETURNING lease_id, handed_over IS NOT NULL
"""


async def append(conn: Connection, delivery_id: int, entries: Mapping[int, Entry]) -> set[int]:
    """Store what was done, by lease; returns the leases whose messages may really be handed over.

    Storing the same twice harms nothing.
    """
    rows = await conn.fetch(
        _APPEND,
        delivery_id,
        list(entries),
        [_encode([one.key for one in entry.intents]) if entry.intents else None for entry in entries.values()],
        [_encode([_line(one) for one in entry.settlements]) if entry.settlements else None for entry in entries.values()],
    )
    return {lease_id for lease_id, granted in rows if granted}


def _line(settlement: Settlement) -> _Line:
    verdict = settlement.verdict
    return (
        settlement.key, verdict.state, verdict.reason, verdict.due_at, verdict.counts_attempt, settlement.handed_over,
        settlement.provider_id, settlement.answer, verdict.address, verdict.address_reason, settlement.address_key,
    )  # fmt: skip


async def read(conn: Connection, lease_id: int) -> Entry:
    """All that was done under a lease."""
    found = Entry([], [])
    for row in await conn.fetch("SELECT handed_over, settled FROM lease_journal WHERE lease_id = $1", lease_id):
        if row["handed_over"] is not None:
            found.intents += [Intent(key, lease_id) for key in _decode_keys(row["handed_over"])]
        if row["settled"] is not None:
            found.settlements += [_settlement(lease_id, line) for line in _decode_lines(row["settled"])]
    return found


def _settlement(lease_id: int, line: _Line) -> Settlement:
    key, state, reason, due_at, counts_attempt, handed_over, provider_id, answer, address, address_reason, address_key = line
    verdict = Verdict(
        state=state, reason=reason, due_at=due_at, counts_attempt=counts_attempt, address=address, address_reason=address_reason
    )
    return Settlement(key, lease_id, verdict, handed_over, provider_id, answer, address_key)


async def forget(conn: Connection, lease_id: int) -> None:
    """The ledger's rows say it all by now."""
    await conn.execute("DELETE FROM lease_journal WHERE lease_id = $1", lease_id)
