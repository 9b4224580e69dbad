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
from loadtests.bench_send import AROUND, SIZE, sink
from loadtests.campaign import connect, fill_profiles, make_delivery, page, until
from loadtests.figures import print_alone
from loadtests.stage import Stage, stage

MESSAGES = int(os.environ.get("MESSAGES", "1000000"))
SETTLED = min(100_000, MESSAGES // 2)  # messages after which growth is watched


def resident(names: dict[str, int]) -> dict[str, float]:
    """Resident memory by process name, in MB."""
    return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in names.items()}


class Watch:
    """Looks at processes every second, from the start of the preparation to the end of the delivery."""

    def __init__(self, names: dict[str, int]):
        self.names = names
        self.highest: dict[str, float] = {}
        self.growth: dict[str, float] = {}  # after the first messages
        self._settled: dict[str, float] | None = None

    async def run(self, conn: Connection, delivery_id: int) -> None:
        """Until the delivery is finished."""
        while (await lifecycle.get_run(conn, delivery_id)).state is not DeliveryState.FINISHED:
            now = resident(self.names)
            self.highest = {name: max(size, self.highest.get(name, 0.0)) for name, size in now.items()}
            if self._settled is None and (await reading.counts(conn, delivery_id)).accepted >= SETTLED:
                self._settled = now
            if self._settled is not None:
                self.growth = {name: max(self.growth.get(name, 0.0), now[name] - self._settled[name]) for name in now}
            await asyncio.sleep(1)


def api_process() -> int:
    """The API process that we have started."""
    return next(child.pid for child in psutil.Process().children() if "api.server" in child.cmdline())


async def bench(on: Stage, port: int) -> None:
    """Prepare and send once."""
    conn = await connect(on.settings)
    await fill_profiles(conn, MESSAGES)
    config = {"host": "127.0.0.1", "port": port, "security": "none", "sender_domain": "mail.example", "connections": 20}
    with on.serving("api.server"), on.workers() as supervisor:
        watch = Watch({**supervisor.pids(), "api": api_process()})
        delivery_id = await make_delivery(
            on.settings, conn, "memory", channel="email", config=config, html=page(SIZE - AROUND), audience="id > 0"
        )
        async with conn.transaction():
            await lifecycle.prepare(conn, SYSTEM, delivery_id, datetime.now(UTC))
        watching = asyncio.create_task(watch.run(await connect(on.settings), delivery_id))
        await until(conn, delivery_id, {DeliveryState.READY}, 600)
        async with conn.transaction():
            await lifecycle.confirm(conn, SYSTEM, delivery_id, datetime.now(UTC))
        started = time.monotonic()
        await watching
        seconds = time.monotonic() - started
    for name in watch.names:
        print_alone(
            f"memory_{name}", watch.highest[name], unit="MB",
            growth_after_first_100k=round(watch.growth.get(name, 0.0), 1), messages=MESSAGES,
        )  # fmt: skip
    print_alone("send_rate", MESSAGES / seconds, unit="messages/s", messages=MESSAGES)
    await conn.close()


if __name__ == "__main__":
    with sink() as sink_port, stage() as made:
        asyncio.run(bench(made, sink_port))
