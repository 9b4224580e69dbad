"""Batch loaders of profiles."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.profiles import profiles


async def load_profiles(context: RequestContext, ids: list[int]) -> list[Any]:
    """Profiles by id."""
    async with context.lease.use() as conn:
        found = await profiles.get_profiles(conn, ids)
    return aligned(ids, found.values())
