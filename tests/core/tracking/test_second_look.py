"""What a burst watch did not see is found a little later, whatever has happened since."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.clock import system_clock
from core.db import Pool, transaction
from core.tracking import jobs, reading
from core.tracking.append import append
from core.tracking.machines import RuleBook
from core.tracking.records import Hit, TrackingKind
from core.tracking.second_look import look_again
from core.tracking.store import count_rows, event_rows, rule_rows
from core.tracking.stream import read
from tests.core.tracking.campaign import add_profile, prepared_campaign
from tests.core.tracking.people import BROWSER, NOON, TwoDeliveries, hit


async def store(pool: Pool, *hits: Hit) -> None:
    """What a process does that is killed right after the commit."""
    async with transaction(pool) as conn:
        await append(conn, hits, RuleBook(await rule_rows.list_rules(conn)), TwoDeliveries(), NOON)


async def look(pool: Pool) -> int:
    """One sweep."""
    return await look_again(pool, TwoDeliveries(), lambda: NOON)


async def corrected(pool: Pool) -> list[int]:
    """The positions that were taken back; the counters must agree."""
    async with pool.acquire() as conn:
        assert await reading.counts(conn, 7) == await count_rows.recount(conn, 7)
        return [one.corrects for one in await read(conn, 0, 10_000) if one.corrects is not None]


async def test_a_burst_that_nobody_watched_is_found(pool: Pool) -> None:
    # Given a scanner, a person who clicks what it clicked, and a process that was killed before it looked
    await store(pool, hit(link=1), hit(link=2, after=0.1), hit(recipient=2, link=1), hit(link=3, after=0.2))
    await store(pool, hit(TrackingKind.OPEN, after=300), hit(link=1, after=301))
    assert await corrected(pool) == []
    # Then the burst is taken back, and a second time there is nothing to do
    assert await look(pool) == 3
    assert await corrected(pool) == [1, 2, 4]
    assert await look(pool) == 0


@pytest.mark.parametrize("stretch", [1, 2, 3])
async def test_a_burst_is_found_where_the_look_ended_within_it(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    monkeypatch.setattr("core.tracking.second_look.STRETCH", stretch)
    monkeypatch.setattr("core.tracking.second_look.MOST_STRETCHES", 1)
    await store(pool, hit(link=1), hit(link=2), hit(recipient=2, link=9, after=9), hit(link=3, after=1))
    await store(pool, hit(recipient=2, link=1, after=10))
    for _ in range(12):
        await look(pool)
    assert await corrected(pool) == [1, 2, 4, 5]


async def test_one_process_at_a_time_looks(pool: Pool) -> None:
    await store(pool, hit(link=9), hit(link=1))
    async with transaction(pool) as conn:
        assert await event_rows.lock_second_look(conn) == 0
        assert await look(pool) == 0
    assert await look(pool) == 1


async def test_the_sweep_of_a_process_without_public_pages(pool: Pool, database_url: str, tmp_path: Path) -> None:
    # Given somebody whose links were all followed at once, which nobody saw
    async with pool.acquire() as conn:
        anna = await add_profile(conn, "Anna", "FR")
    async with prepared_campaign(pool, database_url, tmp_path) as campaign:
        now = system_clock()
        clicks = [
            Hit(at=now, kind=TrackingKind.CLICK, delivery_id=campaign.delivery_id, recipient_kind=1, recipient_id=anna,
                link=link, user_agent=BROWSER)
            for link in (1, 2, 3)
        ]  # fmt: skip
        await store(pool, *clicks)
        # When the relay's sweep comes by
        await jobs.sweep(campaign.runtime)
    # Then they are a machine's
    assert await corrected(pool) == [1, 2, 3]
