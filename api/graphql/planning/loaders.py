"""Batch loaders of planning."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.planning import campaigns, channel_accounts


async def load_campaigns(context: RequestContext, ids: list[int]) -> list[Any]:
    """Campaigns by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await campaigns.find_campaigns(conn, ids))


async def load_accounts(context: RequestContext, ids: list[int]) -> list[Any]:
    """Channel accounts by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await channel_accounts.find_accounts(conn, ids))
