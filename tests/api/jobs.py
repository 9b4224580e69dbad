"""Does what the workers would: the jobs that follow from what was announced, as plain coroutines."""

from __future__ import annotations

from core import outbox
from core.db import transaction
from core.runtime import Runtime
from core.workers.wiring import WIRING


async def run_jobs(runtime: Runtime) -> None:
    """Run what was announced, and what follows from that, until nothing is left."""
    while True:
        async with transaction(runtime.pool) as conn:
            announced = await outbox.take(conn, 100)
        if not announced:
            return
        for one in announced:
            for job in WIRING[one.topic]:
                await job(runtime, **one.ids)
