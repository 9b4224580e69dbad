"""Rows in doubt: handed to the provider, whose answer was lost. An operator who asked the provider settles them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from channels.contract import FailureReason
from core import audit
from core.access import Actor, Permission, require
from core.db import Connection
from core.delivery.records import LedgerState, LogLevel
from core.delivery.state import SENDING
from core.delivery.store import ledger, runs
from core.errors import IllegalMove
from core.outbox import announce


class Decision(StrEnum):
    """What an operator found out about the messages in doubt."""

    ACCEPTED = "accepted"  # the provider has them
    FAILED = "failed"  # the provider refused them
    RESEND = "resend"  # the provider never had them: send them again


_STATES = {
    Decision.ACCEPTED: (LedgerState.ACCEPTED, FailureReason.NOT_DEFINED),
    Decision.FAILED: (LedgerState.FAILED, FailureReason.NOT_DEFINED),
    Decision.RESEND: (LedgerState.PENDING, FailureReason.NOT_DEFINED),
}


async def settle_doubtful(conn: Connection, actor: Actor, delivery_id: int, decision: Decision, now: datetime) -> int:
    """Settle every row in doubt of a delivery; returns how many. Raises IllegalMove: only what still runs can send again."""
    require(actor, Permission.START)
    run = await runs.lock_run(conn, delivery_id)
    if decision is Decision.RESEND and run.state not in SENDING:
        raise IllegalMove(
            f"a delivery in state {run.state.name} ({run.state.value}) sends nothing again",
            hint="Settle them as accepted or failed, or write to these people with a new delivery.",
        )
    state, reason = _STATES[decision]
    settled = await ledger.settle_unknown(conn, delivery_id, state, reason, now)
    if settled:
        await audit.record(
            conn, actor, "delivery.settle_doubtful", "delivery", delivery_id, {"as": decision.value, "rows": settled}
        )
        await runs.add_log(
            conn, delivery_id, now, LogLevel.INFO, "DOUBT_SETTLED", f"{settled} messages in doubt settled as {decision.value}",
            {"by": actor.name},
        )  # fmt: skip
    if decision is Decision.RESEND and settled:
        await announce(conn, "delivery.resumed", delivery_id=delivery_id)
    return settled
