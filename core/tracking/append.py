"""Put hits at the end of the stream, in the caller's transaction.

The heart of the room. From `store.advance` to the end of the transaction the caller holds the stream, and every other
writer waits: append last, and commit at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.tracking import store
from core.tracking.machines import LinkBook, RuleBook
from core.tracking.records import Hit


async def append(conn: Connection, hits: Sequence[Hit], book: RuleBook, links: LinkBook, now: datetime) -> int:
    """Store hits, move uniques and counters, re-mark what turns out to be a machine's doing.

    Returns the position before the first hit.
    """
    hidden = {delivery_id: await links.hidden(conn, delivery_id) for delivery_id in {hit.delivery_id for hit in hits}}
    marked = [(hit, book.classify(hit, hidden[hit.delivery_id])) for hit in hits]
    oldest, newest = min(hit.at for hit in hits), max(hit.at for hit in hits)
    position = await store.advance(conn, len(hits))
    await store.copy_hits(conn, position, marked)
    slot = store.slot_of(now)
    sightings = await store.count_hits(conn, position, oldest, newest, book.window, book.hidden_rule, slot)
    if sightings:
        shown = await links.shown(conn, [seen.message for seen in sightings])
        last = position + len(hits)
        added = await store.re_mark(conn, last, now, book.judge(sightings, shown))
        if added:
            await store.advance(conn, added)
            await store.count_remarks(conn, last, slot)
    return position
