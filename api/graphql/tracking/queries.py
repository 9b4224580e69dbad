"""Reads of tracking."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import requested_page
from api.graphql.leaf import field
from api.graphql.nodes import optional_id
from api.graphql.tracking.types import MachineRule, TrackingEventBatch, TrackingKind
from core.tracking import rules, stream
from core.tracking.records import EventBatch, EventFilter


def event_filter(delivery_id: str | None, kinds: Any, machines: bool) -> EventFilter:
    """Raises Invalid (BAD_ID)."""
    return EventFilter(
        delivery_id=optional_id("Delivery", delivery_id, "deliveryId"),
        kinds=frozenset(kinds) if kinds is not None else None,
        machines=machines,
    )


@strawberry.type
class TrackingQuery:
    """Tracking events and the rules that mark machines."""

    @field(TrackingEventBatch)
    async def tracking_events(
        self,
        info: Info,
        delivery_id: strawberry.ID | None = None,
        kinds: list[TrackingKind] | None = None,  # type: ignore[valid-type]
        machines: bool = False,
        first: int | None = None,
        after: str | None = None,
    ) -> EventBatch:
        """Events after a cursor, oldest first. Fewer than asked for: there are no more now."""
        page = requested_page(info, first, after)
        start = page.after or 0
        filters = event_filter(delivery_id, kinds, machines)
        async with info.context.lease.use() as conn:
            newest = await stream.newest_position(conn)
            events = await stream.read(conn, start, page.first, filters)
        last = events[-1].position if events else start
        # With fewer events than asked for, everything up to `newest` was looked through.
        position = last if len(events) == page.first else max(last, newest)
        return EventBatch(events=tuple(events), position=position)

    @field(list[MachineRule])
    async def machine_rules(self, info: Info) -> Any:
        """The rules by which opens and clicks are taken for a machine's, in the order in which they are asked."""
        async with info.context.lease.use() as conn:
            return await rules.list_rules(conn)
