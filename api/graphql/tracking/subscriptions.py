"""The live stream of tracking events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import dataclass

import strawberry

from api.context import Info
from api.graphql.leaf import subscription
from api.graphql.tracking.queries import event_filter
from api.graphql.tracking.types import TrackingEventBatch, TrackingKind
from core.paging import decode_cursor
from core.tracking import stream
from core.tracking.process import tracking_of
from core.tracking.records import EventBatch, EventFilter, TrackingEvent


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
    ) -> AsyncGenerator[SharedBatch, None]:
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
        batches = stream.follow(context.runtime.pool, tracking_of(context.runtime).tail, position, filters)
        return _shared(batches, filters)


@dataclass(frozen=True, slots=True)
class SharedBatch:
    """A batch of the stream. All who follow it with one filter get the same, and `share_key` says so."""

    events: tuple[TrackingEvent, ...]
    position: int
    share_key: Hashable


async def _shared(batches: AsyncGenerator[EventBatch, None], filters: EventFilter) -> AsyncGenerator[SharedBatch, None]:
    async with aclosing(batches):
        async for batch in batches:
            first = batch.events[0].position if batch.events else None
            yield SharedBatch(batch.events, batch.position, (filters, first, batch.position))
