"""What people did: their events, the newest first, over all types."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches

from core.db import Connection
from core.errors import NotFound
from core.events.present import present_event_types
from core.events.records import NO_EVENTS, BusinessEvent, EventCount, EventType, EventTypes
from core.events.store import history as store
from core.paging import Page


async def list_events(
    conn: Connection,
    profile_ids: Sequence[int],
    *,
    types: Sequence[str] | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> dict[int, Page[BusinessEvent]]:
    """Of each profile a page of its events of some types (None: of all), the newest first; with those of whoever is merged
    into it.

    `before` is the time and the id of the last one seen. Raises NotFound (EVENT_TYPE_NOT_FOUND).
    """
    present = await present_event_types(conn)
    chosen = list(present.by_name.values()) if types is None else [_type(present, name) for name in dict.fromkeys(types)]
    found: dict[int, list[BusinessEvent]] = defaultdict(list)
    if chosen:
        for key, one in await store.list_events(conn, profile_ids, chosen, before, limit + 1):
            found[key].append(one)
    return {key: Page(rows=found[key][:limit], has_next=len(found[key]) > limit) for key in profile_ids}


async def count_events(conn: Connection, profile_ids: Sequence[int], *, since: datetime | None = None) -> dict[int, EventCount]:
    """Of each profile how many events of all types it has, with those of whoever is merged into it; `since`: from then on."""
    types = list((await present_event_types(conn)).by_name.values())
    found = await store.count_events(conn, profile_ids, types, since) if types and profile_ids else {}
    return {key: found.get(key, NO_EVENTS) for key in profile_ids}


def _type(present: EventTypes, name: str) -> EventType:
    found = present.find(name)
    if found is None:
        near = get_close_matches(name[:80], present.by_name, 1)
        hint = f"Did you mean {near[0]!r}?" if near else None
        raise NotFound(f"there is no event type {name[:80]!r}", code="EVENT_TYPE_NOT_FOUND", path="types", hint=hint)
    return found
