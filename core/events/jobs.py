"""What the room of events does for others, and on a schedule."""

from __future__ import annotations

from core.db import transaction
from core.events import changes, retention
from core.events.forgetting import MOST_AT_ONCE, forget_events, forget_left
from core.events.present import present_event_types
from core.jobs import Queue, job
from core.runtime import Runtime


@job("events.forget", queue=Queue.HEAVY)
async def forget(runtime: Runtime, profile_id: int) -> None:
    """Delete the events of a profile that is deleted."""
    async with transaction(runtime.pool) as conn:
        await forget_events(conn, [profile_id])


@job("events.forget_all", queue=Queue.HEAVY)
async def forget_all(runtime: Runtime, profile_ids: list[int]) -> None:
    """Delete the events of profiles that are deleted together."""
    async with transaction(runtime.pool) as conn:
        await forget_events(conn, profile_ids)


async def sweep(runtime: Runtime) -> None:
    """Forget events of deleted people, make months ahead, drop what is past its time, forget what nobody needs.

    Wanted every few minutes.
    """
    now, forgotten = runtime.clock(), MOST_AT_ONCE
    while forgotten == MOST_AT_ONCE:
        async with transaction(runtime.pool) as conn:
            forgotten = await forget_left(conn)
    async with transaction(runtime.pool) as conn:
        types = await present_event_types(conn)
    for event_type in types.by_name.values():
        async with transaction(runtime.pool) as conn:
            if event_type in (await present_event_types(conn)).by_name.values():
                await retention.ensure_partitions(conn, event_type, now)
        async with transaction(runtime.pool) as conn:
            if event_type in (await present_event_types(conn)).by_name.values():
                await retention.drop_old(conn, event_type, now)
    async with transaction(runtime.pool) as conn:
        await retention.forget_removed(conn)
        await changes.forget_changes(conn, now)
