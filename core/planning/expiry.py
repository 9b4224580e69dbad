"""Audiences whose time is over: removed, unless a delivery, a content or another audience names them."""

from __future__ import annotations

from collections.abc import Mapping

from core.content.audience_uses import find_asked_about
from core.db import Connection, transaction
from core.planning.store import deliveries as store
from core.planning.store.asked import find_named
from core.runtime import Runtime
from core.targeting.expiry import hold_expired, list_expired, remove_expired

PORTION = 100  # audiences at once


async def sweep(runtime: Runtime) -> None:
    """Remove those that nothing names any more. What is named stays, and says that it is expired."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        needed = await _needed(conn, await list_expired(conn, now))
        held = {one.id: one for one in await hold_expired(conn, now, PORTION, needed)}
        needed = await _needed(conn, {key: one.name for key, one in held.items()})  # also by who came meanwhile
        await remove_expired(conn, [one for key, one in held.items() if key not in needed], now)


async def _needed(conn: Connection, expired: Mapping[int, str]) -> set[int]:
    """Those of the audiences, by id with their names, that deliveries or contents name."""
    names = list(expired.values())
    used = await store.audiences_used(conn, list(expired))
    asked = await find_asked_about(conn, names) | await find_named(conn, names)
    return used | {key for key, name in expired.items() if name in asked}
