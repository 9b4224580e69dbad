"""Signs of life of a worker that carries out a run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.db import TRY_LATER
from core.profiles.store import runs
from core.profiles.store.runs import RunTable
from core.runtime import Runtime

BEAT_SECONDS = 2.0


@asynccontextmanager
async def beating(runtime: Runtime, table: RunTable, run_id: int, fence: int) -> AsyncIterator[None]:
    """Give signs of life until the block ends. One that cannot be given is left out: the fence decides, not we."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with contextlib.suppress(*TRY_LATER):
                async with runtime.pool.acquire() as conn:
                    await runs.beat(conn, table, run_id, fence, runtime.clock())

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
