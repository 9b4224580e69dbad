"""Events go with their person."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.events.present import present_event_types
from core.events.store import history, types

MOST_AT_ONCE = 1000  # profiles


async def forget_events(conn: Connection, profile_ids: Sequence[int]) -> dict[str, int]:
    """Delete all events of profiles that are deleted already, with the keys under which they were told; returns how many, by
    their table.

    Waits for the calls that are recording, which may have found the profiles still; later ones do not find them.
    """
    await types.hold_types(conn, alone=True)
    present = await present_event_types(conn)
    found = await history.delete_events(conn, list(present.by_name.values()), profile_ids) if present.by_name else {}
    await history.forget_forgotten(conn, profile_ids)
    return found


async def forget_left(conn: Connection) -> int:
    """The same for profiles whose deletion nobody has answered yet, up to `MOST_AT_ONCE`; returns how many profiles."""
    left = await history.list_deleted(conn, MOST_AT_ONCE)
    if left:
        await forget_events(conn, left)
    return len(left)
