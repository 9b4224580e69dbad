"""What was sent can be rendered again: by another process, after a restart, with a newer key, the same bytes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.cli.sink import SinkMessage, read_sink
from channels.contract import OutgoingMessage
from core.channel_registry import ChannelRegistry
from core.config import Settings
from core.db import Connection
from core.delivery.programs import Programs, row_of
from core.delivery.reading import list_rows
from core.errors import Unavailable
from core.ids import from_global_id
from core.paging import PageRequest
from core.public_urls import PublicUrls
from core.secrets import load_keyring, new_key_text
from tests.channels.email.test_signing import PUBLIC, SECRET
from tests.flows.client import Client
from tests.flows.house import empty_database, house
from tests.flows.journey import PARTS, create_account, create_content, create_delivery, send
from tests.flows.people import settle_in
from tests.flows.post import sink_process

PEOPLE = 12
HARD = {  # each transfer encoding; "now", dates and numbers; text that the wire could change
    "html": PARTS["html"].replace("<h1>", "<p>\n.\n..\nFrom us\n{{ 'now' | date: '%c' }} {{ 1234.5 | number: 2 }} é</p>\n<h1>"),
    "text": "Доставка бесплатна, {{ profile.first_name }}! " * 20
    + "\n{% for product in products %}https://shop.example/{{ product.sku }}?{{ profile.city }}\n{% endfor %}"
    + "{% unsubscribe_url %}",
}


async def rendered_again(conn: Connection, settings: Settings, delivery: str) -> dict[str, bytes]:
    """Every message of a delivery by recipient, made of nothing but the database and the keys."""
    programs = Programs(ChannelRegistry.load(), PublicUrls(settings, load_keyring(settings)))
    number = int(from_global_id("Delivery", delivery, "id"))
    found = {}
    for row in (await list_rows(conn, number, None, PageRequest(first=100))).rows:
        assert row.program_id is not None
        loaded = await programs.get(conn, row.program_id)
        recipient = row_of(loaded, row)
        assert recipient is not None
        (message,) = loaded.program.render([recipient])
        assert isinstance(message, OutgoingMessage), message
        found[message.address] = message.body
    return found


def check_same(sent: list[SinkMessage], again: dict[str, bytes]) -> None:
    """What arrived is what is rendered now, after the signatures of the account."""
    assert len(sent) == len(again) == PEOPLE
    for message in sent:
        (recipient,) = message.recipients
        body = again[recipient]
        assert message.body.endswith(body)
        assert re.findall(r"^[\w-]+(?=:)", message.body[: -len(body)].decode(), re.MULTILINE) == ["DKIM-Signature"] * 2


async def test_ledger_rows_render_what_was_sent(tmp_path: Path) -> None:
    old, new = new_key_text(1), new_key_text(2)
    caught = tmp_path / "mail"
    async with empty_database() as url, sink_process(caught) as port:
        # Given mails that the workers of one house rendered, signed and sent
        async with house(tmp_path, database_url=url, secret_keys=old, worker_processes=1) as made:
            async with Client(made.settings.base_url, made.token) as client:
                _, audience = await settle_in(client, PEOPLE)
                account = await create_account(client, port, **PUBLIC, **SECRET)
                content = await create_content(client, {**PARTS, **HARD})
                delivery = await create_delivery(client, audience=audience, account=account, content=content)
                await send(client, delivery)
        sent = list(read_sink(caught))
        assert len({message.body for message in sent}) == PEOPLE

        # When the house starts again, with a newer key before the old one, at another address
        async with house(tmp_path, database_url=url, secret_keys=f"{new},{old}", worker_processes=1) as made:
            conn = await made.connect()
            try:
                # Then every row becomes the bytes that were sent
                check_same(sent, await rendered_again(conn, made.settings, delivery))
                # And without the old key it says so, instead of making other links
                only_new = made.settings.model_copy(update={"secret_keys": SecretStr(new)})
                with pytest.raises(Unavailable, match="master key 1"):
                    await rendered_again(conn, only_new, delivery)
            finally:
                await conn.close()
