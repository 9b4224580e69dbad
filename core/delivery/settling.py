"""What was done with messages becomes ledger rows, counters and blamed addresses, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.delivery.retries import AddressVerdict
from core.delivery.store import moves
from core.delivery.store.moves import Intent, Settlement
from core.profiles import quarantine


async def write(
    conn: Connection,
    delivery_id: int,
    address_kind: str,
    slot: int,
    handed_over: Sequence[Intent],
    settlements: Sequence[Settlement],
    now: datetime,
) -> None:
    """Write it all, inside a transaction; what was written before, or is not its lease's any more, changes nothing."""
    settled = await moves.write(conn, delivery_id, slot, handed_over, settlements, now)
    for verdict, blame in ((AddressVerdict.HARD, quarantine.record_hard), (AddressVerdict.SOFT, quarantine.record_soft)):
        bad = [one for one in settlements if one.verdict.address is verdict and (one.key, one.lease_id) in settled]
        if bad:
            await blame(conn, address_kind, [_error(one) for one in bad], delivery_id=delivery_id, now=now)


def _error(settlement: Settlement) -> quarantine.AddressError:
    verdict = settlement.verdict
    return quarantine.AddressError(
        address_key=settlement.address_key,
        reason=verdict.address_reason or verdict.reason,
        text=settlement.answer or "",
    )
