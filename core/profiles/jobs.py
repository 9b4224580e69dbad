"""Jobs of this room: each reads the rows and does nothing when there is nothing to do."""

from __future__ import annotations

from datetime import timedelta

from core.db import transaction
from core.jobs import Queue, job
from core.outbox import announce
from core.profiles import quarantine, suppression_entries, visitors
from core.profiles.store import imports, runs, suppression_runs
from core.profiles.store.runs import RunTable
from core.profiles.suppression_export_runner import run_export as work_on_suppression_export
from core.profiles.suppression_import_runner import run_import as work_on_suppression_import
from core.runtime import Runtime

QUIET = timedelta(seconds=10)  # a run without a sign of life for so long is given to another worker
REJECTS_WITHIN = timedelta(days=1)


@job("profiles.suppression_import", queue=Queue.HEAVY)
async def run_suppression_import(runtime: Runtime, import_id: int) -> None:
    """Read a file of suppression entries."""
    await work_on_suppression_import(runtime, import_id)


@job("profiles.suppression_export", queue=Queue.HEAVY)
async def run_suppression_export(runtime: Runtime, export_id: int) -> None:
    """Write a file of suppression entries."""
    await work_on_suppression_export(runtime, export_id)


async def sweep(runtime: Runtime) -> None:
    """Announce again what nobody works on, and let addresses out whose time has come. Runs every few seconds."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        stalled = await runs.revive_stalled(conn, RunTable.IMPORT, now - QUIET, now)
        for import_id in (*stalled, *await imports.list_unwritten_rejects(conn, now - REJECTS_WITHIN)):
            await announce(conn, "import.ready", import_id=import_id)
        for export_id in await runs.revive_stalled(conn, RunTable.EXPORT, now - QUIET, now):
            await announce(conn, "export.ready", export_id=export_id)
        stalled = await runs.revive_stalled(conn, RunTable.SUPPRESSION_IMPORT, now - QUIET, now)
        for import_id in (*stalled, *await suppression_runs.list_unwritten_rejects(conn, now - REJECTS_WITHIN)):
            await announce(conn, "suppression_import.ready", import_id=import_id)
        for export_id in await runs.revive_stalled(conn, RunTable.SUPPRESSION_EXPORT, now - QUIET, now):
            await announce(conn, "suppression_export.ready", export_id=export_id)
        await quarantine.expire(conn, now)
        await suppression_entries.expire(conn, now)


async def sweep_visitors(runtime: Runtime) -> None:
    """Forget visitors of whom nobody came to know who they are, some at a time. Wanted every hour."""
    if runtime.settings.visitor_retention_days == 0:
        return
    before = runtime.clock() - timedelta(days=runtime.settings.visitor_retention_days)
    forgotten = visitors.FORGET_AT_ONCE
    while forgotten == visitors.FORGET_AT_ONCE:
        async with transaction(runtime.pool) as conn:
            forgotten = await visitors.forget_unidentified(conn, before)
