"""Members are kept while others write, while two workers are at it, and after one of them was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

from core.access import SYSTEM
from core.db import Connection, Pool, transaction
from core.targeting.audiences import update_audience
from core.targeting.membership.records import KeptState
from core.targeting.membership.upkeep import keep_up
from core.targeting.parse import parse_text
from tests.core.targeting.kept import AT, counted, keep, members, replayed, state
from tests.core.targeting.test_lists import people


async def settle(pool: Pool) -> None:
    """In transactions of their own, as the job does."""
    more = True
    while more:
        async with transaction(pool) as conn:
            more = await keep_up(conn, AT, AT)


async def right(pool: Pool, key: int) -> set[int]:
    """The members, which are those that a count finds and the log tells."""
    async with transaction(pool) as conn:
        found = await members(conn, key)
        assert found == await counted(conn, key) == await replayed(conn, key)
        assert (await state(conn, key)).members == len(found)
    return found


async def kept(pool: Pool, question: str = "country = 'FR'") -> tuple[int, list[int]]:
    """An audience that is kept, and people."""
    async with transaction(pool) as conn:
        ids = await people(conn, "FR", "DE", "DE", "DE")
        key = await keep(conn, "french", question)
    await settle(pool)
    return key, ids


async def test_what_is_committed_late_is_not_passed_over(pool: Pool) -> None:
    key, (one, two, three, four) = await kept(pool)
    async with pool.acquire() as slow:
        late = slow.transaction()
        await late.start()
        await slow.execute("UPDATE profile SET country = 'FR' WHERE id = $1", two)

        # When others change people later, commit first, and are looked at
        async with transaction(pool) as conn:
            await conn.execute("UPDATE profile SET country = 'FR' WHERE id = $1", three)
        await settle(pool)
        assert await right(pool, key) == {one, three}

        # Then the one that began first is seen, too
        await late.commit()
    await settle(pool)
    assert await right(pool, key) == {one, two, three}
    assert four not in await right(pool, key)


async def test_nobody_is_missed_who_was_writing_when_it_began(pool: Pool) -> None:
    async with transaction(pool) as conn:
        one, two = await people(conn, "FR", "DE")
    async with pool.acquire() as slow:
        # Given somebody who has written before anything is captured, and has not committed
        late = slow.transaction()
        await late.start()
        await slow.execute("UPDATE profile SET country = 'FR' WHERE id = $1", two)
        async with transaction(pool) as conn:
            key = await keep(conn, "french", "country = 'FR'")

        # When the upkeep cannot have its triggers, it waits, and says so
        await settle(pool)
        async with transaction(pool) as conn:
            assert (await state(conn, key)).state is KeptState.WAITING
        await late.commit()
    await settle(pool)
    assert await right(pool, key) == {one, two}


async def test_two_workers_and_many_writers(pool: Pool) -> None:
    key, ids = await kept(pool, "country = 'FR' and not opt_out")
    done = asyncio.Event()

    async def write(number: int) -> None:
        for turn in range(25):
            async with transaction(pool) as conn:
                await conn.execute(
                    "UPDATE profile SET country = $2, opt_out = $3 WHERE id = $1",
                    ids[(number + turn) % 4], ("FR", "DE")[turn % 2], (turn + number) % 3 == 0,
                )  # fmt: skip
                await people(conn, "FR")

    async def work() -> None:
        while not done.is_set():
            await settle(pool)
            await asyncio.sleep(0.01)

    workers = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.gather(*(write(number) for number in range(4)))
    async with transaction(pool) as conn:
        await update_audience(conn, SYSTEM, key, {"expression": parse_text("country = 'FR'")})
    done.set()
    await asyncio.gather(*workers)
    await settle(pool)
    assert len(await right(pool, key)) >= 100


WORKER = """
import asyncio, sys
from core.db import open_pool
from core.targeting.membership import upkeep
from tests.core.targeting.test_membership_at_once import settle

async def main():
    upkeep.PEOPLE = 500
    pool = await open_pool(sys.argv[1], size=2, application="tests")
    while True:
        await settle(pool)
        print("settled", flush=True)
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


def worker(url: str) -> subprocess.Popen[str]:
    """A process that keeps up until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WORKER), url], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )


async def test_a_worker_that_is_killed_leaves_nothing_half_done(pool: Pool, database_url: str) -> None:
    async with transaction(pool) as conn:
        await conn.execute(
            "INSERT INTO profile (country) SELECT CASE n % 3 WHEN 0 THEN 'FR' END FROM generate_series(1, 9000) n"
        )
        key = await keep(conn, "french", "country = 'FR'")
    counted_through: list[Any] = []
    for turn in range(4):
        process = worker(database_url)
        try:
            await moved(pool, counted_through)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        async with transaction(pool) as conn:
            found = await members(conn, key)
            assert found == await replayed(conn, key)
            assert (await state(conn, key)).members == len(found)
            await conn.execute("UPDATE profile SET country = CASE id % 2 WHEN 0 THEN 'FR' END WHERE id % 7 = $1", turn)
    await settle(pool)
    await right(pool, key)
    assert len(counted_through) == 4, "each of them did something"


async def moved(pool: Pool, seen: list[Any]) -> None:
    """Until something was done since the last look."""
    for _ in range(600):
        async with transaction(pool) as conn:
            now = await progress(conn)
        if now not in seen and now[1] > 0:
            seen.append(now)
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nothing was done")


async def progress(conn: Connection) -> tuple[int, int]:
    """How far a count is, and how long the log."""
    row = await conn.fetchrow(
        """
        SELECT (SELECT count(*) FROM kept_audience WHERE state = 'kept') AS counted,
               (SELECT count(*) FROM membership_log) AS entries
        """
    )
    assert row is not None
    return int(row["counted"]), int(row["entries"])
