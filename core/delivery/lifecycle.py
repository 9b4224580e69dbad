"""What a person may do with a delivery. Each: require → lock → ask the state machine → write → audit → announce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core import audit
from core.access import Actor, Permission, require
from core.db import Connection
from core.delivery import versions
from core.delivery.records import DeliveryRun, DeliveryState, LogLevel
from core.delivery.state import Move, after, is_allowed
from core.delivery.store import ledger, runs
from core.errors import NotFound
from core.outbox import announce
from core.planning import computed, deliveries, seeds
from core.planning.computed_records import SendDates, SendingLog
from core.planning.records import Delivery
from core.planning.seed_records import ControlGroup, Traps
from core.profiles.team_rows import NO_VALUES, Values


async def get_run(conn: Connection, delivery_id: int) -> DeliveryRun:
    """The run of a delivery; a fresh one where nothing was asked yet. Raises NotFound."""
    run = await runs.find_run(conn, delivery_id)
    if run is not None:
        return run
    return fresh_run(await deliveries.get_delivery(conn, delivery_id))


async def runs_of(conn: Connection, plans: Sequence[Delivery]) -> dict[int, DeliveryRun]:
    """The runs of several deliveries by id, in one statement; fresh ones where nothing was asked yet."""
    found = await runs.list_runs(conn, [plan.id for plan in plans])
    return {plan.id: found.get(plan.id) or fresh_run(plan) for plan in plans}


def fresh_run(delivery: Delivery) -> DeliveryRun:
    """The run of a delivery of which nothing was asked yet."""
    return DeliveryRun(
        delivery_id=delivery.id,
        state=DeliveryState.EDITION,
        versions=None,
        prepare_id=0,
        prepare_from=None,
        prepare_to=None,
        prepared_at=None,
        contact_at=None,
        deadline=None,
        confirmed_at=None,
        started_at=None,
        finished_at=None,
        pause_reason=None,
        error=None,
        updated_at=delivery.updated_at,
    )


async def check_editable(conn: Connection, delivery_id: int) -> None:
    """Lock the run and raise IllegalMove while the delivery is prepared or sent, and after it ended."""
    after(Move.EDIT, (await runs.lock_run(conn, delivery_id)).state)


async def update(
    conn: Connection,
    actor: Actor,
    delivery_id: int,
    changes: Mapping[str, Any],
    team: Values = NO_VALUES,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Delivery:
    """Change a delivery that is not being prepared or sent; what was prepared or confirmed is not any more (5.14).

    Raises IllegalMove, and as `planning.deliveries.update_delivery`.
    """
    await check_editable(conn, delivery_id)
    before = await deliveries.get_delivery(conn, delivery_id)
    updated = await deliveries.update_delivery(conn, actor, delivery_id, changes, team, expected_version=expected_version)
    if updated.version != before.version:
        await invalidate(conn, actor, delivery_id, now)
    return updated


async def set_traps(conn: Connection, actor: Actor, delivery_id: int, traps: Traps, now: datetime) -> None:
    """Give a delivery that may be changed these traps and no others. Raises IllegalMove, and as `planning.seeds.set_traps`."""
    await check_editable(conn, delivery_id)
    if await seeds.set_traps(conn, actor, delivery_id, traps):
        await invalidate(conn, actor, delivery_id, now)


async def set_control_group(
    conn: Connection, actor: Actor, delivery_id: int, group: ControlGroup | None, now: datetime
) -> None:
    """Hold back these people from a delivery that may be changed. Raises IllegalMove, and as
    `planning.seeds.set_control_group`.
    """
    await check_editable(conn, delivery_id)
    if await seeds.set_control_group(conn, actor, delivery_id, group):
        await invalidate(conn, actor, delivery_id, now)


async def set_sending_log(
    conn: Connection, actor: Actor, delivery_id: int, kept: SendingLog | None, now: datetime
) -> None:  # fmt: skip
    """Have the ledger of a delivery that may be changed keep this of each recipient. Raises IllegalMove, and as
    `planning.computed.set_sending_log`.
    """
    await check_editable(conn, delivery_id)
    if await computed.set_sending_log(conn, actor, delivery_id, kept):
        await invalidate(conn, actor, delivery_id, now)


async def set_send_dates(conn: Connection, actor: Actor, delivery_id: int, dates: SendDates | None, now: datetime) -> None:
    """Have the send date of each recipient of a delivery that may be changed computed. Raises IllegalMove, and as
    `planning.computed.set_send_dates`.
    """
    await check_editable(conn, delivery_id)
    if await computed.set_send_dates(conn, actor, delivery_id, dates):
        await invalidate(conn, actor, delivery_id, now)


async def invalidate(conn: Connection, actor: Actor, delivery_id: int, now: datetime) -> None:
    """What was prepared does not hold any more: back to edition. Nothing happens where nothing was."""
    run = await runs.lock_run(conn, delivery_id)
    if is_allowed(Move.INVALIDATE, run.state):
        await _move(conn, actor, delivery_id, Move.INVALIDATE, now)
        await forget(conn, delivery_id)


async def forget(conn: Connection, delivery_id: int) -> None:
    """Nothing is prepared any more; a job clears the ledger."""
    await runs.forget_preparation(conn, delivery_id)
    await announce(conn, "delivery.unprepared", delivery_id=delivery_id)


async def discard(conn: Connection, delivery_id: int) -> None:
    """Forget the preparation of a delivery that is about to be deleted. Raises IllegalMove like `check_editable`."""
    await check_editable(conn, delivery_id)
    await ledger.clear(conn, delivery_id)


async def prepare(conn: Connection, actor: Actor, delivery_id: int, now: datetime) -> DeliveryRun:
    """Ask for the ledger to be computed. Nothing is sent; an earlier preparation is forgotten."""
    require(actor, Permission.PREPARE)
    run = await _move(conn, actor, delivery_id, Move.PREPARE, now)
    await runs.begin_preparation(conn, delivery_id, now)
    await announce(conn, "delivery.prepare_asked", delivery_id=delivery_id)
    return await _reread(conn, run)


async def stop_preparation(conn: Connection, actor: Actor, delivery_id: int, now: datetime) -> DeliveryRun:
    """Stop a running preparation: what it is at is ended within seconds; what it wrote is forgotten with the next one."""
    require(actor, Permission.PREPARE)
    run = await _move(conn, actor, delivery_id, Move.STOP_PREPARATION, now)
    await runs.take_over_preparation(conn, delivery_id, now)
    await forget(conn, delivery_id)
    return await _reread(conn, run)


async def confirm(conn: Connection, actor: Actor, delivery_id: int, now: datetime) -> DeliveryRun:
    """Release a prepared delivery: it starts at its contact date, or at once; with send dates, at the first of them.

    Raises IllegalMove, Stale.
    """
    require(actor, Permission.START)
    run = await runs.lock_run(conn, delivery_id)
    after(Move.CONFIRM, run.state)
    await versions.check_unchanged(conn, run, now)
    await _move(conn, actor, delivery_id, Move.CONFIRM, now)
    delivery = await deliveries.get_delivery(conn, delivery_id)
    has_dates = delivery_id in await computed.get_send_dates(conn, [delivery_id])
    first = await ledger.next_due(conn, delivery_id) if has_dates else delivery.contact_at
    await runs.set_contact(conn, delivery_id, max(now, first or now), now)
    await announce(conn, "delivery.confirmed", delivery_id=delivery_id)
    return await _reread(conn, run)


async def pause(conn: Connection, actor: Actor, delivery_id: int, now: datetime, reason: str | None = None) -> DeliveryRun:
    """Hand nothing more over until resumed. Messages whose bytes are under way still get their outcome."""
    require(actor, Permission.START)
    run = await _move(conn, actor, delivery_id, Move.PAUSE, now)
    await runs.set_pause_reason(conn, delivery_id, reason or "asked for")
    return await _reread(conn, run)


async def resume(conn: Connection, actor: Actor, delivery_id: int, now: datetime) -> DeliveryRun:
    """Go on where it paused; one that never started waits for its contact date again."""
    require(actor, Permission.START)
    run = await runs.lock_run(conn, delivery_id)
    after(Move.RESUME, run.state)
    target = DeliveryState.START_PENDING if run.started_at is None else DeliveryState.STARTED
    await runs.set_state(conn, delivery_id, target, now)
    await runs.set_pause_reason(conn, delivery_id, None)
    await audit.record(conn, actor, "delivery.resume", "delivery", delivery_id)
    await runs.add_log(conn, delivery_id, now, LogLevel.INFO, "RESUMED", "resumed", {"by": actor.name})
    topic = "delivery.confirmed" if run.started_at is None else "delivery.resumed"
    await announce(conn, topic, delivery_id=delivery_id)
    return await _reread(conn, run)


async def stop(conn: Connection, actor: Actor, delivery_id: int, now: datetime) -> DeliveryRun:
    """End it for good; what is still pending becomes cancelled."""
    require(actor, Permission.START)
    run = await _move(conn, actor, delivery_id, Move.STOP, now)
    await announce(conn, "delivery.stopped", delivery_id=delivery_id)
    return await _reread(conn, run)


def allowed_moves(run: DeliveryRun) -> list[Move]:
    """What a person may ask of the delivery now."""
    asked = (Move.PREPARE, Move.STOP_PREPARATION, Move.CONFIRM, Move.PAUSE, Move.RESUME, Move.STOP, Move.EDIT)
    return [move for move in asked if is_allowed(move, run.state)]


async def _move(conn: Connection, actor: Actor, delivery_id: int, move: Move, now: datetime) -> DeliveryRun:
    run = await runs.lock_run(conn, delivery_id)
    target = after(move, run.state)
    await runs.set_state(conn, delivery_id, target, now)
    await audit.record(
        conn, actor, f"delivery.{move.name.lower()}", "delivery", delivery_id,
        {"state": {"from": run.state.name, "to": target.name}},
    )  # fmt: skip
    await runs.add_log(
        conn, delivery_id, now, LogLevel.INFO, f"{move.name}_ASKED", f"asked to {move.value}", {"by": actor.name}
    )
    return run


async def _reread(conn: Connection, run: DeliveryRun) -> DeliveryRun:
    found = await runs.find_run(conn, run.delivery_id)
    if found is None:
        raise NotFound("there is no such delivery", code="DELIVERY_NOT_FOUND", path="id")
    return found
