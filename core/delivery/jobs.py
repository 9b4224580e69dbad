"""Jobs of this room: each reads the rows and does nothing when there is nothing to do."""

from __future__ import annotations

from datetime import timedelta

from core.db import transaction
from core.delivery import ending
from core.delivery.engine import engine_of
from core.delivery.records import DeliveryState
from core.delivery.state import PREPARING, SENDING
from core.delivery.store import leases, ledger, runs
from core.jobs import Queue, job
from core.log import get_logger
from core.outbox import announce
from core.runtime import Runtime

log = get_logger(__name__)

QUIET = timedelta(seconds=20)  # a preparation without a sign of life for so long is taken over


@job("delivery.prepare", queue=Queue.HEAVY)
async def prepare(runtime: Runtime, delivery_id: int) -> None:
    """Compute the ledger."""
    await engine_of(runtime).preparation.run(delivery_id)


@job("delivery.start", queue=Queue.URGENT)
async def start(runtime: Runtime, delivery_id: int) -> None:
    """Start it if its contact date came."""
    await ending.start(runtime.pool, delivery_id, runtime.clock())


@job("delivery.send", queue=Queue.SEND)
async def send(runtime: Runtime, delivery_id: int) -> None:
    """Send what is due."""
    await engine_of(runtime).sending.run(delivery_id)


@job("delivery.end", queue=Queue.URGENT)
async def end(runtime: Runtime, delivery_id: int) -> None:
    """Finish, expire or cancel."""
    await ending.end_if_done(runtime.pool, delivery_id, runtime.clock())


async def sweep(runtime: Runtime) -> None:
    """Reap dead leases, and announce again what somebody should be working on. Runs every few seconds in the relay."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        for reaped in await leases.reap(conn, now):
            log.warning(
                "lease of a silent worker ended", lease_id=reaped.lease_id, delivery_id=reaped.delivery_id,
                released=reaped.released, unknown=reaped.unknown,
            )  # fmt: skip
        for run in await runs.list_moving(conn, now, now - QUIET):
            if run.state in PREPARING:
                await announce(conn, "delivery.prepare_asked", delivery_id=run.delivery_id)
            elif run.state is DeliveryState.START_PENDING:
                await announce(conn, "delivery.confirmed", delivery_id=run.delivery_id)
            elif run.state in SENDING and run.deadline is not None and run.deadline > now:
                due = await ledger.next_due(conn, run.delivery_id)
                if due is not None and due <= now:
                    await announce(conn, "delivery.resumed", delivery_id=run.delivery_id)
                elif due is None:
                    await announce(conn, "delivery.ending", delivery_id=run.delivery_id)
            else:
                await announce(conn, "delivery.ending", delivery_id=run.delivery_id)
