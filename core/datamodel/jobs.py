"""Jobs of this room: each reads the rows and does nothing when there is nothing to do."""

from __future__ import annotations

from datetime import timedelta

from core.datamodel.builder import build_all
from core.datamodel.store import builds as store
from core.db import transaction
from core.jobs import Queue, job
from core.outbox import announce
from core.runtime import Runtime


@job("data_model.build", queue=Queue.HEAVY, time_limit=timedelta(days=7))
async def build(runtime: Runtime, version: int | None = None) -> None:
    """Build and drop what the published model asks for; whatever version was announced, the newest counts."""
    await build_all(runtime)


async def sweep(runtime: Runtime) -> None:
    """Announce again what nobody builds. Runs every few seconds."""
    async with transaction(runtime.pool) as conn:
        if await store.is_work_left(conn):
            await announce(conn, "data_model.build_due")
