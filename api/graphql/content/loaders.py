"""Batch loaders of content."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.content import contents
from core.content.placements import Library


async def load_contents(context: RequestContext, ids: list[int]) -> list[Any]:
    """Contents by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await contents.find_contents(conn, ids))


async def load_libraries(context: RequestContext, ids: list[int]) -> list[Library]:
    """For each of these contents one library, of the fragments that all of them use."""
    async with context.lease.use() as conn:
        found = await contents.find_contents(conn, ids)
        library = await contents.fragments_of(conn, *found)
    return [library] * len(ids)
