"""How sending ends: finished, expired, cancelled, or paused because too much was refused."""

from __future__ import annotations

from datetime import datetime

from channels.contract import FailureReason
from core.access import SYSTEM
from core.audit import record
from core.config import Settings
from core.db import Connection, Pool, transaction
from core.delivery import lifecycle, versions
from core.delivery.records import DeliveryRun, DeliveryState, LedgerState, LogLevel
from core.delivery.state import SENDING, Move, after, is_allowed
from core.delivery.store import leases, ledger, runs
from core.errors import ClarionError
from core.outbox import announce
from core.planning import deliveries

CHUNK = 20_000  # rows moved per transaction
REFUSED_LIMIT = 0.5  # share of refusals for content or reputation in the window that pauses a delivery
REFUSED_LEAST = 100  # refusals before that share means anything


async def start(pool: Pool, delivery_id: int, now: datetime) -> bool:
    """Start a confirmed delivery whose contact date came. What changed since prepare is not sent: it goes back to edition."""
    async with transaction(pool) as conn:
        run = await runs.lock_run(conn, delivery_id)
        if run.state is not DeliveryState.START_PENDING or run.contact_at is None or run.contact_at > now:
            return False
        changed = await versions.changed_since(conn, run, now)
        if changed:
            await lifecycle.invalidate(conn, SYSTEM, delivery_id, now)
            await runs.add_log(
                conn, delivery_id, now, LogLevel.ERROR, "STALE_PREPARATION",
                f"not started: {' and '.join(changed)} changed since it was prepared; prepare it again",
            )  # fmt: skip
            return False
        delivery = await deliveries.get_delivery(conn, delivery_id)
        last = await ledger.last_due(conn, delivery_id) or now  # its duration is that of whoever gets it last
        await runs.set_state(conn, delivery_id, after(Move.START, run.state), now)
        await runs.set_started(conn, delivery_id, max(now, last) + delivery.duration, now)
        await runs.add_log(conn, delivery_id, now, LogLevel.INFO, "STARTED", "sending started")
        await record(conn, SYSTEM, "delivery.start", "delivery", delivery_id)
        await announce(conn, "delivery.started", delivery_id=delivery_id)
        return True


async def end_if_done(pool: Pool, delivery_id: int, now: datetime) -> bool:
    """Finish a delivery with nothing left to send; expire what is left after its duration; cancel what a stop left."""
    async with pool.acquire() as conn:
        run = await runs.find_run(conn, delivery_id)
    if run is None or run.finished_at is not None:
        return False
    if run.state is DeliveryState.CANCELLED:
        await _move_all(pool, delivery_id, LedgerState.CANCELLED, FailureReason.DELIVERY_CANCELED, now)
    elif run.state in SENDING and run.deadline is not None and run.deadline <= now:
        await _move_all(pool, delivery_id, LedgerState.EXPIRED, FailureReason.EXPIRED, now)
    async with transaction(pool) as conn:
        return await _close(conn, await runs.lock_run(conn, delivery_id), now)


async def _move_all(pool: Pool, delivery_id: int, to: LedgerState, reason: FailureReason, now: datetime) -> None:
    moved = CHUNK
    while moved:
        async with transaction(pool) as conn:
            moved = await ledger.move_pending(conn, delivery_id, to, reason, CHUNK, now)


async def _close(conn: Connection, run: DeliveryRun, now: datetime) -> bool:
    if run.finished_at is not None or not (is_allowed(Move.FINISH, run.state) or run.state is DeliveryState.CANCELLED):
        return False
    if await ledger.has_pending(conn, run.delivery_id):
        return False
    counts = await ledger.get_counts(conn, run.delivery_id)
    await runs.set_finished(conn, run.delivery_id, now)
    if run.state is not DeliveryState.CANCELLED:
        await runs.set_state(conn, run.delivery_id, after(Move.FINISH, run.state), now)
    totals: dict[str, int] = {}
    for row in counts:
        totals[row.state.name.lower()] = totals.get(row.state.name.lower(), 0) + row.n
    await runs.add_log(conn, run.delivery_id, now, LogLevel.INFO, "FINISHED", "nothing is left to send", totals)
    await record(conn, SYSTEM, "delivery.finish", "delivery", run.delivery_id, totals)
    await announce(conn, "delivery.finished", delivery_id=run.delivery_id)
    return True


async def pause_if_refused(pool: Pool, settings: Settings, delivery_id: int, now: datetime) -> bool:
    """Pause a delivery whose newest messages go to too many invalid addresses, or are refused as a rule."""
    async with transaction(pool) as conn:
        if await _refused(conn, settings, delivery_id) is None:
            return False
        await runs.lock_run(conn, delivery_id)
        reason = await _refused(conn, settings, delivery_id)  # again: who has resumed it meanwhile has judged what there was
        return reason is not None and await _pause(conn, delivery_id, now, "PAUSED_BY_REFUSALS", reason)


async def _refused(conn: Connection, settings: Settings, delivery_id: int) -> str | None:
    settled, invalid, refused = await leases.recent_refusals(conn, delivery_id, settings.invalid_window)
    if invalid > settings.invalid_limit * max(settled, settings.invalid_window):
        return f"{invalid} of the last {settled} addresses do not exist"
    if refused >= REFUSED_LEAST and refused > REFUSED_LIMIT * settled:
        return f"{refused} of the last {settled} messages were refused for their content or our reputation"
    return None


async def pause_for(pool: Pool, delivery_id: int, error: ClarionError, now: datetime) -> None:
    """Pause a delivery that cannot be sent until a person has mended what the error names."""
    async with transaction(pool) as conn:
        await _pause(conn, delivery_id, now, error.code, " ".join(filter(None, (f"{error.message}.", error.hint))))


async def _pause(conn: Connection, delivery_id: int, now: datetime, code: str, reason: str) -> bool:
    run = await runs.lock_run(conn, delivery_id)
    if run.state not in SENDING:
        return False
    await lifecycle.pause(conn, SYSTEM, delivery_id, now, reason)
    await runs.add_log(conn, delivery_id, now, LogLevel.ERROR, code, reason)
    return True
