"""What the room of privacy does for others, and on a schedule."""

from __future__ import annotations

from core.db import transaction
from core.jobs import Queue, job
from core.outbox import announce
from core.privacy.store import requests
from core.privacy.work import KEEP_VALUES, work
from core.runtime import Runtime


@job("privacy.work", queue=Queue.HEAVY)
async def carry_out(runtime: Runtime, request_id: int) -> None:
    """Carry out what is open, this request among it."""
    await work(runtime)


async def sweep(runtime: Runtime) -> None:
    """Announce again what is open: nobody may be at it, or it has waited for something that has ended by now."""
    async with transaction(runtime.pool) as conn:
        for request_id in (await requests.list_open(conn))[:1]:  # whoever is at one looks at all
            await announce(conn, "privacy_request.ready", request_id=request_id)
        await requests.forget_old_values(conn, runtime.clock() - KEEP_VALUES)
