"""Durable tracked redirects: how many a second beside the same server without the insert, and how late at a steady rate.

Everything is real: a delivery is composed and prepared, tokens are signed, an API process answers over HTTP. Half of the
links lead everybody to the same place, half carry personal values.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from dataclasses import asdict

from core.access import SYSTEM
from core.delivery import lifecycle
from core.delivery.engine import open_engine
from core.delivery.records import DeliveryState
from core.public_urls import PublicUrls
from core.runtime import open_runtime
from core.secrets import load_keyring
from core.tracking import reading
from core.tracking.store import count_rows
from loadtests.campaign import FILLER, connect, fill_profiles, make_delivery
from loadtests.figures import alternate, print_alone, print_figure
from loadtests.http_load import Order, Result
from loadtests.stage import Stage, stage
from render_ext import Identity, TokenKind

ROWS = int(os.environ.get("ROWS", "200000"))
RUNS = int(os.environ.get("RUNS", "3"))
LINKS = 20
REQUESTS = 150_000
SECONDS = 6.0
STEADY_SECONDS = 10.0
STEADY_RATE = 3000.0
WARM_UP = 2.0
CONNECTIONS = 256
SMTP = {"host": "127.0.0.1", "port": 1, "security": "none", "sender_domain": "mail.example"}
HEADERS = (
    "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
)


def page() -> str:
    """A message of 33 KB with fixed and personal links."""
    fixed = "".join(f'<p><a href="https://shop.example/item/{n}">{FILLER}</a></p>\n' for n in range(LINKS // 2))
    personal = "".join(
        f'<p><a href="https://shop.example/for/{n}?c={{{{ profile.country }}}}">{FILLER}</a></p>\n' for n in range(LINKS // 2)
    )
    return f"<html><body>{fixed}{personal}{f'<p>{FILLER}</p>' * 250}</body></html>"


async def prepare(on: Stage) -> list[str]:
    """Compose and prepare a delivery; returns paths of clicks by random recipients on random links."""
    conn = await connect(on.settings)
    await fill_profiles(conn, ROWS)
    delivery_id = await make_delivery(on.settings, conn, "spring", channel="email", config=SMTP, html=page(), audience="id > 0")
    async with open_runtime(on.settings, "bench") as runtime:
        engine = open_engine(runtime)
        async with conn.transaction():
            await lifecycle.prepare(conn, SYSTEM, delivery_id, runtime.clock())
        await engine.preparation.run(delivery_id)
        run = await lifecycle.get_run(conn, delivery_id)
        assert run.state is DeliveryState.READY, run.error
        await engine.close()
    await conn.close()
    urls = PublicUrls(on.settings, load_keyring(on.settings))
    signer = urls.signer(urls.newest_key_id)
    chance = random.Random(7)
    clicks = [(Identity(delivery_id, 1, chance.randint(1, ROWS)), chance.randint(1, LINKS)) for _ in range(REQUESTS)]
    return [signer.url(TokenKind.CLICK, who, link).removeprefix(urls.base_url) for who, link in clicks]


def load(port: int, paths: list[str], *, rate: float | None, seconds: float, seed: int) -> Result:
    """One run of the generator, in a process of its own. Raises SystemExit unless every request is answered with a redirect."""
    start = random.Random(seed).randrange(len(paths))
    order = Order(
        host="127.0.0.1", port=port, paths=paths[start:] + paths[:start], headers=HEADERS, connections=CONNECTIONS,
        seconds=seconds, warm_up=WARM_UP, rate=rate, seed=seed,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.http_load"], input=json.dumps(asdict(order)), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return Result(**json.loads(done.stdout))


async def check(on: Stage, least: int) -> None:
    """What was answered is stored, and the counters add up."""
    conn = await connect(on.settings)
    kept = await reading.counts(conn, 1)
    stored = sum(one.total for one in kept if one.kind == TokenKind.CLICK and one.link == 0)
    assert stored >= least, (stored, least)
    assert kept == await count_rows.recount(conn, 1)
    await conn.close()


def main() -> None:
    """Print the two figures."""
    with stage(listen_port=0) as on:
        paths = asyncio.run(prepare(on))
        answered: list[int] = []
        seeds = iter(range(1000))

        def measure(module: str) -> float:
            with on.serving(module) as port:
                result = load(port, paths, rate=None, seconds=SECONDS, seed=next(seeds))
            if module == "api.server":
                answered.append(result.answered)
            return result.rate

        ours, reference = alternate(RUNS, lambda: measure("api.server"), lambda: measure("loadtests.redirect_reference"))
        against = "the same server and checks, without the insert"
        print_figure("tracked_redirect", ours, reference, unit="redirects/s", against=against, recipients=ROWS)
        with on.serving("api.server") as port:
            steady = [load(port, paths, rate=STEADY_RATE, seconds=STEADY_SECONDS, seed=next(seeds)) for _ in range(RUNS)]
        answered += [run.answered for run in steady]
        middle = sorted(steady, key=lambda run: run.p99)[RUNS // 2]
        print_alone(
            "tracked_redirect_p99_ms",
            middle.p99,
            unit="ms",
            rate=round(middle.rate),
            p50=round(middle.p50, 2),
            longest=round(middle.longest, 2),
            late=middle.late,
            loop="open, from the scheduled time",
            recipients=ROWS,
            runs=RUNS,
        )
        asyncio.run(check(on, sum(answered)))


if __name__ == "__main__":
    main()
