"""Batch loaders of business events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.context import RequestContext
from api.graphql.connections import decode_pair, encode_pair
from core.errors import Invalid
from core.events import history
from core.events.records import BusinessEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EventPage:
    """What is asked of the events of one profile."""

    profile_id: int
    first: int
    before: tuple[datetime, int] | None
    types: tuple[str, ...] | None


async def load_events(context: RequestContext, pages: list[EventPage]) -> list[Any]:
    """Pages of events; those that differ by the profile alone are read together."""
    alike: dict[Any, list[int]] = defaultdict(list)
    for page in pages:
        alike[page.first, page.before, page.types].append(page.profile_id)
    found = {}
    async with context.lease.use() as conn:
        for (first, before, types), ids in alike.items():
            of_each = await history.list_events(conn, ids, types=types, before=before, limit=first)
            found.update({EventPage(one, first, before, types): page for one, page in of_each.items()})
    return [found[page] for page in pages]


def cursor_of(event: BusinessEvent) -> str:
    """Where a page goes on after an event."""
    return encode_pair(str((event.occurred_at - _EPOCH) // timedelta(microseconds=1)), str(event.id))


def read_cursor(text: str) -> tuple[datetime, int]:
    """Raises Invalid (BAD_CURSOR)."""
    microseconds, event_id = decode_pair(text)
    try:
        found = _EPOCH + timedelta(microseconds=int(microseconds)), int(event_id)
        if not 0 <= found[1] < 2**63:
            raise ValueError
    except (ValueError, OverflowError):
        raise Invalid("this is not a cursor", code="BAD_CURSOR", path="after", hint="Pass an `endCursor` as it came.") from None
    return found
