"""What the floor does on a schedule."""

from __future__ import annotations

from core import files, idempotency
from core.db import transaction
from core.runtime import Runtime


async def sweep(runtime: Runtime) -> None:
    """Forget stored answers of requests that nobody will repeat any more, and one-time addresses that have expired."""
    async with transaction(runtime.pool) as conn:
        await idempotency.forget_old(conn, runtime.clock())
        await files.forget_tickets(conn, runtime.clock())
