"""Promise 1: after `kill -9` of any process at any moment none is lost, none is doubled, few are in doubt, and work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from api.cli.embedded import EmbeddedPostgres
from api.cli.sink import read_sink
from core.access import SYSTEM
from core.delivery import lifecycle, reading
from core.delivery.records import DeliveryState, LedgerCounts, LedgerState
from core.delivery.store import ledger
from loadtests.campaign import fill_profiles, make_delivery, page
from tests.flows.house import House, connect, deadline_of, free_port, house, make_database, until

MESSAGES = int(os.environ.get("CRASH_MESSAGES", "20000"))
CONNECTIONS = 20
RESUME_SECONDS = 15


@asynccontextmanager
async def recording_sink(folder: Path, delay: float = 0.0) -> AsyncIterator[int]:
    """The recording SMTP server as a process of its own, which no kill of the house touches."""
    port = free_port()
    command = [sys.executable, "-m", "api.cli.sink", "--port", str(port), "--directory", str(folder)]
    command += ["--delay", str(delay), "--delay-every", "7"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        await _listening(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise AssertionError("the sink does not listen")


async def started_delivery(made: House, sink_port: int, messages: int, **options: object) -> int:
    """A delivery to so many recipients, prepared, confirmed and being sent."""
    conn = await made.connect()
    await fill_profiles(conn, messages)
    config = {
        "host": "127.0.0.1",
        "port": sink_port,
        "security": "none",
        "sender_domain": "mail.example",
        "connections": CONNECTIONS,
        **options,
    }
    delivery_id = await make_delivery(
        made.settings, conn, "crash", channel="email", config=config, html=page(2000, 3), audience="id > 0"
    )
    async with conn.transaction():
        await lifecycle.prepare(conn, SYSTEM, delivery_id, datetime.now(UTC))
    await state_of(made, delivery_id, {DeliveryState.READY}, 60)
    async with conn.transaction():
        await lifecycle.confirm(conn, SYSTEM, delivery_id, datetime.now(UTC))
    await conn.close()
    return delivery_id


async def state_of(made: House, delivery_id: int, states: set[DeliveryState], seconds: float) -> None:
    """Wait until the delivery is in one of the states; the database may be away in between."""
    deadline = deadline_of(seconds)
    while True:
        conn = await made.connect()
        try:
            run = await lifecycle.get_run(conn, delivery_id)
        finally:
            await conn.close()
        if run.state in states:
            return
        assert time.monotonic() < deadline, f"still {run.state.name} after {seconds} s"
        await asyncio.sleep(0.2)


async def counts_of(made: House, delivery_id: int) -> LedgerCounts:
    """The equation's columns now."""
    conn = await made.connect()
    try:
        return await reading.counts(conn, delivery_id)
    finally:
        await conn.close()


async def progress(made: House, delivery_id: int, more: int, seconds: float) -> None:
    """Wait until `more` further messages were accepted; there must be enough left."""
    before = (await counts_of(made, delivery_id)).accepted
    deadline = deadline_of(seconds)
    while True:
        now = await counts_of(made, delivery_id)
        if now.accepted >= before + more:
            return
        assert now.pending, f"everything is sent already: {now}"
        assert time.monotonic() < deadline, f"no progress within {seconds} s: {now}"
        await asyncio.sleep(0.1)


# The processes of a house, by what their command lines say.
WORKER_MASTER, WORKER, RELAY = r"api\.cli\.main worker|clarion worker", r"core\.workers\.process", r"core\.workers\.relay"
API, POSTGRES = r"api\.server", r"postgres.* -D "


async def kill_one(made: House, pattern: str) -> None:
    """`kill -9` one such process; another must take its place in time."""
    running = made.find(pattern)
    assert running, f"no process matches {pattern!r}"
    os.kill(running[0].pid, signal.SIGKILL)
    before = {process.pid for process in running}
    await until(lambda: any(process.pid not in before for process in made.find(pattern)), RESUME_SECONDS, f"{pattern} is back")


async def test_no_kill_loses_or_doubles_a_message(tmp_path: Path) -> None:
    # Given a delivery of many messages to a server that takes its time for some final answers
    caught = tmp_path / "sink"
    async with (
        recording_sink(caught, delay=0.14) as port,  # about 1,000 messages a second: there are some left for every kill
        house(tmp_path, database_url=None, lease_seconds=6, worker_processes=2) as made,
    ):
        delivery_id = await started_delivery(made, port, MESSAGES)
        await progress(made, delivery_id, 500, 30)

        # When each process is killed in turn, and one is frozen beyond its lease
        kills = 0
        for pattern in (WORKER_MASTER, WORKER, RELAY, API, POSTGRES):
            await kill_one(made, pattern)
            kills += 1
            await progress(made, delivery_id, 200, RESUME_SECONDS)
        frozen = made.find(WORKER)[0]
        frozen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(8)
        await progress(made, delivery_id, 200, RESUME_SECONDS)
        frozen.send_signal(signal.SIGCONT)
        kills += 1
        await state_of(made, delivery_id, {DeliveryState.FINISHED}, 240)

        # Then every accepted row was recorded once, every row in doubt at most once, and nothing else was
        await _check(made, delivery_id, caught, kills)


