"""What every worker does around work that takes its time: signs of life, its end when it is cancelled or takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from core.db import TRY_LATER
from core.errors import LimitReached
from core.profiles.store import runs
from core.runtime import Runtime
from core.targeting.records import AudienceRun
from core.targeting.run_store import RunTable

BEAT_SECONDS = 2.0

T = TypeVar("T")


class Fenced(Exception):
    """The run was cancelled, its audience deleted, or another worker has it."""


class Stopping(Exception):
    """This process ends."""


async def watched(
    runtime: Runtime, run: AudienceRun, work: Coroutine[Any, Any, T], *, seconds: float | None = None,
    beat: float = BEAT_SECONDS,
) -> T:  # fmt: skip
    """What comes of the work, which is ended, in the database too, when it must not go on.

    Raises Fenced, Stopping, LimitReached (QUESTION_TOO_SLOW) after so many seconds, and what the work raises.
    """
    loop = asyncio.get_running_loop()
    task, began = loop.create_task(work), loop.time()
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=beat)
            if done:
                return task.result()
            if runtime.stopping.is_set():
                raise Stopping
            if seconds is not None and loop.time() - began > seconds:
                raise LimitReached(
                    f"the question takes longer than {seconds:g} seconds", code="QUESTION_TOO_SLOW",
                    hint="See its examination for an index that would help, narrow it down, or allow for more minutes.",
                )  # fmt: skip
            await check_own(runtime, run)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def check_own(runtime: Runtime, run: AudienceRun) -> None:
    """A sign of life. One that cannot be given is left out: the fence decides. Raises Fenced."""
    try:
        async with runtime.pool.acquire() as conn:
            own = await runs.beat(conn, RunTable.AUDIENCE, run.id, run.fence, runtime.clock())
    except TRY_LATER:
        return
    if not own:
        raise Fenced
