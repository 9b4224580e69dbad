"""`campaign_send`: MESSAGES emails of 33 KB from ledger to SMTP, against `smtp-source -d -s 40 -l 33000` to the same sink.

Both get CONNECTIONS; smtp-source is as fast with 20. The sink keeps to one core, as a server elsewhere keeps to its own:
left to itself on a machine of two, the kernel makes whoever it wakes wait behind it, a quarter of the time beside an idle core.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from channels.contract import OutgoingMessage
from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.db import Connection
from core.delivery import lifecycle, reading
from core.delivery.programs import Programs, row_of
from core.delivery.records import DeliveryState
from core.public_urls import PublicUrls
from core.secrets import load_keyring
from loadtests.campaign import connect, fill_profiles, make_delivery, page, until
from loadtests.figures import need, print_figure
from loadtests.stage import Stage, free_port, listens, stage

MESSAGES = int(os.environ.get("MESSAGES", "50000"))
RUNS = int(os.environ.get("RUNS", "3"))
SIZE = 33_000  # bytes of one message
AROUND = 1_800  # of them that are not the page: headers, text part, boundaries
CONNECTIONS = 40


@contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink on a free port."""
    program = need("smtp-sink", "postfix")
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [program, *user, f"127.0.0.1:{port}", "1000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            if listens(port):
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{program} does not listen")
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        yield port
    finally:
        process.kill()
        process.wait()


def reference(port: int) -> float:
    """Messages per second of smtp-source."""
    command = [
        need("smtp-source", "postfix"), "-d", "-s", str(CONNECTIONS), "-l", str(SIZE), "-m", str(MESSAGES),
        "-f", "from@mail.example", "-t", "to@mail.example", f"127.0.0.1:{port}",
    ]  # fmt: skip
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return MESSAGES / (time.perf_counter() - started)


async def ours(on: Stage, conn: Connection, port: int, number: int) -> float:
    """Messages per second from start to finish, as the database recorded them."""
    config = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender_domain": "mail.example",
        "connections": CONNECTIONS,
    }
    delivery_id = await make_delivery(
        on.settings,
        conn,
        f"send-{number}",
        channel="email",
        config=config,
        html=page(SIZE - AROUND),
        audience="id > 0",
    )
    async with conn.transaction():
        await lifecycle.prepare(conn, SYSTEM, delivery_id, datetime.now(UTC))
    await until(conn, delivery_id, {DeliveryState.READY}, 120)
    await check_size(on, conn, delivery_id)
    await conn.execute("CHECKPOINT")
    async with conn.transaction():
        await lifecycle.confirm(conn, SYSTEM, delivery_id, datetime.now(UTC))
    await until(conn, delivery_id, {DeliveryState.FINISHED}, 300)
    run = await lifecycle.get_run(conn, delivery_id)
    counts = await reading.counts(conn, delivery_id)
    if counts.accepted != MESSAGES or run.started_at is None or run.finished_at is None:
        raise SystemExit(f"not everything was sent: {counts}")
    return MESSAGES / (run.finished_at - run.started_at).total_seconds()


async def check_size(on: Stage, conn: Connection, delivery_id: int) -> None:
    """Our messages must not be smaller than the reference's. Raises SystemExit."""
    programs = Programs(ChannelRegistry.load(), PublicUrls(on.settings, load_keyring(on.settings)))
    (loaded,) = await programs.list_of(conn, delivery_id)
    row = await reading.find_row(conn, delivery_id, 1)
    ready = row_of(loaded, row) if row is not None else None
    assert ready is not None
    (message,) = loaded.program.render([ready])
    if not isinstance(message, OutgoingMessage) or not SIZE <= len(message.body) < SIZE * 1.02:
        raise SystemExit(f"the messages are not of the size that is compared: {message}")


async def bench(on: Stage, port: int) -> None:
    """Alternate the two against one sink."""
    conn = await connect(on.settings)
    await fill_profiles(conn, MESSAGES)
    mine, other = [], []
    with on.workers():
        for number in range(RUNS):
            other.append(await asyncio.to_thread(reference, port))
            mine.append(await ours(on, conn, port, number))
    print_figure(
        "campaign_send", mine, other, unit="messages/s", against=f"smtp-source -d -s {CONNECTIONS} -l {SIZE}",
        messages=MESSAGES,
    )  # fmt: skip
    await conn.close()


if __name__ == "__main__":
    with sink() as sink_port, stage() as made:
        asyncio.run(bench(made, sink_port))