async def _check(made: House, delivery_id: int, caught: Path, kills: int) -> None:
    recorded = Counter(message.recipients[0].lower() for message in read_sink(caught))
    conn = await made.connect()
    rows = await conn.fetch("SELECT address_key, state FROM ledger WHERE delivery_id = $1", delivery_id)
    counts = await reading.counts(conn, delivery_id)
    assert len(rows) == MESSAGES == counts.targeted
    for row in rows:
        times = recorded.pop(row["address_key"], 0)
        if row["state"] == LedgerState.ACCEPTED:
            assert times == 1, f"{row['address_key']} was recorded {times} times"
        else:
            assert row["state"] == LedgerState.UNKNOWN
            assert times <= 1
    assert not recorded
    assert counts.unknown <= CONNECTIONS * kills
    assert counts.accepted + counts.unknown == MESSAGES
    recount = [(state, reason, after, n) for state, reason, after, n in await ledger.recount(conn, delivery_id)]
    assert sum(n for *_, n in recount) == MESSAGES
    assert {state: n for state, _, _, n in recount} == {
        state: n for state, n in ((LedgerState.ACCEPTED, counts.accepted), (LedgerState.UNKNOWN, counts.unknown)) if n
    }
    await conn.close()


async def test_an_emptied_broker_delays_and_loses_nothing(tmp_path: Path) -> None:
    caught = tmp_path / "sink"
    async with (
        recording_sink(caught) as port,
        house(tmp_path, database_url=None, worker_processes=1) as made,
    ):
        delivery_id = await started_delivery(made, port, 3000)
        await _empty_broker(made)
        await progress(made, delivery_id, 100, 30)
        await _empty_broker(made)
        await state_of(made, delivery_id, {DeliveryState.FINISHED}, 60)
        assert (await counts_of(made, delivery_id)).accepted == 3000
        assert len(list(read_sink(caught))) == 3000


async def _empty_broker(made: House) -> None:
    import pika
    import redis

    url = next(p for p in made.find(r"core\.workers\.relay")).environ()["CLARION_BROKER_URL"]
    if url.startswith("amqp"):
        channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
        for queue in ("urgent", "send", "heavy"):
            channel.queue_purge(queue)
        channel.connection.close()
    else:
        redis.Redis.from_url(url).flushall()


async def test_sigterm_ends_everything_with_claims_released_and_nothing_in_doubt(tmp_path: Path) -> None:
    caught = tmp_path / "sink"
    keep = tmp_path / "keep"
    async with recording_sink(caught, delay=0.01) as port:
        async with house(tmp_path, database_url=None) as made:
            delivery_id = await started_delivery(made, port, MESSAGES)
            await progress(made, delivery_id, 300, 30)
            workers = made.find(WORKER)
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
            await until(lambda: not any(_alive(worker) for worker in workers), 10, "workers end")
            conn = await made.connect()
            unknown = await conn.fetchval("SELECT count(*) FROM ledger WHERE state = 6")
            under_way = await conn.fetchval("SELECT count(*) FROM ledger WHERE state = 3")
            held = await conn.fetchval(
                "SELECT count(*) FROM ledger l JOIN lease e ON e.id = l.lease_id WHERE l.state = 2 AND e.worker LIKE ANY($1)",
                [f"%:{worker.pid}:%" for worker in workers],
            )
            await conn.close()
            keep.write_text("ended")
            assert held == 0
            assert unknown == 0
            assert under_way <= CONNECTIONS  # those that the restarted workers hold by now
    assert keep.exists()


async def test_sigterm_to_the_whole_house_leaves_nothing_in_doubt_behind_a_slow_server(tmp_path: Path) -> None:
    caught = tmp_path / "sink"
    url = await make_database(os.environ["CLARION_DATABASE_URL"]) if "CLARION_DATABASE_URL" in os.environ else None
    server = EmbeddedPostgres(tmp_path / "database") if url is None else None
    try:
        url = url or (server.start() if server else "")
        async with recording_sink(caught, delay=2.5) as port:
            async with house(tmp_path, database_url=url, worker_processes=4) as made:
                delivery_id = await started_delivery(made, port, 2000)
                await progress(made, delivery_id, 100, 30)
                await asyncio.sleep(1)  # every connection waits for a late answer by now
                made.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(made.process.wait, 12)
            conn = await connect(url)
            states = dict(await conn.fetch("SELECT state, count(*) FROM ledger WHERE state IN (2, 3, 6) GROUP BY state"))
            accepted = await conn.fetchval("SELECT count(*) FROM ledger WHERE state = 4")
            await conn.close()
            assert states == {}
            assert len(list(read_sink(caught))) == accepted
    finally:
        if server is not None:
            server.stop()


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def test_nothing_stays_held_after_a_finished_delivery(tmp_path: Path) -> None:
    caught = tmp_path / "sink"
    async with recording_sink(caught) as port, house(tmp_path, database_url=None, worker_processes=1) as made:
        delivery_id = await started_delivery(made, port, 500)
        await state_of(made, delivery_id, {DeliveryState.FINISHED}, 60)
        conn = await connect(str(made.settings.database_url))
        assert await conn.fetchval("SELECT count(*) FROM ledger WHERE state IN (1, 2, 3)") == 0
        assert await conn.fetchval("SELECT count(*) FROM lease WHERE ended_at IS NULL") == 0
        await conn.close()
