"""Jobs of this room: each reads the rows and does nothing when there is nothing to do."""

from __future__ import annotations

from datetime import timedelta

from core.db import transaction
from core.jobs import Queue, job
from core.outbox import announce
from core.profiles.store import runs
from core.runtime import Runtime
from core.targeting import external_store
from core.targeting.external_segments import look_up_again
from core.targeting.run_store import RunTable
from core.targeting.run_worker import work

QUIET = timedelta(seconds=10)  # a run without a sign of life for so long is given to another worker


@job("targeting.run", queue=Queue.HEAVY, time_limit=timedelta(hours=7))
async def run(runtime: Runtime, run_id: int) -> None:
    """Count, freeze, cut up, load, reconcile or export an audience."""
    await work(runtime, run_id)


@job("targeting.look_up_ids", queue=Queue.HEAVY, time_limit=timedelta(hours=1))
async def look_up_ids(runtime: Runtime, audience_id: int) -> None:
    """Look up again whose the ids of an external segment are that were nobody's, portion by portion."""
    after: str | None = ""
    while after is not None and not runtime.stopping.is_set():
        async with transaction(runtime.pool) as conn:
            if not await external_store.find_keys(conn, [audience_id]):
                return
            after = await look_up_again(
                conn, audience_id, after, region=runtime.settings.default_country, now=runtime.clock()
            )  # fmt: skip


async def sweep_ids(runtime: Runtime) -> None:
    """Have the ids of nobody looked up again. Runs every hour."""
    async with transaction(runtime.pool) as conn:
        for audience_id in await external_store.list_unresolved(conn):
            await announce(conn, "audience.ids_unresolved", audience_id=audience_id)


async def sweep(runtime: Runtime) -> None:
    """Announce again what nobody works on. Runs every few seconds."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        for run_id in await runs.revive_stalled(conn, RunTable.AUDIENCE, now - QUIET, now):
            await announce(conn, "audience_run.ready", run_id=run_id)
