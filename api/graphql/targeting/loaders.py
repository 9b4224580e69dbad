"""Batch loaders of targeting."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.targeting import audiences


async def load_audiences(context: RequestContext, ids: list[int]) -> list[Any]:
    """Audiences by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await audiences.find_audiences(conn, ids))
