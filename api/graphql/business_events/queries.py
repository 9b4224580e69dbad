"""Reads of business events."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.business_events.types import EventType
from api.graphql.leaf import field
from core.events import event_types


@strawberry.type
class BusinessEventsQuery:
    """Types of events. The events themselves are their profiles'."""

    @field(list[EventType])
    async def event_types(self, info: Info) -> Any:
        """The types of events that may be told, by name."""
        async with info.context.lease.use() as conn:
            return await event_types.list_event_types(conn)

    @field(EventType | None)
    async def event_type(self, info: Info, name: str) -> Any:
        """A type of events."""
        async with info.context.lease.use() as conn:
            return await event_types.find_event_type(conn, name)
