"""What was sent to a person, what they did and said, and what was told of them.

Read through merges: facts keep the profile that they were about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from core.db import Connection
from core.errors import Invalid
from core.events.history import list_events
from core.paging import Page, decode_key, encode_key
from core.profiles import merging, profiles
from core.public_urls import PublicUrls
from core.reporting import store
from core.reporting.records import HistoryEntry, HistoryKind, MergeWarning

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TOLD = 4  # the rank of business events among what has one time: behind those of `store`


async def history(
    conn: Connection, profile_id: int, *, urls: PublicUrls, first: int, after: str | None = None
) -> Page[HistoryEntry]:
    """Messages, opens and clicks, subscriptions, decisions and business events of a person, the newest first.

    `urls` makes the addresses of mirror pages. Raises NotFound, Invalid (BAD_CURSOR).
    """
    started = None if after is None else _decode(after)
    person = await profiles.get_profile(conn, profile_id)
    aliases = (await merging.get_aliases(conn, [person.id])).get(person.id, [])
    rows = await store.list_history(conn, [person.id, *aliases], started, first + 1, urls)
    rows = sorted([*rows, *await _told(conn, person.id, started, first + 1)], key=lambda one: one.cursor, reverse=True)
    return Page(rows=rows[:first], has_next=len(rows) > first)


async def _told(
    conn: Connection, profile_id: int, after: tuple[datetime, int, int, int] | None, limit: int
) -> list[HistoryEntry]:
    """Business events behind a place in the order: at its very moment those alone that stand behind it."""
    before = None if after is None else (after[0], after[2] if after[1] == _TOLD else 0)
    found = await list_events(conn, [profile_id], before=before, limit=limit)
    return [
        HistoryEntry(
            at=one.occurred_at, kind=HistoryKind.BUSINESS_EVENT, profile_id=one.profile_id, event=one,
            cursor=(one.occurred_at, _TOLD, one.id, 0),
        )
        for one in found[profile_id].rows
    ]  # fmt: skip


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
