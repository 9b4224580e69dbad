"""Batch loaders of consent."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.consent import purposes, services, subscriptions, wordings


async def load_services(context: RequestContext, ids: list[int]) -> list[Any]:
    """Services by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await services.find_services(conn, ids))


async def load_purposes(context: RequestContext, ids: list[int]) -> list[Any]:
    """Purposes by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await purposes.find_purposes(conn, ids))


async def load_wordings(context: RequestContext, ids: list[int]) -> list[Any]:
    """Versions of wordings by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await wordings.find_wordings(conn, ids))


async def load_subscriber_counts(context: RequestContext, ids: list[int]) -> list[Any]:
    """How many are subscribed now, by service."""
    async with context.lease.use() as conn:
        found = await subscriptions.count_subscribers(conn, ids, now=context.now)
    return [found.get(one, 0) for one in ids]
