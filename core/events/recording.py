"""Recording events. The heart of the room."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from core.access import Actor, Permission, require
from core.audit import record_many
from core.db import Connection
from core.errors import ClarionError, Conflict, Invalid
from core.events.physical import table_of
from core.events.present import hold_event_types, present_event_types
from core.events.reading import Batch, ReadEvent, read_events, readers_of
from core.events.records import EventTypes, Outcome, OutcomeStatus, SentEvent
from core.events.store import changes
from core.events.store import events as store
from core.profiles.identities import identify

MOST_AT_ONCE = 10_000  # events of one call
MANY_KEYS = 100  # most often all of so many are new: that is tried first
READ_HERE = 100  # more are read in a thread, for the loop serves others


async def record_events(conn: Connection, actor: Actor, sent: Sequence[SentEvent] | Batch, now: datetime) -> list[Outcome]:
    """Store events, each or why not, in the order of the call. What one event lacks does not keep the others out.

    An event whose type and key were told before is "repeated" when its content is the same, and refused when it is not: sending
    a call again does no harm. Holds the stream of changes to the end of the transaction: do it last.

    Raises Invalid (TOO_MANY_EVENTS).
    """
    require(actor, Permission.IMPORT)
    events = sent.sent if isinstance(sent, Batch) else sent
    if len(events) > MOST_AT_ONCE:
        raise Invalid(
            f"one call takes up to {MOST_AT_ONCE:,} events, not {len(events):,}", code="TOO_MANY_EVENTS", path="events",
            hint="Send several calls.",
        )  # fmt: skip
    types = await hold_event_types(conn)
    if not isinstance(sent, Batch) or sent.types is not types:
        sent = await _read(types, events, now)
    outcomes, read = _sorted_out(sent.found)
    owners = await _owners(conn, outcomes, read)
    fresh = await _take_keys(conn, outcomes, [one for one in read if one.index in owners])
    await _store(conn, actor, types, fresh, owners, now)
    return [outcomes[index] for index in range(len(events))]


async def read_ahead(conn: Connection, sent: Sequence[SentEvent], now: datetime) -> Batch:
    """Read events before they are recorded, while others are being stored. What has changed until then is read again."""
    return await _read(await present_event_types(conn), sent, now)


async def _read(types: EventTypes, sent: Sequence[SentEvent], now: datetime) -> Batch:
    if len(sent) <= READ_HERE:
        return read_events(types, sent, now)
    return await asyncio.to_thread(read_events, types, sent, now)


def _sorted_out(found: Iterable[ReadEvent | ClarionError]) -> tuple[dict[int, Outcome], list[ReadEvent]]:
    outcomes: dict[int, Outcome] = {}
    read: list[ReadEvent] = []
    for index, one in enumerate(found):
        if isinstance(one, ReadEvent):
            read.append(one)
        else:
            outcomes[index] = _rejected(index, one)
    return outcomes, read


async def _owners(conn: Connection, outcomes: dict[int, Outcome], read: Sequence[ReadEvent]) -> dict[int, int]:
    """The profile of each event, by the event's index; those without one are rejected."""
    profiles = await identify(conn, [one.reference for one in read])
    owners: dict[int, int] = {}
    for one in read:
        found = profiles[one.reference]
        if isinstance(found, int):
            owners[one.index] = found
        else:
            outcomes[one.index] = _rejected(one.index, found)
    return owners


async def _take_keys(conn: Connection, outcomes: dict[int, Outcome], read: Sequence[ReadEvent]) -> list[ReadEvent]:
    """The events whose keys are new; the outcomes of all."""
    first: dict[store.Key, ReadEvent] = {}
    for one in read:
        first.setdefault((one.type.id, one.key_hash), one)
    taken = await _taken(conn, first)
    digests = {key: one.digest for key, one in first.items() if key in taken}
    if before := [key for key in first if key not in taken]:
        digests |= await store.find_digests(conn, [key[0] for key in before], [key[1] for key in before])
    fresh = []
    for one in read:
        key = one.type.id, one.key_hash
        if key in taken and first[key] is one:
            fresh.append(one)
            outcomes[one.index] = Outcome(index=one.index, status=OutcomeStatus.STORED)
        elif digests.get(key, one.digest) == one.digest:
            outcomes[one.index] = Outcome(index=one.index, status=OutcomeStatus.REPEATED)
        else:
            outcomes[one.index] = _rejected(one.index, _reused())
    return fresh


async def _taken(conn: Connection, wanted: Mapping[store.Key, ReadEvent]) -> Collection[store.Key]:
    rows = sorted((*key, one.digest, one.occurred_at) for key, one in wanted.items())
    if len(rows) >= MANY_KEYS and await store.take_keys(conn, rows):
        return wanted.keys()
    return await store.claim_keys(conn, rows) if rows else ()


async def _store(
    conn: Connection, actor: Actor, types: EventTypes, fresh: Sequence[ReadEvent], owners: dict[int, int], now: datetime
) -> None:
    if not fresh:
        return
    by_type: dict[str, list[ReadEvent]] = defaultdict(list)
    for one in fresh:
        by_type[one.type.name].append(one)
    readers = readers_of(types)
    for name in sorted(by_type):
        rows = [(owners[one.index], one.occurred_at, now, one.key, *one.values) for one in by_type[name]]
        await store.store_events(conn, table_of(name), readers[name].columns, rows)
    told = {name: len(events) for name, events in sorted(by_type.items())}
    type_ids = sorted({one.type.id for one in fresh})
    profile_ids = sorted({owners[one.index] for one in fresh})
    await record_many(conn, actor, "event.record", "event", list(told), {"stored": told})
    await changes.append_change(conn, now, len(fresh), type_ids, profile_ids)  # last: until the commit all others wait


def _rejected(index: int, error: ClarionError) -> Outcome:
    return Outcome(index=index, status=OutcomeStatus.REJECTED, error=error)


def _reused() -> Conflict:
    return Conflict(
        "another event of this type was told under this key", code="KEY_REUSED", path="key",
        hint="Give each event a key of its own; correct an event by telling another.",
    )  # fmt: skip
