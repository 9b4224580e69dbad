"""Months are made ahead, and no clock can lose an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg

from core.db import Pool, transaction
from core.partitions import month_of
from core.tracking.partitions import ensure_partitions
from core.tracking.stream import read
from tests.core.tracking.people import NOON, hit, store_groups


async def place_of(pool: Pool) -> dict[int, str]:
    """Recipient → the partition that holds its event."""
    rows = await pool.fetch("SELECT recipient_id, tableoid::regclass::text AS place FROM tracking_event")
    return {row["recipient_id"]: row["place"] for row in rows}


def test_months() -> None:
    assert month_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 1) == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_of(datetime(2026, 3, 1, 0, 30, tzinfo=UTC) - timedelta(hours=1)) == datetime(2026, 2, 1, tzinfo=UTC)


async def test_months_are_made_ahead_and_once(pool: Pool) -> None:
    async with transaction(pool) as conn:
        assert await ensure_partitions(conn, NOON) == ["2026-03", "2026-04", "2026-05"]
        assert await ensure_partitions(conn, NOON) == []
        assert await ensure_partitions(conn, NOON + timedelta(days=31)) == ["2026-06"]


async def test_events_without_a_month_wait_for_it(pool: Pool) -> None:
    # Given events before any month was made
    async with transaction(pool) as conn:
        await store_groups(conn, [hit(recipient=1), hit(recipient=2, after=86400 * 400)])
    assert await place_of(pool) == {1: "tracking_event_other", 2: "tracking_event_other"}
    # When the month is made, its events move, and the others stay; nobody who reads can tell
    async with transaction(pool) as conn:
        await ensure_partitions(conn, NOON)
        await store_groups(conn, [hit(recipient=3)])
        assert [one.recipient_id for one in await read(conn, 0, 10)] == [1, 2, 3]
    assert await place_of(pool) == {
        1: "tracking_event_2026_03",
        2: "tracking_event_other",
        3: "tracking_event_2026_03",
    }


async def test_a_month_that_cannot_be_made_now_is_left_for_later(pool: Pool, database_url: str) -> None:
    # Given a long transaction that reads the events
    reader = await asyncpg.connect(database_url)
    reading = reader.transaction()
    await reading.start()
    await reader.fetch("SELECT * FROM tracking_event")
    # Then making months gives up at once, and works afterwards
    async with transaction(pool) as conn:
        assert await ensure_partitions(conn, NOON) == []
    await reading.rollback()
    await reader.close()
    async with transaction(pool) as conn:
        assert len(await ensure_partitions(conn, NOON)) == 3
