"""Batch loaders of profiles."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.profiles import profiles


async def load_team_values(context: RequestContext, ids: list[int]) -> list[Any]:
    """What profiles have in the fields of the team, by id."""
    async with context.lease.use() as conn:
        found = await profiles.get_team_values(conn, ids)
    return [found.get(one, {}) for one in ids]


async def load_profiles(context: RequestContext, ids: list[int]) -> list[Any]:
    """Profiles by id."""
    async with context.lease.use() as conn:
        found = await profiles.get_profiles(conn, ids)
    return aligned(ids, found.values())
