"""Several who tell the same at once: each event once, nobody waits in a circle, and the stream loses nothing."""

from __future__ import annotations

import asyncio
import random

import pytest

from core.db import Pool, transaction
from core.events import recording
from core.events.changes import read_changes
from core.events.records import Outcome
from tests.core.events.told import REPEATED, STORED, add_profile, codes, event, save, tell


@pytest.fixture
async def telling(pool: Pool) -> Pool:
    """With two types and a person."""
    async with transaction(pool) as conn:
        await save(conn)
        await save(conn, "visit")
        await add_profile(conn)
    return pool


async def call(pool: Pool, keys: list[int], amount: str = "1") -> list[Outcome]:
    async with transaction(pool) as conn:
        sent = [event(f"k{n}", type=("purchase", "visit")[n % 2], payload={"amount": amount}) for n in keys]
        return await tell(conn, *sent)


@pytest.mark.parametrize("many", [2, 1000], ids=["all keys at once", "key by key"])
async def test_the_same_calls_at_once_store_each_event_once(telling: Pool, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(recording, "MANY_KEYS", many)
    chance = random.Random(7)
    calls = [chance.sample(range(60), 40) for _ in range(8)]
    answers = await asyncio.gather(*(call(telling, keys) for keys in calls))
    wanted = {key for keys in calls for key in keys}
    told = [code for outcomes in answers for code in codes(outcomes)]
    assert set(told) <= {STORED, REPEATED}
    assert told.count(STORED) == len(wanted)
    rows = await telling.fetch("SELECT key FROM e_purchase UNION ALL SELECT key FROM e_visit")
    assert sorted(row["key"] for row in rows) == sorted(f"k{n}" for n in wanted)
    async with telling.acquire() as conn:
        changes = await read_changes(conn, 0, 100)
    assert sum(one.events for one in changes) == len(wanted)


@pytest.mark.parametrize("many", [1, 1000], ids=["all keys at once", "key by key"])
async def test_who_comes_second_waits_for_the_first(telling: Pool, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(recording, "MANY_KEYS", many)
    for commits, expected in ((False, STORED), (True, "KEY_REUSED")):
        async with telling.acquire() as conn:
            first = conn.transaction()
            await first.start()
            assert codes(await tell(conn, event("k0", payload={"amount": 5}))) == [STORED]
            second = asyncio.create_task(call(telling, [0]))
            await asyncio.sleep(0.1)
            assert not second.done()
            await (first.commit() if commits else first.rollback())
            assert codes(await second) == [expected]
            await telling.execute("TRUNCATE e_purchase, event_key")


async def test_positions_are_in_the_order_of_commits(telling: Pool) -> None:
    """A reader that goes on after the highest position it has seen misses nothing."""
    seen: list[int] = []
    done = asyncio.Event()

    async def follow() -> None:
        async with telling.acquire() as conn:
            while True:
                last = done.is_set()
                found = await read_changes(conn, seen[-1] if seen else 0, 3)
                seen.extend(one.position for one in found)
                if last and not found:
                    return
                await asyncio.sleep(0)

    async def tell_some(first: int) -> None:
        for n in range(first, first + 15):
            await call(telling, [n])

    following = asyncio.create_task(follow())
    await asyncio.gather(*(tell_some(n * 100) for n in range(4)))
    done.set()
    await following
    assert len(seen) == 60
    assert seen == sorted(set(seen))
