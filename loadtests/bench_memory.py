"""Memory of every process while MESSAGES messages are prepared and sent: the highest, and growth after the first 100,000."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime

import psutil

from core.access import SYSTEM
from core.db import Connection
from core.delivery import lifecycle, reading
from core.delivery.records import DeliveryState
from loadtests.bench_send import SIZE, sink
from loadtests.campaign import connect, fill_profiles, make_delivery, page, until
from loadtests.figures import print_alone
from loadtests.stage import Stage, stage

MESSAGES = int(os.environ.get("MESSAGES", "1000000"))
SETTLED = min(100_000, MESSAGES // 2)  # messages after which growth is watched


def resident(names: dict[str, int]) -> dict[str, float]:
    """Resident memory by process name, in MB."""
    return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in names.items()}


async def watch(conn: Connection, delivery_id: int, names: dict[str, int]) -> tuple[dict[str, float], dict[str, float]]:
    """(highest, growth after the first messages) by process, until the delivery is finished."""
    highest: dict[str, float] = {}
    settled: dict[str, float] | None = None
    growth: dict[str, float] = {}
    while (await lifecycle.get_run(conn, delivery_id)).state is not DeliveryState.FINISHED:
        now = resident(names)
        highest = {name: max(size, highest.get(name, 0.0)) for name, size in now.items()}
        if settled is None and (await reading.counts(conn, delivery_id)).accepted >= SETTLED:
            settled = now
        if settled is not None:
            growth = {name: max(growth.get(name, 0.0), now[name] - settled[name]) for name in now}
        await asyncio.sleep(1)
    return highest, growth


async def bench(on: Stage, port: int) -> None:
    """Prepare and send once."""
    conn = await connect(on.settings)
    await fill_profiles(conn, MESSAGES)
    config = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender_domain": "mail.example",
        "connections": 20,
    }
    with on.workers() as supervisor:
        names = supervisor.pids()
        delivery_id = await make_delivery(
            on.settings, conn, "memory", channel="email", config=config, html=page(SIZE - 3500), audience="id > 0"
        )
        async with conn.transaction():
            await lifecycle.prepare(conn, SYSTEM, delivery_id, datetime.now(UTC))
        await until(conn, delivery_id, {DeliveryState.READY}, 600)
        prepared = resident(names)
        async with conn.transaction():
            await lifecycle.confirm(conn, SYSTEM, delivery_id, datetime.now(UTC))
        started = time.monotonic()
        highest, growth = await watch(conn, delivery_id, names)
        seconds = time.monotonic() - started
    for name in names:
        print_alone(
            f"memory_{name}", max(highest[name], prepared[name]), unit="MB",
            growth_after_first_100k=round(growth.get(name, 0.0), 1), messages=MESSAGES,
        )  # fmt: skip
    print_alone("send_rate", MESSAGES / seconds, unit="messages/s", messages=MESSAGES)
    await conn.close()


if __name__ == "__main__":
    with sink() as sink_port, stage() as made:
        asyncio.run(bench(made, sink_port))
