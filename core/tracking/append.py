"""Put hits at the end of the stream, in the caller's transaction.

The heart of the room. From `store.take_stream` to the end of the transaction the caller holds the stream, and every other
writer waits: do that last, append, and commit at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.tracking import store
from core.tracking.machines import LinkBook, RuleBook
from core.tracking.records import Hit

Marked = Sequence[tuple[Hit, int]]  # hits with the rules that took them for machines', or 0


async def mark(conn: Connection, hits: Sequence[Hit], book: RuleBook, links: LinkBook) -> Marked:
    """Tell machines' hits by themselves. Needs no stream: do it before taking it."""
    hidden = {delivery_id: await links.hidden(conn, delivery_id) for delivery_id in {hit.delivery_id for hit in hits}}
    return [(hit, book.classify(hit, hidden[hit.delivery_id])) for hit in hits]


async def append(conn: Connection, hits: Marked, book: RuleBook, links: LinkBook, now: datetime) -> int:
    """Store hits, move uniques and counters, re-mark what turns out to be a machine's doing. Hold the stream.

    Returns the position of the first hit.
    """
    slot = store.slot_of(now)
    before, sightings = await store.add_hits(conn, hits, book.window, book.hidden_rule, slot)
    if sightings:
        shown = await links.shown(conn, [seen.message for seen in sightings])
        last = before + len(hits)
        added = await store.re_mark(conn, last, now, book.judge(sightings, shown))
        if added:
            await store.draw_positions(conn, added)
            await store.count_remarks(conn, last, slot)
    position: int = before + 1
    return position
