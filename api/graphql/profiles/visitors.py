"""Visitors of forms and pages: reads and writes."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.mutations import mutation
from api.graphql.profiles.visitor_types import Visitor, VisitorConnection, VisitorInput, VisitorResult
from core.profiles import visitors
from core.profiles.visitors import remove_visitors, save_visitors


@strawberry.type
class VisitorsQuery:
    """Visitors."""

    @field(Visitor | None)
    async def visitor(self, info: Info, external_id: str) -> Any:
        """The visitor that a page knows by this id."""
        async with info.context.lease.use() as conn:
            return await visitors.find_visitor_by_key(conn, external_id)

    @field(VisitorConnection)
    async def visitors(
        self, info: Info, unidentified: bool = False, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Visitors of forms and pages: all, or those of whom nobody knows who they are."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await visitors.list_visitors(conn, page, unidentified=unidentified)
        return Listing(rows, None, by_id, page.after)


@strawberry.type
class VisitorsMutation:
    """Visitors."""

    @mutation(results=list[VisitorResult])
    async def save_visitors(self, info: Info, visitors: list[VisitorInput]) -> Any:
        """Add visitors, or change those that are there, each with a result of its own: one bad row never fails the others."""
        context = info.context
        sent = [one.sent(f"visitors.{n}") for n, one in enumerate(visitors)]
        return await save_visitors(context.conn, context.actor, sent, now=context.now)

    @mutation(results=list[VisitorResult])
    async def remove_visitors(self, info: Info, external_ids: list[str]) -> Any:
        """Remove visitors, by the ids that pages gave them; as saveVisitors."""
        return await remove_visitors(info.context.conn, info.context.actor, external_ids)
