"""Batch loaders of accounts."""

from __future__ import annotations

from typing import Any

from api.context import RequestContext
from core.accounts import tokens
from core.errors import NotFound


async def load_tokens(context: RequestContext, ids: list[int]) -> list[Any]:
    """Tokens by id. Nothing but `node` leads here, so they come one by one."""
    found: list[Any] = []
    async with context.lease.use() as conn:
        for one in ids:
            try:
                found.append(await tokens.get_token(conn, one))
            except NotFound:
                found.append(None)
    return found
