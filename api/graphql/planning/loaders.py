"""Batch loaders of planning."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.planning import campaigns, channel_accounts
from core.planning.team_values import Extended, get_team_values


async def load_campaigns(context: RequestContext, ids: list[int]) -> list[Any]:
    """Campaigns by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await campaigns.find_campaigns(conn, ids))


async def load_accounts(context: RequestContext, ids: list[int]) -> list[Any]:
    """Channel accounts by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await channel_accounts.find_accounts(conn, ids))


async def load_campaign_values(context: RequestContext, ids: list[int]) -> list[Any]:
    """What campaigns have in the fields of the team, by id."""
    async with context.lease.use() as conn:
        found = await get_team_values(conn, Extended.CAMPAIGN, ids)
    return [found.get(one, {}) for one in ids]


async def load_delivery_values(context: RequestContext, ids: list[int]) -> list[Any]:
    """What deliveries have in the fields of the team, by id."""
    async with context.lease.use() as conn:
        found = await get_team_values(conn, Extended.DELIVERY, ids)
    return [found.get(one, {}) for one in ids]
