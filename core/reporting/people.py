"""What was sent to a person, what they did and said. Read through merges: facts keep the profile that they were about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from core.db import Connection
from core.errors import Invalid
from core.paging import Page, decode_key, encode_key
from core.profiles import merging, profiles
from core.reporting import store
from core.reporting.records import HistoryEntry, MergeWarning

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def history(conn: Connection, profile_id: int, *, first: int, after: str | None = None) -> Page[HistoryEntry]:
    """Messages, opens and clicks, subscriptions and decisions of a person, the newest first.

    Raises NotFound, Invalid (BAD_CURSOR).
    """
    started = None if after is None else _decode(after)
    person = await profiles.get_profile(conn, profile_id)
    aliases = (await merging.get_aliases(conn, [person.id])).get(person.id, [])
    rows = await store.list_history(conn, [person.id, *aliases], started, first + 1)
    return Page(rows=rows[:first], has_next=len(rows) > first)


def cursor_of(entry: HistoryEntry) -> str:
    """Where the page behind an entry starts."""
    at, *keys = entry.cursor
    return encode_key(((at - _EPOCH) // _MICROSECOND, *keys))


async def count_messages(conn: Connection, ids: Sequence[int]) -> int:
    """How many messages profiles were targeted with, one by one."""
    return await store.count_messages(conn, ids)


async def count_events(conn: Connection, ids: Sequence[int]) -> int:
    """How many events they have."""
    return await store.count_events(conn, ids)


async def list_warnings(conn: Connection, ids: Sequence[int]) -> list[MergeWarning]:
    """Deliveries that have still to write to any of them."""
    return await store.list_open_deliveries(conn, ids)


def _decode(after: str) -> tuple[datetime, int, int, int]:
    at, *keys = decode_key(after, 4)
    try:
        return (_EPOCH + at * _MICROSECOND, keys[0], keys[1], keys[2])
    except OverflowError:
        raise Invalid("this is not a cursor", code="BAD_CURSOR", path="after", hint="Pass an `endCursor` as it came.") from None
