"""Audiences whose time is over: removed, unless a delivery, a content or another audience names them."""

from __future__ import annotations

from core.content.audience_uses import find_asked_about
from core.db import transaction
from core.planning.store import deliveries as store
from core.runtime import Runtime
from core.targeting.expiry import hold_expired, remove_expired

PORTION = 100  # audiences at once


async def sweep(runtime: Runtime) -> None:
    """Remove those that nothing names any more. What is named stays, and says that it is expired."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        expired = await hold_expired(conn, now, PORTION)
        used = await store.audiences_used(conn, [one.id for one in expired])
        asked = await find_asked_about(conn, [one.name for one in expired])
        await remove_expired(conn, [one for one in expired if one.id not in used and one.name not in asked], now)
