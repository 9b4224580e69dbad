"""Batch loaders of content."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.content import contents


async def load_contents(context: RequestContext, ids: list[int]) -> list[Any]:
    """Contents by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await contents.find_contents(conn, ids))
