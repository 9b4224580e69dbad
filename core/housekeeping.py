"""What the floor does on a schedule."""

from __future__ import annotations

from core import idempotency
from core.db import transaction
from core.runtime import Runtime


async def forget_old_answers(runtime: Runtime) -> None:
    """Forget stored answers of requests that nobody will repeat any more."""
    async with transaction(runtime.pool) as conn:
        await idempotency.forget_old(conn, runtime.clock())
