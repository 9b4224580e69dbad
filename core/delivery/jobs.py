"""Jobs of this room: each reads the rows and does nothing when there is nothing to do."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.db import Connection, transaction
from core.delivery import ending, lease_ends
from core.delivery.engine import engine_of
from core.delivery.records import DeliveryRun, DeliveryState
from core.delivery.state import PREPARING, SENDING, UNPREPARED
from core.delivery.store import ledger, runs
from core.jobs import Next, Queue, job
from core.log import get_logger
from core.outbox import announce
from core.runtime import Runtime

log = get_logger(__name__)

QUIET = timedelta(seconds=20)  # a preparation without a sign of life for so long is taken over


@job("delivery.prepare", queue=Queue.HEAVY)
async def prepare(runtime: Runtime, delivery_id: int) -> None:
    """Compute the ledger."""
    await engine_of(runtime).preparation.run(delivery_id)


@job("delivery.clear", queue=Queue.HEAVY)
async def clear(runtime: Runtime, delivery_id: int) -> None:
    """Empty the ledger of a preparation that does not hold any more."""
    async with transaction(runtime.pool) as conn:
        run = await runs.lock_run_if_free(conn, delivery_id)
        if run is not None and run.state in UNPREPARED:
            await ledger.clear(conn, delivery_id)


@job("delivery.start", queue=Queue.URGENT)
async def start(runtime: Runtime, delivery_id: int) -> None:
    """Start it if its contact date came."""
    await ending.start(runtime.pool, delivery_id, runtime.clock())


@job("delivery.send", queue=Queue.SEND)
async def send(runtime: Runtime, delivery_id: int) -> Next | None:
    """Send what is due; every process takes a share."""
    engine = engine_of(runtime)
    if engine.sending.is_sending(delivery_id):
        return Next.PASS_ON
    await engine.sending.run(delivery_id)
    return None


@job("delivery.end", queue=Queue.URGENT)
async def end(runtime: Runtime, delivery_id: int) -> None:
    """Finish, expire or cancel."""
    await ending.end_if_done(runtime.pool, delivery_id, runtime.clock())


async def sweep(runtime: Runtime) -> None:
    """Reap dead leases, and announce again what somebody should be working on. Runs every few seconds in the relay."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        for reaped in await lease_ends.reap(conn, now):
            log.warning(
                "lease of a silent worker ended", lease_id=reaped.lease_id, delivery_id=reaped.delivery_id,
                released=reaped.released, unknown=reaped.unknown,
            )  # fmt: skip
        for run in await runs.list_moving(conn, now, now - QUIET):
            if run.state in SENDING and run.deadline is not None and run.deadline > now:
                await _send_on(conn, run, now)
            else:
                await announce(conn, _topic(run), delivery_id=run.delivery_id)


def _topic(run: DeliveryRun) -> str:
    if run.state in PREPARING:
        return "delivery.prepare_asked"
    return "delivery.confirmed" if run.state is DeliveryState.START_PENDING else "delivery.ending"


async def _send_on(conn: Connection, run: DeliveryRun, now: datetime) -> None:
    """What a running delivery needs: to be sent, to be ended, or to wait until the next retry is due."""
    due = await ledger.next_due(conn, run.delivery_id)
    if due is None:
        await announce(conn, "delivery.ending", delivery_id=run.delivery_id)
    elif due <= now:
        await runs.move_on(conn, run.delivery_id, DeliveryState.RETRY_PENDING, DeliveryState.RETRY_IN_PROGRESS, now)
        await announce(conn, "delivery.due", delivery_id=run.delivery_id)
    elif run.state is not DeliveryState.RETRY_PENDING:
        await runs.move_on(conn, run.delivery_id, run.state, DeliveryState.RETRY_PENDING, now)
