"""A preparation gives way within seconds, whatever statement of it runs, and nobody waits for rows that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.db import Connection
from core.delivery import lifecycle, reading
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState
from core.errors import IllegalMove
from core.planning.seed_records import ControlGroup, Extraction
from core.runtime import Runtime
from core.targeting import audiences
from tests.core.delivery.people import add_people, check_equation, new_delivery, prepared
from tests.core.delivery.test_held_back import hold_back
from tests.core.delivery.test_traps import add_trap, set_traps

SLOW = {
    "shared addresses": "BEFORE INSERT ON prepare_duplicate FOR EACH STATEMENT",
    "targets": "BEFORE INSERT ON prepare_target FOR EACH STATEMENT",
    "range": "BEFORE INSERT ON ledger FOR EACH STATEMENT",
    "control group": "BEFORE UPDATE ON ledger FOR EACH STATEMENT",
    "traps, counts are held": "BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.recipient_kind = 4)",
}
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
AT_ONCE = 1.0  # seconds
SOON = 8.0


async def until(db: Connection, query: str, wanted: object) -> None:
    """Wait until a query tells what is wanted."""
    for _ in range(int(SOON / 0.05)):
        if await db.fetchval(query) == wanted:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{query} never told {wanted}")


async def until_asleep(db: Connection, number: int) -> None:
    await until(db, SLEEPING, number)


async def asked(runtime: Runtime, db: Connection, delivery_id: int) -> None:
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())


@asynccontextmanager
async def slow_preparation(
    engine: Engine, runtime: Runtime, db: Connection, delivery_id: int, where: str
) -> AsyncIterator[asyncio.Task[None]]:  # fmt: skip
    """One whose statement runs for minutes until somebody ends it."""
    await db.execute(
        "CREATE FUNCTION waiting() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(300); RETURN NEW; END'"
    )
    await db.execute(f"CREATE TRIGGER waits {where} EXECUTE FUNCTION waiting()")
    await asked(runtime, db, delivery_id)
    running = asyncio.create_task(engine.preparation.run(delivery_id))
    try:
        await until_asleep(db, 1)
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await db.execute("DROP FUNCTION waiting() CASCADE")


async def make(runtime: Runtime, db: Connection) -> int:
    """A delivery whose preparation has all steps."""
    await add_people(db, 20)
    delivery_id = await new_delivery(runtime, db, audience="rank(by id) <= 15")
    await hold_back(db, runtime, delivery_id, ControlGroup(extraction=Extraction.RANDOM, size=3))
    await set_traps(db, runtime, delivery_id, await add_trap(db))
    return delivery_id


@pytest.mark.parametrize("where", SLOW.values(), ids=SLOW.keys())
async def test_whoever_stops_it_does_not_wait_and_nothing_of_it_stays(
    engine: Engine, runtime: Runtime, db: Connection, where: str
) -> None:
    delivery_id = await make(runtime, db)
    async with slow_preparation(engine, runtime, db, delivery_id, where) as running:
        async with asyncio.timeout(SOON), db.transaction():
            await lifecycle.stop_preparation(db, SYSTEM, delivery_id, runtime.clock())
        async with asyncio.timeout(SOON):
            await running
        await until_asleep(db, 0)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
    assert (await reading.counts(db, delivery_id)).targeted == 0
    counts = await prepared(engine, runtime, db, delivery_id)
    assert (counts.targeted, counts.pending) == (15, 12)
    await check_equation(db, delivery_id)


@pytest.mark.parametrize("step", ["shared addresses", "range"])
async def test_authors_do_not_wait_for_it(engine: Engine, runtime: Runtime, db: Connection, step: str) -> None:
    delivery_id = await make(runtime, db)
    async with slow_preparation(engine, runtime, db, delivery_id, SLOW[step]) as running:
        content_id, audience_id = await db.fetchrow("SELECT content_id, audience_id FROM delivery WHERE id = $1", delivery_id)
        async with asyncio.timeout(AT_ONCE):
            async with db.transaction():
                await contents.update_content(
                    db, SYSTEM, ChannelRegistry.load(), content_id, {"parts": {"html": "<p>Changed</p>"}}
                )
            async with db.transaction():
                await audiences.update_audience(db, SYSTEM, audience_id, {"label": "Changed"})
            with pytest.raises(IllegalMove, match="cannot be asked to edit"):
                async with db.transaction():
                    await lifecycle.update(db, SYSTEM, delivery_id, {"label": "Changed"}, now=runtime.clock())
        assert not running.done(), "editing what it has read ends nothing"


async def test_another_worker_leaves_it_alone_while_it_runs(
    engine: Engine, runtime: Runtime, db: Connection, times: Any
) -> None:
    delivery_id = await make(runtime, db)
    async with slow_preparation(engine, runtime, db, delivery_id, SLOW["range"]) as running:
        before = await lifecycle.get_run(db, delivery_id)
        times.move(minutes=5)
        async with asyncio.timeout(AT_ONCE):
            await engine.preparation.run(delivery_id)
        assert await lifecycle.get_run(db, delivery_id) == before
        await until(db, "SELECT heartbeat_at FROM delivery_run", times.now)  # it gives signs of life
        assert not running.done()


async def test_who_asks_anew_at_once_is_served_when_the_first_has_gone(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:  # fmt: skip
    delivery_id = await make(runtime, db)
    async with slow_preparation(engine, runtime, db, delivery_id, SLOW["range"]) as running:
        async with db.transaction():
            await lifecycle.stop_preparation(db, SYSTEM, delivery_id, runtime.clock())
        await asked(runtime, db, delivery_id)
        await engine.preparation.run(delivery_id)  # the first still has its turn
        told = "SELECT count(*) FROM outbox WHERE topic = 'delivery.prepare_asked'"
        before = await db.fetchval(told)
        async with asyncio.timeout(SOON):
            await running
        assert await db.fetchval(told) == before + 1
    await engine.preparation.run(delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.READY
    assert (await reading.counts(db, delivery_id)).targeted == 15
