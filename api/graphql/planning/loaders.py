"""Batch loaders of planning."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.planning import campaigns, channel_accounts, deliveries


async def load_campaigns(context: RequestContext, ids: list[int]) -> list[Any]:
    """Campaigns by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await campaigns.find_campaigns(conn, ids))


async def load_accounts(context: RequestContext, ids: list[int]) -> list[Any]:
    """Channel accounts by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await channel_accounts.find_accounts(conn, ids))


async def load_deliveries(context: RequestContext, ids: list[int]) -> list[Any]:
    """Deliveries by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await deliveries.find_deliveries(conn, ids))
