"""Batch loaders of the data model."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from core.datamodel import builds


async def load_builds(context: RequestContext, objects: list[str]) -> list[Any]:
    """What is built, by the object's name."""
    async with context.lease.use() as conn:
        found = await builds.find_builds(conn, objects)
    return [found.get(one) for one in objects]
