"""Reads of deliveries."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.delivery.loaders import load_deliveries, views
from api.graphql.delivery.types import Delivery
from api.graphql.leaf import field
from api.graphql.nodes import load_one, optional_id
from core.paging import Page
from core.planning import deliveries


@strawberry.type
class DeliveryQuery:
    """Deliveries."""

    @field(Delivery | None)
    async def delivery(self, info: Info, id: strawberry.ID) -> Any:
        """A delivery."""
        return await load_one(info.context, "Delivery", load_deliveries, id)

    @field(Connection[Delivery])
    async def deliveries(
        self,
        info: Info,
        campaign_id: strawberry.ID | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Listing:
        """Deliveries of one campaign or of all, oldest first."""
        page = requested_page(info, first, after)
        campaign = optional_id("Campaign", campaign_id, "campaignId")
        async with info.context.lease.use() as conn:
            found = await deliveries.list_deliveries(conn, page, campaign_id=campaign)
            rows = Page(rows=await views(conn, found.rows), has_next=found.has_next)
        count = info.context.counted(deliveries.count_deliveries, campaign_id=campaign)
        return Listing(rows, count, by_id, page.after)
