"""Pages in the manner of Relay, over the keyset cursors of `core/paging.py`."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import strawberry

from api.context import Info
from api.graphql.leaf import leaf
from core.errors import Invalid
from core.paging import Page, PageRequest, encode_cursor, page_request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """A page with the way to count all that it is part of, used only when asked."""

    page: Page[Any]
    count: Callable[[], Awaitable[int]] | None
    key: Callable[[Any], int | str]  # a str is a cursor already
    started_after: object = None


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

    cursor: str = leaf(lambda pair: _cursor(pair[0]))
    node: T = leaf(lambda pair: pair[1])


@strawberry.type
class ForwardPage(Generic[T]):
    """A page of rows."""

    edges: list[Edge[T]] = leaf(lambda listing: [(listing.key(row), row) for row in listing.page.rows])
    nodes: list[T] = leaf(lambda listing: listing.page.rows)
    page_info: PageInfo = leaf(lambda listing: listing)


@strawberry.type
class Connection(ForwardPage[T]):
    """A page of rows. `totalCount` is counted only when it is asked for."""

    @strawberry.field(description="How many rows there are on all pages together; counted when asked.")  # type: ignore[untyped-decorator]
    async def total_count(root: strawberry.Parent[Any]) -> int:
        """Count."""
        listing: Listing = root
        assert listing.count is not None
        return await listing.count()


def _cursor_at(listing: Listing, index: int) -> str | None:
    rows = listing.page.rows
    return _cursor(listing.key(rows[index])) if rows else None


def _cursor(key: int | str) -> str:
    return key if isinstance(key, str) else encode_cursor(key)


def requested_page(info: Info, first: int | None, after: str | None) -> PageRequest:
    """The page that a field's arguments ask for. Raises Invalid (BAD_PAGE_SIZE, BAD_CURSOR)."""
    return page_request(first, after, largest=info.context.runtime.settings.page_size_max)


def by_id(row: Any) -> int:
    """The key of most lists."""
    key: int = row.id
    return key


def encode_pair(first: str, second: str) -> str:
    """A cursor for rows whose key is a pair of texts."""
    return base64.urlsafe_b64encode(msgspec.json.encode((first, second))).decode().rstrip("=")


def decode_pair(text: str) -> tuple[str, str]:
    """Raises Invalid (BAD_CURSOR)."""
    try:
        raw = base64.urlsafe_b64decode((text + "=" * (-len(text) % 4)).encode("ascii"))
        return msgspec.json.decode(raw, type=tuple[str, str])
    except (ValueError, msgspec.DecodeError):
        raise Invalid("this is not a cursor", code="BAD_CURSOR", path="after", hint="Pass an `endCursor` as it came.") from None
