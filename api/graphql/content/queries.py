"""Reads of content."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.content.loaders import load_contents
from api.graphql.content.previewing import preview_for
from api.graphql.content.types import Content, ContentWarning, Preview, PreviewInput
from api.graphql.leaf import field
from api.graphql.nodes import load_one
from core.content import contents
from core.ids import from_global_id
from core.planning.columns import library_of


@strawberry.type
class ContentQuery:
    """Content and previews."""

    @field(Content | None)
    async def content(self, info: Info, id: strawberry.ID) -> Any:
        """Content."""
        return await load_one(info.context, "Content", load_contents, id)

    @field(Connection[Content])
    async def contents(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Content, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await contents.list_contents(conn, page)
        return Listing(rows, info.context.counted(contents.count_contents), by_id, page.after)

    @field(list[ContentWarning])
    async def content_warnings(self, info: Info, id: strawberry.ID) -> Any:
        """What the author of saved content should look at, checked anew; errors where it can no longer be sent."""
        async with info.context.lease.use() as conn:
            content = await contents.get_content(conn, from_global_id("Content", id, "id"))
            library = await library_of(conn, content)
        return await contents.warnings_of(info.context.channels, content, library)

    @field(Preview)
    async def preview(self, info: Info, input: PreviewInput) -> Any:
        """What one profile would get of content, saved or not; links show where they lead, and nothing is counted."""
        return await preview_for(info.context, input)
