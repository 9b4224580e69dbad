"""Deliveries as they go."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry

from api.context import Info
from api.graphql.delivery.types import DeliveryState
from api.graphql.leaf import leaf, subscription
from api.graphql.live import Watches
from api.graphql.reporting.types import LedgerCounts
from core.ids import from_global_id, to_global_id
from core.reporting import deliveries, records


@strawberry.type(description="How far a delivery is, right now.")
class DeliveryProgress:
    """State and counts of one moment."""

    delivery_id: strawberry.ID = leaf(lambda progress: to_global_id("Delivery", progress.delivery_id))
    state: DeliveryState = leaf(lambda progress: progress.run.state)  # type: ignore[valid-type]
    pause_reason: str | None = leaf(lambda progress: progress.run.pause_reason)
    counts: LedgerCounts
    prepared: float | None = strawberry.field(description="Share of the preparation that is done.")
    settled: float | None = strawberry.field(description="Share of the recipients whose outcome is known.")


@strawberry.type
class ReportingSubscription:
    """Deliveries as they go."""

    @subscription(DeliveryProgress)
    async def delivery_progress(self, info: Info, delivery_id: strawberry.ID) -> AsyncGenerator[records.DeliveryProgress, None]:
        """State and counts of a delivery, whenever they have moved; ends when the delivery has ended for good."""
        key = from_global_id("Delivery", delivery_id, "deliveryId")
        watches: Watches = info.context.watches
        return watches.follow(
            ("delivery", key),
            lambda conn: deliveries.progress(conn, key),
            lambda progress: progress.run.finished_at is not None,  # a stopped one has rows to cancel before
        )
