"""Jobs of this room: each reads the rows and does nothing when there is nothing to do."""

from __future__ import annotations

from datetime import timedelta

from core.db import transaction
from core.jobs import Queue, job
from core.outbox import announce
from core.profiles import quarantine
from core.profiles.import_runner import run_import as work_on_import
from core.profiles.store import imports
from core.runtime import Runtime

QUIET = timedelta(seconds=10)  # a run without a sign of life for so long is given to another worker
REJECTS_WITHIN = timedelta(days=1)


@job("profiles.import", queue=Queue.HEAVY)
async def run_import(runtime: Runtime, import_id: int) -> None:
    """Read a file of people."""
    await work_on_import(runtime, import_id)


async def sweep(runtime: Runtime) -> None:
    """Announce again what nobody works on, and let addresses out whose time has come. Runs every few seconds."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        stalled = await imports.revive_stalled(conn, now - QUIET, now)
        for import_id in (*stalled, *await imports.list_unwritten_rejects(conn, now - REJECTS_WITHIN)):
            await announce(conn, "import.ready", import_id=import_id)
        await quarantine.expire(conn, now)
