"""Put hits at the end of the stream. The heart of the room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.tracking.machines import LinkBook, RuleBook
from core.tracking.records import Hit
from core.tracking.store import count_rows, event_rows


async def append(conn: Connection, hits: Sequence[Hit], book: RuleBook, links: LinkBook, now: datetime) -> None:
    """Store hits, telling machines' by themselves, and move uniques and counters.

    Outside a transaction this commits. Inside one, the stream is held to its end and every other writer waits: do it last.
    """
    hidden = {delivery_id: await links.hidden(conn, delivery_id) for delivery_id in {hit.delivery_id for hit in hits}}
    marked = [(hit, book.classify(hit, hidden[hit.delivery_id])) for hit in hits]
    await event_rows.add_hits(conn, marked, count_rows.slot_of(now))
