"""A prepared email delivery on real parts, and the addresses in its messages."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from channels.contract import OutgoingMessage
from core.access import SYSTEM
from core.clock import system_clock
from core.config import load_settings
from core.db import Connection, Pool
from core.delivery import lifecycle, reading
from core.delivery.engine import Engine, open_engine
from core.delivery.programs import row_of
from core.delivery.records import DeliveryState
from core.egress import GuardedIO
from core.files import Files
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from loadtests.campaign import make_delivery

BASE_URL = "https://track.mail.example"
SPRING = """<html><head><title>Spring</title></head><body>
<p>Hello {{ profile.first_name }}, <a href="https://shop.example/spring?from=mail&amp;kind=a">our spring offer</a>
{% if profile.country == "FR" %}<a href="https://shop.example/france">For France</a>{% endif %}
<a href="https://shop.example/for/{{ profile.first_name }}?c={{ profile.country }}">for you</a></p>
<p><a href="{% mirror_url %}">In the browser</a> <a href="{% unsubscribe_url %}">Leave</a></p>
</body></html>"""
SMTP = {"host": "127.0.0.1", "port": 1, "security": "none", "sender_domain": "mail.example"}


def make_runtime(pool: Pool, database_url: str, folder: Path) -> Runtime:
    """The runtime of one process."""
    settings = load_settings(
        database_url=database_url, var_dir=folder, allow_private_egress=True, base_url=BASE_URL, hit_wait_seconds=5
    )
    return Runtime(
        settings=settings,
        pool=pool,
        keyring=parse_keyring(new_key_text(1)),
        files=Files(folder / "files"),
        io=GuardedIO.from_settings(settings),
        clock=system_clock,
        worker_id="tests",
    )


@dataclass(frozen=True, slots=True)
class Campaign:
    """A delivery, prepared, and what its readers got."""

    runtime: Runtime
    engine: Engine
    delivery_id: int

    async def message(self, profile_id: int) -> EmailMessage:
        """The message of one person, as it goes over the wire, parsed."""
        async with self.runtime.pool.acquire() as conn:
            row = await reading.find_row(conn, self.delivery_id, profile_id)
            assert row is not None
            assert row.program_id is not None
            loaded = await self.engine.programs.get(conn, row.program_id)
        recipient = row_of(loaded, row)
        assert recipient is not None
        (rendered,) = loaded.program.render([recipient])
        assert isinstance(rendered, OutgoingMessage), rendered
        return email.message_from_bytes(rendered.body, policy=email.policy.default)

    async def html(self, profile_id: int) -> str:
        """The HTML part of it."""
        part = (await self.message(profile_id)).get_body(("html",))
        assert part is not None
        text: str = part.get_content()
        return text

    async def paths(self, profile_id: int) -> Paths:
        """The addresses in it, without the host."""
        html = await self.html(profile_id)
        found = re.findall(rf"{re.escape(BASE_URL)}(/([comu])/[A-Za-z0-9_-]+)", html)
        by_kind: dict[str, list[str]] = {letter: [] for letter in "comu"}
        for path, letter in found:
            by_kind[letter].append(path)
        return Paths(clicks=by_kind["c"], pixel=by_kind["o"][-1], mirror=by_kind["m"][0], unsubscribe=by_kind["u"][0])


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the links of one message lead: those that readers see in order, then the hidden one."""

    clicks: list[str]
    pixel: str
    mirror: str
    unsubscribe: str


async def add_profile(conn: Connection, first_name: str, country: str = "DE", language: str | None = None) -> int:
    """Somebody with an address."""
    address = f"{country.lower()}.{datetime.now(UTC).timestamp()}@mail.example"
    profile_id: int = await conn.fetchval(
        "INSERT INTO profile (email, email_key, first_name, country, language) VALUES ($1, $1, $2, $3, $4) RETURNING id",
        address, first_name, country, language,
    )  # fmt: skip
    return profile_id


@asynccontextmanager
async def prepared_campaign(
    pool: Pool, database_url: str, folder: Path, *, html: str = SPRING, audience: str = "id > 0", **authored: Any
) -> AsyncIterator[Campaign]:
    """A delivery to everybody, ready to be sent."""
    runtime = make_runtime(pool, database_url, folder)
    engine = open_engine(runtime)
    try:
        async with pool.acquire() as conn:
            delivery_id = await make_delivery(
                runtime.settings, conn, "spring", channel="email", config=SMTP, html=html, audience=audience,
                keyring=runtime.keyring, authored=authored,
            )  # fmt: skip
            async with conn.transaction():
                await lifecycle.prepare(conn, SYSTEM, delivery_id, runtime.clock())
            await engine.preparation.run(delivery_id)
            run = await lifecycle.get_run(conn, delivery_id)
            assert run.state is DeliveryState.READY, run.error
        yield Campaign(runtime, engine, delivery_id)
    finally:
        await engine.close()
