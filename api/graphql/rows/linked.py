"""Links of rows: the rows at their end, page by page, loaded for all rows of an answer together."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import ForwardPage, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.nodes import Node
from api.graphql.rows.loaders import LinkedAsk, load_ends, load_linked
from core.paging import Page


@strawberry.type(description="Rows at the end of a link, in the order of their creation. They are not counted.")
class LinkedConnection(ForwardPage[Node]):
    """A page of them."""


async def linked_listing(context: RequestContext, ask: LinkedAsk) -> Listing:
    """A page of the rows at the end of a link. Raises NotFound (LINK_NOT_FOUND)."""
    page = await context.loader(load_linked).load(ask)
    rows = [one for one in await load_ends(context, page.entity, page.ids) if one is not None]
    return Listing(Page(rows=rows, has_next=page.has_next), None, by_id, ask.after)


def linked_field(entity: str | None = None) -> Any:
    """The field `linked` of a type whose values are rows of an entity of ours; without it, of the dataset that they say."""

    @field(LinkedConnection)
    async def linked(
        root: strawberry.Parent[Any], info: Info, link: str, first: int | None = None, after: str | None = None
    ) -> Any:
        """The rows to which a link of the published data model leads, or a way back, by its name."""
        page = requested_page(info, first, after)
        return await linked_listing(info.context, LinkedAsk(entity or root.dataset, link, root.id, page.first, page.after))

    return linked
