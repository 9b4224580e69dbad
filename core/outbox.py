"""Announcements: a row in the caller's transaction that says what happened. Its own store.

`core/workers/wiring.py` says which jobs follow from which topic; the relay carries rows to the broker after commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.db import Connection, allow_silence

CHANNEL = "clarion_outbox"  # NOTIFY channel that wakes the relay
MANY = 1000  # ids that one announcement carries


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One fact on its way to the jobs that answer it."""

    id: int
    topic: str
    ids: dict[str, Any]


async def announce(conn: Connection, topic: str, **ids: int | str) -> None:
    """Say in this transaction that something happened. Carries ids only; jobs read the rows."""
    await conn.execute("INSERT INTO outbox (topic, ids) VALUES ($1, $2)", topic, ids)
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def announce_all(conn: Connection, topic: str, name: str, ids: Sequence[int]) -> None:
    """Say of many at once that something happened: an announcement for each `MANY`, with their ids as a list."""
    await conn.execute(
        """
        INSERT INTO outbox (topic, ids)
        SELECT $1, jsonb_build_object($2::text, jsonb_agg(id ORDER BY place))
          FROM unnest($3::bigint[]) WITH ORDINALITY given (id, place) GROUP BY (place - 1) / $4
        """,
        topic, name, ids, MANY,
    )  # fmt: skip
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def take(conn: Connection, limit: int, *, silence: float = 0.0) -> list[Announcement]:
    """Lock and delete the oldest announcements; several relays may do so at once.

    The transaction may then wait for others for `silence` seconds, which is longer than `core.db.ASLEEP_SECONDS`.
    """
    if silence:
        await allow_silence(conn, silence)
    rows = await conn.fetch(
        """
        DELETE FROM outbox
         WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING id, topic, ids
        """,
        limit,
    )
    return sorted((Announcement(**dict(row)) for row in rows), key=lambda found: found.id)


async def waiting(conn: Connection) -> tuple[int, float]:
    """(how many announcements wait, up to 100,000; age of the oldest in seconds)."""
    row = await conn.fetchrow(
        """
        SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT 100000) counted) AS number,
               coalesce((SELECT extract(epoch FROM now() - created_at) FROM outbox ORDER BY id LIMIT 1), 0)::float8 AS seconds
        """
    )
    assert row is not None
    return row["number"], row["seconds"]
