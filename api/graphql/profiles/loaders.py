"""Batch loaders of profiles."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from core.profiles import merging, profiles, quarantine


async def load_profiles(context: RequestContext, ids: list[int]) -> list[Any]:
    """Profiles by id; of those that are merged, their survivors."""
    async with context.lease.use() as conn:
        found = await profiles.get_profiles(conn, ids)
    return [found.get(one) for one in ids]


async def load_aliases(context: RequestContext, ids: list[int]) -> list[Any]:
    """Who is merged into profiles, by id."""
    async with context.lease.use() as conn:
        found = await merging.get_aliases(conn, ids)
    return [found.get(one, []) for one in ids]


async def load_quarantine(context: RequestContext, ids: list[int]) -> list[Any]:
    """What is known against the addresses of profiles, by id."""
    async with context.lease.use() as conn:
        found = await quarantine.get_entries_of(conn, ids)
    return [found.get(one, []) for one in ids]
