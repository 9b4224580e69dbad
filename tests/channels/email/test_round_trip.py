"""Messages of hostile text, signed, through Postfix: into a mailbox, and on to another server; not a byte of them changes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dkim

from api.cli.sink import SinkMessage
from channels.contract import OutgoingMessage
from channels.contract.conformance import WAIT, DirectIO, RecordingGate
from channels.email import EmailChannel
from channels.email.config import SmtpConfig
from channels.email.signing import dkim_keys
from render_ext import EmailRow, EmailSource, Identity, TokenKey, TokenSigner
from tests.channels.email.postfix import Postfix
from tests.channels.email.test_signing import PUBLIC, SECRET
from tests.fuzz.hostile import BITS
from tests.render_ext.reference import valid

SIGNER = TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32))
LINK = '<a href="{% link 1 %}https://shop.example/{{ x }}{% endlink %}">{{ x }}</a>\n'
FIXED = valid("\n".join(BITS)).replace("{", "(")  # dots, "From ", long lines, bare CR, control characters, other scripts
BODIES: list[tuple[str | None, str | None]] = [  # HTML and text: each transfer encoding, alone and beside others
    (f"<p>\n.\n..\n{FIXED}</p>{LINK}", "Fixed, short.\nAll of it.\n"),
    (LINK * 20 + "x" * 3_000, f".\n{FIXED}\n{{{{ x }}}}"),
    (None, "Привет! Почти всё кириллица. " * 60 + "{{ x }}"),
    (None, "Fixed, short.\nAll of it.\n"),
    ("." * 500 + "{{ x }}", None),
]
VALUES = [
    "plain",
    "\n.\n..\r\n.\r\r",
    "From me\nFrom you",
    "é€😀\ud800" * 200,
    "x" * 5_000,
    " \t \n\t\n ",
    "\x00\x1b\x7f",
    *BITS,
]


def rendered(address: str) -> list[OutgoingMessage]:
    """A message for each body and value, to the address with its number in it."""
    found: list[OutgoingMessage] = []
    for html, text in BODIES:
        program = EmailSource(
            subject="{{ x }}",
            html=html,
            text=text,
            from_address="shop@example.org",
            from_name="Château & Söhne",
            headers=(("X-Long", "word " * 300), ("X-Script", "日本語のとても長い見出し" * 20)),
            message_id_domain="bounces.example.org",
            envelope_domain="bounces.example.org",
            date=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
            seed="round trip",
        ).compile(SIGNER)
        for value in VALUES:
            identity, to = Identity(1, 1, len(found)), address.format(len(found))
            (body,) = program.render_many([EmailRow(address=to, identity=identity, values={"x": value}, name=value[:99])])
            assert isinstance(body, bytes)
            found.append(
                OutgoingMessage(
                    identity=identity,
                    address=to,
                    body=body,
                    reference=program.message_id(identity),
                    sender=program.envelope_sender(identity),
                    wire_ready=to.isascii(),
                )
            )
    return found


async def send(config: dict[str, Any], batch: list[OutgoingMessage]) -> None:
    """Send all, signed with the account's keys."""
    gate = RecordingGate()
    sender = EmailChannel(config).open(DirectIO(), connections=4)
    await asyncio.wait_for(sender.send(batch, gate), WAIT)
    await sender.close()
    assert gate.mistakes == []
    assert gate.accepted() == set(range(len(batch)))


def check(config: dict[str, Any], batch: list[OutgoingMessage], arrived: list[bytes], added: str) -> None:
    """Every message is there once: fields of the servers on the way, our signatures, what was rendered; and it verifies."""
    keys = dkim_keys(SmtpConfig.from_mapping(config))
    records = {f"{name}.": value.encode() for name, value in (key.dns_record() for key in keys)}
    by_id = {message.reference: message for message in batch}
    for found in arrived:
        reference = re.search(rb"^Message-ID: (<[^>]+>)\r\n", found, re.MULTILINE)
        assert reference is not None
        message = by_id.pop(reference[1].decode())
        body = message.body
        assert found.endswith(b"\r\n" + body)
        before = found[: -len(body)]
        fields = re.findall(r"^([\w-]+):", before.decode(), re.MULTILINE)
        assert fields[-2:] == ["DKIM-Signature", "DKIM-Signature"]
        assert re.fullmatch(added, " ".join(fields[:-2]))
        for index in (0, 1):
            verifier = dkim.DKIM(found)
            assert verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode()))
    assert not by_id


async def test_into_a_mailbox(postfix: Postfix, email_config: Any) -> None:
    config = email_config(postfix.port, **PUBLIC, **SECRET)
    batch = rendered("person{}@example.org")
    await send(config, batch)
    async with asyncio.timeout(WAIT):
        while len(postfix.delivered()) < len(batch):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    arrived = [message.replace(b"\n", b"\r\n") for message in postfix.delivered()]  # a mailbox has the line ends of its system
    check(config, batch, arrived, "Return-Path X-Original-To Delivered-To Received")


async def test_on_to_another_server(
    postfix: Postfix, serve: Any, email_config: Any, kept: Callable[[], list[SinkMessage]]
) -> None:
    await serve(port=postfix.next_hop)
    config = email_config(postfix.port, **PUBLIC, **SECRET)
    batch = rendered("person{}@next.example.net")
    await send(config, batch)
    async with asyncio.timeout(WAIT):
        while len(kept()) < len(batch):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    check(config, batch, [message.body for message in kept()], "Received")
