"""An answered hit is a stored one, once; positions are in the order of commits, whatever else is going on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from core.clock import system_clock
from core.db import Pool, open_pool
from core.errors import Unavailable
from core.tracking import reading
from core.tracking.hits import HitRecorder
from core.tracking.records import Hit, TrackingEvent, TrackingKind
from core.tracking.store import count_rows
from core.tracking.stream import read
from tests.core.tracking.breaking_link import BreakingLink, Cut
from tests.core.tracking.people import BROWSER, TwoDeliveries


def recorder_on(pool: Pool, wait_seconds: float = 8.0) -> HitRecorder:
    """A recorder as a process has it."""
    return HitRecorder(pool, TwoDeliveries(), system_clock, wait_seconds=wait_seconds)


def click(recipient: int, link: int = 1) -> Hit:
    """Somebody clicks, now."""
    return Hit(
        at=datetime.now(UTC), kind=TrackingKind.CLICK, delivery_id=7, recipient_kind=1, recipient_id=recipient,
        link=link, user_agent=BROWSER,
    )  # fmt: skip


async def events(pool: Pool) -> list[TrackingEvent]:
    """All that is stored; the counters must agree."""
    async with pool.acquire() as conn:
        found = await read(conn, 0, 100_000)
        assert await reading.counts(conn, 7) == await count_rows.recount(conn, 7)
    return found


async def test_a_recorded_hit_is_committed(pool: Pool) -> None:
    recorder = recorder_on(pool)
    await recorder.record(click(1))
    (event,) = await events(pool)
    assert (event.position, event.recipient_id, event.machine_rule, event.user_agent) == (1, 1, 0, BROWSER)
    await recorder.close()


async def test_hits_that_come_together_share_commits(pool: Pool) -> None:
    recorder = recorder_on(pool)
    async with pool.acquire() as conn:
        before = await conn.fetchval("SELECT pg_current_xact_id()::text::bigint")
        await asyncio.gather(*(recorder.record(click(number)) for number in range(500)))
        after = await conn.fetchval("SELECT pg_current_xact_id()::text::bigint")
    await recorder.close()
    assert len(await events(pool)) == 500
    assert after - before < 50


async def test_two_processes_make_one_stream_without_gaps(pool: Pool, database_url: str) -> None:
    # Given two recorders with pools of their own, and a transaction that was open before them and stays open
    other_pool = await open_pool(database_url, size=4, application="another process")
    first, second = recorder_on(pool), recorder_on(other_pool)
    async with pool.acquire() as idle, idle.transaction():
        await idle.execute(
            "INSERT INTO delivery_log (delivery_id, level, code, message) SELECT id, 'info', '', '' FROM delivery"
        )
        await idle.execute("CREATE TABLE something_unfinished (id int)")

        # When both store hits at once, and a reader follows by cursor meanwhile
        async def follow() -> list[int]:
            seen: list[int] = []
            async with pool.acquire() as conn:
                while len(seen) < 600:
                    seen += [one.position for one in await read(conn, seen[-1] if seen else 0, 100)]
                    await asyncio.sleep(0)
            return seen

        async def some(recorder: HitRecorder, people: range) -> None:
            for start in range(people.start, people.stop, 10):
                await asyncio.gather(*(recorder.record(click(one)) for one in range(start, start + 10)))

        seen, _, _ = await asyncio.gather(follow(), some(first, range(300)), some(second, range(300, 600)))

    # Then the cursor has seen every event once, in order, though it read while others were committing
    assert seen == list(range(1, 601))
    assert {one.recipient_id for one in await events(pool)} == set(range(600))
    await first.close()
    await second.close()
    other_pool.terminate()


async def test_a_burst_over_two_processes_is_found_by_the_one_that_commits_last(pool: Pool, database_url: str) -> None:
    other_pool = await open_pool(database_url, size=4, application="another process")
    first, second = recorder_on(pool), recorder_on(other_pool)
    # When scanners follow the three links of each of thirty messages at once, through two processes
    await asyncio.gather(
        *(recorder.record(click(one, link)) for one in range(30) for link, recorder in ((1, first), (2, second), (3, first)))
    )
    await first.settled()
    await second.settled()
    # Then every click is taken back, once
    found = await events(pool)
    hits = [one.position for one in found if one.corrects is None]
    assert len(hits) == 90
    assert sorted(one.corrects for one in found if one.corrects is not None) == hits
    await first.close()
    await second.close()
    other_pool.terminate()


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
async def test_a_lost_commit_neither_loses_nor_doubles(pool: Pool, database_url: str, cut: Cut) -> None:
    async with BreakingLink(database_url, BROWSER.encode()) as link:
        shaky = await open_pool(link.url, size=4, application="behind a bad line")
        recorder = recorder_on(shaky)
        await recorder.record(click(1))
        # When the connection breaks around a commit
        link.cut = cut
        await asyncio.gather(*(recorder.record(click(number)) for number in range(2, 12)))
        # Then every hit is there once
        assert link.cuts == 1
        assert [one.recipient_id for one in await events(pool)] == list(range(1, 12))
        await recorder.close()
        shaky.terminate()


async def test_a_silent_line_is_given_up_and_holds_up_nobody_for_long(pool: Pool, database_url: str) -> None:
    async with BreakingLink(database_url, BROWSER.encode()) as link:
        shaky = await open_pool(link.url, size=4, application="behind a bad line")
        behind, other = recorder_on(shaky), recorder_on(pool)
        await behind.record(click(1))
        # Given a process whose line falls silent while it holds the stream
        link.cut = Cut.SILENCE
        lost = asyncio.create_task(behind.record(click(2)))
        await link.happened.wait()
        # Then another process gets the stream within the time that its hits wait
        await other.record(click(3))
        # And the silent one comes back over a new line and stores its hit once
        await lost
        assert sorted(one.recipient_id for one in await events(pool)) == [1, 2, 3]
        await behind.close()
        await other.close()
        shaky.terminate()


async def test_connections_that_are_killed_again_and_again(pool: Pool, database_url: str) -> None:
    other_pool = await open_pool(database_url, size=4, application="the door")
    recorder = recorder_on(other_pool)
    answered = 0

    async def one(number: int) -> None:
        nonlocal answered
        await recorder.record(click(number))
        answered += 1

    killer = await asyncpg.connect(database_url)
    tasks = []
    for round_ in range(8):
        tasks += [asyncio.create_task(one(number)) for number in range(round_ * 40, round_ * 40 + 40)]
        await asyncio.sleep(0.02)
        await killer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'the door'")
    await asyncio.gather(*tasks)
    assert answered == 320
    assert sorted(one.recipient_id for one in await events(pool)) == list(range(320))
    await recorder.close()
    await killer.close()
    other_pool.terminate()


async def test_while_the_database_is_away_hits_wait_and_then_are_refused(
    server_url: str, pool: Pool, database_url: str
) -> None:
    other_pool = await open_pool(database_url, size=4, application="the door")
    patient, hasty = recorder_on(other_pool), recorder_on(other_pool, wait_seconds=0.3)
    await patient.record(click(1))
    # Given a database that accepts nobody
    name = await pool.fetchval("SELECT current_database()")
    outside = await asyncpg.connect(server_url)
    await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    # When people click: the one whose time is short is refused, the other waits
    waiting = asyncio.create_task(patient.record(click(2)))
    with pytest.raises(Unavailable, match="did not answer"):
        await hasty.record(click(3))
    assert not waiting.done()
    # Then, once it is back, the patient one is stored and the refused one is not
    await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await waiting
    await outside.close()
    await patient.close()
    await hasty.close()
    other_pool.terminate()
    fresh = await open_pool(database_url, size=1, application="afterwards")
    assert [one.recipient_id for one in await events(fresh)] == [1, 2]
    fresh.terminate()


async def test_closing_commits_what_waits_and_takes_nothing_more(pool: Pool) -> None:
    recorder = recorder_on(pool)
    waiting = [asyncio.create_task(recorder.record(click(number))) for number in range(20)]
    await asyncio.sleep(0)
    await recorder.close()
    await asyncio.gather(*waiting)
    assert len(await events(pool)) == 20
    with pytest.raises(Unavailable):
        await recorder.record(click(99))
