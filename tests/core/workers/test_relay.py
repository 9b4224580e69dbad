"""The relay on a real broker: what was announced arrives after its commit, and nothing is lost while the broker is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from dramatiq import Broker

from core.clock import system_clock
from core.config import load_settings
from core.db import Pool
from core.egress import GuardedIO
from core.files import Files
from core.outbox import announce
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from core.workers.broker import make_broker, touch
from core.workers.relay import Relay
from core.workers.wiring import WIRING

QUEUES = ("urgent", "send", "heavy")


@pytest.fixture
def broker(broker_url: str) -> Iterator[Broker]:
    opened = make_broker(broker_url)
    for queue in QUEUES:
        opened.declare_queue(queue)
    opened.flush_all()
    yield opened
    opened.flush_all()
    opened.close()


@pytest.fixture
def runtime(pool: Pool, database_url: str, tmp_path: Path) -> Runtime:
    settings = load_settings(database_url=database_url, var_dir=tmp_path, worker_processes=2, reconcile_seconds=0.2)
    return Runtime(
        settings=settings,
        pool=pool,
        keyring=parse_keyring(new_key_text(1)),
        files=Files(tmp_path),
        io=GuardedIO.from_settings(settings),
        clock=system_clock,
    )


def _received(broker: Broker, queue: str) -> list[tuple[str, dict[str, object]]]:
    found = []
    consumer = broker.consume(queue, prefetch=10, timeout=300)
    for message in consumer:
        if message is None:
            break
        found.append((message.actor_name, message.kwargs))
        consumer.ack(message)
    consumer.close()
    return found


async def _until_empty(pool: Pool) -> None:
    async with asyncio.timeout(10):
        while await pool.fetchval("SELECT count(*) FROM outbox"):
            await asyncio.sleep(0.02)


async def test_an_announcement_becomes_wake_ups_after_its_commit(runtime: Runtime, pool: Pool, broker: Broker) -> None:
    relay = asyncio.create_task(Relay(runtime, broker).run())
    # Given an announcement whose transaction is still open
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await announce(conn, "delivery.prepare_asked", delivery_id=7)
        await asyncio.sleep(0.5)
        assert await asyncio.to_thread(_received, broker, "heavy") == []
        # When it commits
        await transaction.commit()
    await _until_empty(pool)
    # Then the job is woken
    assert await asyncio.to_thread(_received, broker, "heavy") == [("delivery.prepare", {"delivery_id": 7})]
    runtime.stopping.set()
    await relay


async def test_sending_wakes_every_worker_process_and_repeats_once(runtime: Runtime, pool: Pool, broker: Broker) -> None:
    async with pool.acquire() as conn, conn.transaction():
        for _ in range(3):
            await announce(conn, "delivery.resumed", delivery_id=9)
    relay = asyncio.create_task(Relay(runtime, broker).run())
    await _until_empty(pool)
    assert await asyncio.to_thread(_received, broker, "send") == [("delivery.send", {"delivery_id": 9})] * 2
    runtime.stopping.set()
    await relay


async def test_a_rolled_back_announcement_was_never_made(runtime: Runtime, pool: Pool, broker: Broker) -> None:
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await announce(conn, "delivery.prepare_asked", delivery_id=7)
        await transaction.rollback()
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_while_the_broker_is_away_announcements_wait(runtime: Runtime, pool: Pool) -> None:
    nowhere = make_broker("redis://127.0.0.1:1/0")
    async with pool.acquire() as conn, conn.transaction():
        await announce(conn, "delivery.prepare_asked", delivery_id=7)
    relay = asyncio.create_task(Relay(runtime, nowhere).run())
    await asyncio.sleep(1)
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1
    runtime.stopping.set()
    await relay


def test_a_broker_answers(broker: Broker) -> None:
    touch(broker)


def test_every_topic_leads_to_known_jobs() -> None:
    from core.jobs import JOBS

    assert {job.name for jobs in WIRING.values() for job in jobs} <= set(JOBS)
