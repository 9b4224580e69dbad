"""The upkeep of kept audiences as a job, and the sweep that wakes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from core.db import transaction
from core.jobs import Queue, job
from core.outbox import announce
from core.runtime import Runtime
from core.targeting.membership.store import kept as store
from core.targeting.membership.upkeep import keep_up

ROUND = timedelta(seconds=5)  # after which those are due again who may change at any instant


@job("audiences.keep_up", queue=Queue.HEAVY, time_limit=timedelta(hours=6))
async def upkeep(runtime: Runtime, **_: Any) -> None:
    """Bring the members of all kept audiences up to date: whatever was announced, all that there is to do counts."""
    due_by = runtime.clock()
    while not runtime.stopping.is_set():
        now = runtime.clock()
        due_by = due_by if now - due_by < ROUND else now
        async with transaction(runtime.pool) as conn:
            if not await keep_up(conn, now, due_by):
                return


async def sweep(runtime: Runtime) -> None:
    """Announce that there is something to keep. Runs every few seconds."""
    async with transaction(runtime.pool) as conn:
        if await store.is_anything_kept(conn):
            await announce(conn, "audience.upkeep_due")
