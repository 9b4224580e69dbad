"""The live stream of tracking events."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry

from api.context import Info
from api.graphql.leaf import subscription
from api.graphql.tracking.queries import event_filter
from api.graphql.tracking.types import TrackingEventBatch, TrackingKind
from core.paging import decode_cursor
from core.tracking import stream
from core.tracking.process import tracking_of
from core.tracking.records import EventBatch


@strawberry.type
class TrackingSubscription:
    """What people do, as they do it."""

    @subscription(TrackingEventBatch)
    async def tracking_events(
        self,
        info: Info,
        after: str | None = None,
        delivery_id: strawberry.ID | None = None,
        kinds: list[TrackingKind] | None = None,  # type: ignore[valid-type]
        machines: bool = False,
    ) -> AsyncGenerator[EventBatch, None]:
        """Events from a cursor on, or from now on. Each batch has the cursor to resume from: no loss, no repeat.

        Without machines, corrections still come: they take back events that were shown as a person's before.
        """
        context = info.context
        filters = event_filter(delivery_id, kinds, machines)
        if after is None:
            async with context.brief() as conn:
                position = await stream.newest_position(conn)
        else:
            position = decode_cursor(after)
        return stream.follow(context.runtime.pool, tracking_of(context.runtime).tail, position, filters)
