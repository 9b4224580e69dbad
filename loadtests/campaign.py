"""A campaign of any size for the benchmarks, made with the product's own operations where they matter and SQL where not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import asyncpg

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.config import Settings
from core.content.contents import create_content
from core.content.records import ContentDraft
from core.db import Connection, set_up_connection
from core.delivery import lifecycle
from core.delivery.records import DeliveryState
from core.planning.channel_accounts import create_account
from core.planning.deliveries import create_delivery
from core.planning.records import AccountDraft, DeliveryDraft
from core.secrets import Keyring, load_keyring
from core.targeting.audiences import create_audience
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft

FILLER = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore. "


async def connect(settings: Settings) -> Connection:
    """A connection with the product's codecs."""
    conn = await asyncpg.connect(settings.database_url)
    await set_up_connection(conn)
    return conn


async def fill_profiles(conn: Connection, count: int) -> None:
    """Profiles with the columns that targeting and templates read, by one statement."""
    await conn.execute(
        """
        INSERT INTO profile (external_id, email, email_key, email_domain, first_name, last_name, city, country, language,
                             gender, birth_date, opt_out_email)
        SELECT 'p' || n, 'Person.' || n || '@mail' || n % 50 || '.example', 'person.' || n || '@mail' || n % 50 || '.example',
               'mail' || n % 50 || '.example', (ARRAY['Ana', 'José', 'Zoë', 'Łukasz', 'محمد', 'O''Neil'])[1 + n % 6],
               'Family' || n % 1000, 'City ' || n % 300, (ARRAY['FR', 'DE', 'US', 'SA', 'JP'])[1 + n % 5],
               (ARRAY['fr', 'de', 'en', 'ar', 'ja'])[1 + n % 5], n % 3, date '1950-01-01' + n % 20000, false
          FROM generate_series(1, $1::int) AS n
        """,
        count,
    )
    await conn.execute("ANALYZE profile")


def page(size: int, links: int = 20) -> str:
    """An HTML page of about `size` bytes with tracked links and personal values."""
    address = "https://shop.example/item"
    rows = "".join(
        f'<p>{{{{ profile.first_name }}}}: <a href="{address}/{n}?c={{{{ profile.country }}}}">item {n}</a></p>\n'
        for n in range(links)
    )
    filler = f"<p>{FILLER}</p>\n"
    body = rows + filler * max(0, (size - len(rows)) // len(filler))
    return f'<html><body>{body}<p><a href="{{% unsubscribe_url %}}">leave</a></p></body></html>'


async def make_delivery(
    settings: Settings, conn: Connection, name: str, *, channel: str, config: dict[str, Any], html: str, audience: str,
    keyring: Keyring | None = None, authored: Mapping[str, Any] | None = None,
) -> int:  # fmt: skip
    """An account, a content, an audience and a delivery; returns the delivery's id. `authored`: more of the content."""
    registry = ChannelRegistry.load()
    parts = {"subject": "{{ profile.first_name }}, news", "html": html}
    parts["text"] = "Hello {{ profile.first_name }} {{ profile.last_name }}" if channel == "email" else "Hello"
    if channel == "email":
        parts["from_address"] = "news@mail.example"
    async with conn.transaction():
        account = await create_account(
            conn, SYSTEM, registry, keyring or load_keyring(settings),
            AccountDraft(name=f"{name}-account", label=name, channel=channel, config=config),
        )  # fmt: skip
        content = await create_content(
            conn,
            SYSTEM,
            registry,
            ContentDraft(name=f"{name}-content", label=name, channel=channel, **{"parts": parts, **(authored or {})}),
        )
        people = await create_audience(
            conn, SYSTEM, AudienceDraft(name=f"{name}-people", label=name, expression=parse_text(audience))
        )
        delivery = await create_delivery(
            conn, SYSTEM,
            DeliveryDraft(
                name=name, label=name, channel_account_id=account.id, audience_id=people.id, content_id=content.id
            ),
        )  # fmt: skip
    return delivery.id


async def until(conn: Connection, delivery_id: int, states: set[DeliveryState], seconds: float) -> None:
    """Wait for a state. Raises SystemExit after `seconds`."""
    deadline = time.monotonic() + seconds
    while (await lifecycle.get_run(conn, delivery_id)).state not in states:
        if time.monotonic() > deadline:
            raise SystemExit(f"delivery {delivery_id} hangs: {await lifecycle.get_run(conn, delivery_id)}")
        await asyncio.sleep(0.2)
