"""The relay on a real broker: what was announced arrives after its commit, and nothing is lost while the broker is away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

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
        while await pool.fetchval("SELECT count(*) FROM outbox"):  # noqa: ASYNC110
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


async def test_what_sweeps_repeat_is_not_carried_far(runtime: Runtime, pool: Pool, broker: Broker) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await announce(conn, "delivery.due", delivery_id=9)
    relay = asyncio.create_task(Relay(runtime, broker).run())
    await _until_empty(pool)
    assert await asyncio.to_thread(_received, broker, "send") == [("delivery.send", {"delivery_id": 9, "passes": 2})] * 2
    runtime.stopping.set()
    await relay


async def test_a_topic_of_another_version_holds_up_nothing(runtime: Runtime, pool: Pool, broker: Broker) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await announce(conn, "delivery.of_the_future", delivery_id=1)
        await announce(conn, "delivery.prepare_asked", delivery_id=7)
    relay = asyncio.create_task(Relay(runtime, broker).run())
    await _until_empty(pool)
    assert await asyncio.to_thread(_received, broker, "heavy") == [("delivery.prepare", {"delivery_id": 7})]
    runtime.stopping.set()
    await relay


async def test_a_rolled_back_announcement_was_never_made(runtime: Runtime, pool: Pool, broker: Broker) -> None:
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await announce(conn, "delivery.prepare_asked", delivery_id=7)
        await transaction.rollback()
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1/"])
async def test_while_the_broker_is_away_announcements_wait(runtime: Runtime, pool: Pool, url: str) -> None:
    nowhere = make_broker(url)
    async with pool.acquire() as conn, conn.transaction():
        await announce(conn, "delivery.prepare_asked", delivery_id=7)
    relay = asyncio.create_task(Relay(runtime, nowhere).run())
    await asyncio.sleep(1)
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1
    runtime.stopping.set()
    await relay


async def test_a_broker_that_comes_back_gets_what_waited(runtime: Runtime, pool: Pool, broker: Broker, broker_url: str) -> None:
    # Given a relay that has used its connection to the broker
    line = Line(broker_url)
    await line.mend()
    far = make_broker(line.url)
    relay = asyncio.create_task(Relay(runtime, far).run())
    await _announce_preparation(pool, 1)
    await _until_empty(pool)
    # When the broker goes away, something is announced, and it comes back
    line.cut()
    await _announce_preparation(pool, 2)
    await asyncio.sleep(1)
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1
    await line.mend()
    await _until_empty(pool)
    # Then both were carried
    found = await asyncio.to_thread(_received, broker, "heavy")
    assert [ids["delivery_id"] for _, ids in found] == [1, 2]
    runtime.stopping.set()
    await relay
    await asyncio.to_thread(far.close)
    line.cut()


async def _announce_preparation(pool: Pool, delivery_id: int) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await announce(conn, "delivery.prepare_asked", delivery_id=delivery_id)


class Line:
    """A TCP line to the broker that can be cut and mended."""

    def __init__(self, broker_url: str):
        self._far = urlsplit(broker_url)
        self._port = free_port()
        near = f"127.0.0.1:{self._port}"
        if self._far.scheme == "unix":
            self.url = f"redis://{near}/0"
        else:
            account, _, _ = self._far.netloc.rpartition("@")
            self.url = self._far._replace(netloc=f"{account}@{near}" if account else near).geturl()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._copies: set[asyncio.Task[None]] = set()

    async def mend(self) -> None:
        """Carry connections from now on."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._far.scheme == "unix":
            far_reader, far_writer = await asyncio.open_unix_connection(self._far.path)
        else:
            far_reader, far_writer = await asyncio.open_connection(self._far.hostname, self._far.port)
        self._open |= {writer, far_writer}
        for pair in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._copy(*pair))
            self._copies.add(task)
            task.add_done_callback(self._copies.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_broker_answers(broker: Broker) -> None:
    touch(broker)


def test_every_topic_leads_to_known_jobs() -> None:
    from core.jobs import JOBS

    assert {job.name for jobs in WIRING.values() for job in jobs} <= set(JOBS)
