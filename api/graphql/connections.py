"""Pages in the manner of Relay, over the keyset cursors of `core/paging.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import strawberry

from api.graphql.leaf import leaf
from core.paging import Page, PageRequest, encode_cursor, page_request
from api.context import Info

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """A page with the way to count all that it is part of, used only when asked."""

    page: Page[Any]
    count: Callable[[], Awaitable[int]]
    key: Callable[[Any], int]
    started_after: int | None = None


@strawberry.type(description="Where a page ends and whether more follows.")
class PageInfo:
    """Relay's page information. Pages go forward only."""

    has_next_page: bool = leaf(lambda listing: listing.page.has_next)
    has_previous_page: bool = leaf(lambda listing: listing.started_after is not None)
    start_cursor: str | None = leaf(lambda listing: _cursor_at(listing, 0))
    end_cursor: str | None = leaf(lambda listing: _cursor_at(listing, -1))


@strawberry.type
class Edge(Generic[T]):
    """One row of a page with its cursor."""

    cursor: str = leaf(lambda pair: encode_cursor(pair[0]))
    node: T = leaf(lambda pair: pair[1])


@strawberry.type
class Connection(Generic[T]):
    """A page of rows. `totalCount` is counted only when it is asked for."""

    edges: list[Edge[T]] = leaf(lambda listing: [(listing.key(row), row) for row in listing.page.rows])
    nodes: list[T] = leaf(lambda listing: listing.page.rows)
    page_info: PageInfo = leaf(lambda listing: listing)

    @strawberry.field(description="How many rows there are on all pages together; counted when asked.")
    async def total_count(root: strawberry.Parent[Any]) -> int:
        """Count."""
        listing: Listing = root
        return await listing.count()


def _cursor_at(listing: Listing, index: int) -> str | None:
    rows = listing.page.rows
    return encode_cursor(listing.key(rows[index])) if rows else None


def requested_page(info: Info, first: int | None, after: str | None) -> PageRequest:
    """The page that a field's arguments ask for. Raises Invalid (BAD_PAGE_SIZE, BAD_CURSOR)."""
    return page_request(first, after, largest=info.context.runtime.settings.page_size_max)


def by_id(row: Any) -> int:
    """The key of most lists."""
    key: int = row.id
    return key
