"""Jobs of this room."""

from __future__ import annotations

from core.consent import subscriptions
from core.db import transaction
from core.runtime import Runtime


async def sweep(runtime: Runtime) -> None:
    """End subscriptions whose time is over, a bounded number at once. Runs every minute."""
    async with transaction(runtime.pool) as conn:
        await subscriptions.expire(conn, runtime.clock())
