"""Jobs of this room: each reads the rows and does nothing when there is nothing to do."""

from __future__ import annotations

from datetime import timedelta

from core.db import transaction
from core.jobs import Queue, job
from core.outbox import announce
from core.profiles.store import runs
from core.runtime import Runtime
from core.targeting.run_store import RunTable
from core.targeting.run_worker import work

QUIET = timedelta(seconds=10)  # a run without a sign of life for so long is given to another worker


@job("targeting.run", queue=Queue.HEAVY, time_limit=timedelta(hours=7))
async def run(runtime: Runtime, run_id: int) -> None:
    """Count, freeze, cut up, load, reconcile or export an audience."""
    await work(runtime, run_id)


async def sweep(runtime: Runtime) -> None:
    """Announce again what nobody works on. Runs every few seconds."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        for run_id in await runs.revive_stalled(conn, RunTable.AUDIENCE, now - QUIET, now):
            await announce(conn, "audience_run.ready", run_id=run_id)
