"""Jobs of this room: imports and exports, with all that they may be of."""

from __future__ import annotations

from core.db import transaction
from core.jobs import Queue, job
from core.profiles.export_runner import run_export as work_on_export
from core.profiles.import_runner import run_import as work_on_import
from core.runtime import Runtime
from core.transfers.composing import open_source
from core.transfers.destinations import find_destination
from core.transfers.store import list_marks


@job("transfers.import", queue=Queue.HEAVY)
async def run_import(runtime: Runtime, import_id: int) -> None:
    """Read a file into whatever it is for."""
    await work_on_import(runtime, import_id, find_destination)


@job("transfers.export", queue=Queue.HEAVY)
async def run_export(runtime: Runtime, export_id: int) -> None:
    """Write a file of whatever was asked for."""
    await work_on_export(runtime, export_id, open_source)


async def sweep(runtime: Runtime) -> None:
    """Forget whom imports have named that ended before they replaced a list."""
    async with transaction(runtime.pool) as conn:
        await list_marks.forget_ended(conn)
