"""Events go with their person."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.events.present import present_event_types
from core.events.store import history, types


async def forget_events(conn: Connection, profile_ids: Sequence[int]) -> int:
    """Delete all events of profiles that are deleted already, with the keys under which they were told; returns how many.

    Waits for the calls that are recording, which may have found the profiles still; later ones do not find them.
    """
    await types.hold_types(conn, alone=True)
    present = await present_event_types(conn)
    return await history.delete_events(conn, list(present.by_name.values()), profile_ids) if present.by_name else 0
