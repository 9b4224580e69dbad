"""Pages whose rows have cursors of their own, as connections show them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from api.graphql.connections import Listing
from core.paging import Page
from core.rows.records import ProfilePage, RowPage


def listed(page: RowPage | ProfilePage, count: Callable[[], Awaitable[int]], after: str | None) -> Listing:
    """A page behind a cursor, with the way to count all that it is part of."""
    cursors = dict(zip((row.id for row in page.rows), page.cursors, strict=True))
    return Listing(Page(rows=page.rows, has_next=page.has_next), count, lambda row: cursors[row.id], after)
