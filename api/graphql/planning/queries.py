"""Reads of planning."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.nodes import load_one
from api.graphql.planning.loaders import load_accounts, load_campaigns
from api.graphql.planning.types import Campaign, Channel, ChannelAccount
from channels.contract import Manifest
from core.planning import campaigns, channel_accounts


@strawberry.type
class PlanningQuery:
    """Campaigns, channels, channel accounts."""

    @field(Campaign | None)
    async def campaign(self, info: Info, id: strawberry.ID) -> Any:
        """A campaign."""
        return await load_one(info.context, "Campaign", load_campaigns, id)

    @field(Connection[Campaign])
    async def campaigns(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Campaigns, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await campaigns.list_campaigns(conn, page)
        return Listing(rows, info.context.counted(campaigns.count_campaigns), by_id, page.after)

    @field(list[Channel])
    def channels(self, info: Info) -> list[Manifest]:
        """The channels of this installation."""
        registry = info.context.channels
        return [registry.manifest(name) for name in registry.names()]

    @field(ChannelAccount | None)
    async def channel_account(self, info: Info, id: strawberry.ID) -> Any:
        """A channel account."""
        return await load_one(info.context, "ChannelAccount", load_accounts, id)

    @field(Connection[ChannelAccount])
    async def channel_accounts(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Channel accounts, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await channel_accounts.list_accounts(conn, page)
        return Listing(rows, info.context.counted(channel_accounts.count_accounts), by_id, page.after)
