"""Following from a cursor: no loss, no repeat, for the quick, the slow and those who come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import asyncpg

from core.db import Pool, open_pool, transaction
from core.tracking import stream
from core.tracking.machines import RuleBook
from core.tracking.records import (
    EVERYTHING,
    EventBatch,
    EventFilter,
    Hit,
    MachineRule,
    RuleKind,
    TrackingKind,
)
from core.tracking.stream import Tail, follow, newest_position, read, read_batch
from tests.core.tracking.people import ROBOT, append_hits, hit

RULES = RuleBook([
    MachineRule(id=4, kind=RuleKind.AGENT, pattern="Bot"),
    MachineRule(id=7, kind=RuleKind.BURST, seconds=5, least=2),
])  # fmt: skip


async def put(pool: Pool, *hits: Hit) -> None:
    """One commit."""
    async with transaction(pool) as conn:
        await append_hits(conn, hits, RULES)


@asynccontextmanager
async def tail_on(pool: Pool) -> AsyncIterator[Tail]:
    """A running tail."""
    tail = Tail(pool)
    await tail.start()
    try:
        yield tail
    finally:
        await tail.stop()


async def collect(pool: Pool, tail: Tail, after: int, until: int, filters: EventFilter = EVERYTHING) -> list[EventBatch]:
    """Batches up to a position."""
    batches: list[EventBatch] = []
    async with aclosing(follow(pool, tail, after, filters)) as source:
        async for batch in source:
            batches.append(batch)
            if batch.position >= until:
                return batches
    raise AssertionError("the stream ended")


def positions(batches: Sequence[EventBatch]) -> list[int]:
    """Of all events, in the order in which they came."""
    return [one.position for batch in batches for one in batch.events]


async def test_reading_pages_through_everything(pool: Pool) -> None:
    await put(pool, *(hit(recipient=number) for number in range(1, 8)))
    async with pool.acquire() as conn:
        assert await newest_position(conn) == 7
        first = await read(conn, 0, 5)
        rest = await read(conn, first[-1].position, 5)
        assert [one.recipient_id for one in first + rest] == [1, 2, 3, 4, 5, 6, 7]
        assert (await read_batch(conn, 7)) == EventBatch(events=(), position=7)


async def test_the_past_then_the_present_without_a_seam(pool: Pool) -> None:
    # Given events from before
    await put(pool, hit(recipient=1), hit(recipient=2))
    async with tail_on(pool) as tail:
        # When followers start at the beginning, in the middle and at the end, and more comes
        followers = [asyncio.create_task(collect(pool, tail, after, 5)) for after in (0, 1, 2)]
        await asyncio.sleep(0.2)
        await put(pool, hit(recipient=3))
        await put(pool, hit(recipient=4), hit(recipient=5))
        seen = [positions(batches) for batches in await asyncio.gather(*followers)]
        # And one that comes back later goes on from its cursor, though nothing happens any more
        again = positions(await collect(pool, tail, 3, 5))
    assert seen == [[1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5]]
    assert again == [4, 5]


async def test_a_slow_follower_misses_nothing(pool: Pool) -> None:
    async with tail_on(pool) as tail, aclosing(follow(pool, tail, 0)) as source:
        await put(pool, hit(recipient=1))
        seen = [one.position for one in (await anext(source)).events]
        # When it does not listen while more commits happen than are kept for it
        quick = asyncio.create_task(collect(pool, tail, 1, 200))
        for number in range(2, 201):
            await put(pool, hit(recipient=number))
            await asyncio.sleep(0.001)
        live = await quick
        # Then it still gets all of it, in order
        while seen[-1] < 200:
            seen += [one.position for one in (await anext(source)).events]
    assert seen == list(range(1, 201))
    assert positions(live) == list(range(2, 201))


async def test_more_than_a_batch_at_once(pool: Pool) -> None:
    many = stream.READ_SIZE * 2 + 10
    await put(pool, *(hit(recipient=number, after=number * 100) for number in range(1, many + 1)))
    async with tail_on(pool) as tail:
        batches = await collect(pool, tail, 0, many)
    assert [len(batch.events) for batch in batches] == [stream.READ_SIZE, stream.READ_SIZE, 10]
    assert positions(batches) == list(range(1, many + 1))


async def test_cursors_from_before_everything_and_after_it(pool: Pool) -> None:
    # Given a stream whose first part was dropped, as retention does
    await put(pool, hit(recipient=1))
    await pool.execute("DELETE FROM tracking_event")
    await pool.execute("SELECT setval('tracking_position', $1)", stream.READ_SPAN * 1_000_000)
    await put(pool, hit(recipient=2))
    first = stream.READ_SPAN * 1_000_000 + 1
    async with tail_on(pool) as tail:
        # Then any cursor from before finds the next event at once, and one from beyond the end waits for what comes
        for after in (-(2**63), -1, 0, 1, first - 1):
            assert positions(await collect(pool, tail, after, first)) == [first]
        beyond = asyncio.create_task(collect(pool, tail, first + 1, first + 2))
        await asyncio.sleep(0.1)
        await put(pool, hit(recipient=3), hit(recipient=4))
        assert positions(await beyond) == [first + 2]


async def test_filters_are_the_same_for_the_past_and_the_present(pool: Pool) -> None:
    wanted = EventFilter(delivery_id=7, kinds=frozenset({TrackingKind.CLICK}), machines=False)

    async def some() -> None:
        await put(
            pool,
            hit(link=1), hit(delivery=8, link=1), hit(link=1, agent=ROBOT, recipient=2), hit(TrackingKind.OPEN),
            hit(link=3, recipient=3),
        )  # fmt: skip

    await some()  # positions 1 to 5
    async with tail_on(pool) as tail:
        follower = asyncio.create_task(collect(pool, tail, 0, 10, wanted))
        await asyncio.sleep(0.2)
        await some()  # positions 6 to 10
        assert positions(await follower) == [1, 5, 6, 10]


async def test_what_was_shown_as_a_persons_is_taken_back(pool: Pool) -> None:
    people = EventFilter(machines=False)
    async with tail_on(pool) as tail:
        follower = asyncio.create_task(collect(pool, tail, 0, 6, people))
        await put(pool, hit(link=1), hit(link=2, after=1))
        await put(pool, hit(link=3, after=2))
        events = [one for batch in await follower for one in batch.events]
    assert [(one.position, one.corrects) for one in events] == [
        (1, None),
        (2, None),
        (3, None),
        (4, 1),
        (5, 2),
        (6, 3),
    ]


async def test_the_stream_goes_on_after_the_connections_are_lost(pool: Pool, database_url: str) -> None:
    door = await open_pool(database_url, size=4, application="the door")
    async with tail_on(door) as tail:
        follower = asyncio.create_task(collect(door, tail, 0, 40))
        killer = await asyncpg.connect(database_url)
        for number in range(1, 41):
            await put(pool, hit(recipient=number))
            if number % 10 == 0:
                await killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'the door'"
                )
        assert positions(await follower) == list(range(1, 41))
        await killer.close()
    door.terminate()


async def test_a_rollback_hides_and_repeats_nothing(pool: Pool) -> None:
    await put(pool, hit())
    async with pool.acquire() as conn:
        unfinished = conn.transaction()
        await unfinished.start()
        await append_hits(conn, [hit(recipient=2)], RULES)
        assert await pool.fetchval("SELECT max(position) FROM tracking_event") == 1
        await unfinished.rollback()
    async with pool.acquire() as conn:
        cursor = (await read_batch(conn, 0)).position
        await put(pool, hit(recipient=3))
        assert [one.recipient_id for one in await read(conn, 0, 10)] == [1, 3]
        assert [one.recipient_id for one in await read(conn, cursor, 10)] == [3]
