"""Reads of accounts."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.accounts.loaders import load_tokens
from api.graphql.accounts.types import ApiToken, Viewer
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.nodes import load_one
from core.access import Actor
from core.accounts import tokens


@strawberry.type
class AccountsQuery:
    """Tokens, and who is asking."""

    @field(Viewer)
    def viewer(self, info: Info) -> Actor:
        """Who is asking, and what he may do."""
        return info.context.actor

    @field(ApiToken | None)
    async def api_token(self, info: Info, id: strawberry.ID) -> Any:
        """An API token."""
        return await load_one(info.context, "ApiToken", load_tokens, id)

    @field(Connection[ApiToken])
    async def api_tokens(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """API tokens, oldest first, revoked ones included."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await tokens.list_tokens(conn, page)
        return Listing(rows, info.context.counted(tokens.count_tokens), by_id, page.after)
