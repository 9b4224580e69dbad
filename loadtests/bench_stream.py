"""`stream`: how long from a click until each of 200 subscribers has its event, at 1,000 clicks a second; also while preparing.

Everything is real: prepared mails, signed tokens, an API process, WebSockets, workers that prepare a million recipients.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from core.access import SYSTEM
from core.accounts.tokens import first_admin_token
from core.delivery import lifecycle
from core.delivery.engine import open_engine
from core.delivery.records import DeliveryState
from core.ids import to_global_id
from core.public_urls import PublicUrls
from core.runtime import open_runtime
from core.secrets import load_keyring
from loadtests.campaign import connect, fill_profiles, make_delivery, page, until
from loadtests.figures import print_alone
from loadtests.stage import Stage, stage
from loadtests.stream_load import Order, Result
from render_ext import Identity, TokenKind

RUNS = int(os.environ.get("RUNS", "3"))
SUBSCRIBERS = 200
RATE = 1000.0
WARM_UP, SECONDS = 2.0, 6.0
CLICKS = int(RATE * (WARM_UP + SECONDS) * 1.2)  # per run: everybody clicks once
ROWS = max(int(os.environ.get("ROWS", "1000000")), CLICKS * RUNS * 2)  # nobody clicks who is not there
SMTP = {"host": "127.0.0.1", "port": 1, "security": "none", "sender_domain": "mail.example"}


async def prepare(on: Stage) -> tuple[int, int, str]:
    """A prepared delivery to those who click, one to everybody that is not prepared yet, and a token."""
    conn = await connect(on.settings)
    await fill_profiles(conn, ROWS)
    clicked, everybody = [
        await make_delivery(on.settings, conn, name, channel="email", config=SMTP, html=page(2000, 3), audience=audience)
        for name, audience in (("clicked", f"id <= {CLICKS * RUNS * 2}"), ("everybody", "id > 0"))
    ]
    async with open_runtime(on.settings, "bench") as runtime:
        engine = open_engine(runtime)
        async with conn.transaction():
            await lifecycle.prepare(conn, SYSTEM, clicked, runtime.clock())
            made = await first_admin_token(conn, runtime.keyring, runtime.clock())
        await engine.preparation.run(clicked)
        await engine.close()
    await conn.close()
    assert made is not None
    return clicked, everybody, made[1]


def order(on: Stage, delivery_id: int, port: int, token: str, run: int) -> Order:
    """One run's clicks: by people who have not clicked yet."""
    urls = PublicUrls(on.settings, load_keyring(on.settings))
    signer = urls.signer(urls.newest_key_id)
    people = range(run * CLICKS + 1, (run + 1) * CLICKS + 1)
    return Order(
        host="127.0.0.1", port=port, token=token, subscribers=SUBSCRIBERS, rate=RATE, warm_up=WARM_UP, seconds=SECONDS,
        seed=run,
        paths=[signer.url(TokenKind.CLICK, Identity(delivery_id, 1, one), 1).removeprefix(urls.base_url) for one in people],
        people=[to_global_id("Profile", one) for one in people],
    )  # fmt: skip


def load(given: Order) -> Result:
    """One run, in a process of its own. Raises SystemExit unless every subscriber hears of every click."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.stream_load"], input=json.dumps(asdict(given)), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return Result(**json.loads(done.stdout))


async def ask_preparation(on: Stage, delivery_id: int) -> None:
    """Have the workers prepare a delivery (anew); returns once they are at it."""
    conn = await connect(on.settings)
    async with conn.transaction():
        await lifecycle.prepare(conn, SYSTEM, delivery_id, datetime.now(UTC))
    await until(conn, delivery_id, {DeliveryState.MESSAGE_PREPARATION, DeliveryState.READY}, 30)
    await conn.close()


async def was_prepared(on: Stage, delivery_id: int) -> bool:
    """Whether the workers have finished already; if not, wait for them."""
    conn = await connect(on.settings)
    run = await lifecycle.get_run(conn, delivery_id)
    await until(conn, delivery_id, {DeliveryState.READY}, 120)
    await conn.close()
    return run.state is DeliveryState.READY


def report(name: str, results: list[Result], **more: object) -> None:
    """The run in the middle."""
    middle = sorted(results, key=lambda one: one.p99)[len(results) // 2]
    print_alone(
        name, middle.p99, unit="ms", p50=round(middle.p50, 1), longest=round(middle.longest, 1), subscribers=SUBSCRIBERS,
        rate=RATE, clicks=middle.clicks, loop="open, from the scheduled time", runs=len(results), **more,
    )  # fmt: skip


def main() -> None:
    """Print the two figures."""
    with stage(worker_processes=1) as on:
        clicked, everybody, token = asyncio.run(prepare(on))
        with on.serving("api.server") as port, on.workers():
            report("click_to_subscriber_p99_ms", [load(order(on, clicked, port, token, run)) for run in range(RUNS)])
            busy, over = [], 0
            for run in range(RUNS, 2 * RUNS):
                asyncio.run(ask_preparation(on, everybody))
                busy.append(load(order(on, clicked, port, token, run)))
                over += asyncio.run(was_prepared(on, everybody))
            report(
                "click_to_subscriber_p99_ms", busy, during=f"a preparation of {ROWS} recipients", preparation_ended_first=over
            )


if __name__ == "__main__":
    main()
