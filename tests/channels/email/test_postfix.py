"""Against Debian's Postfix: what it takes, refuses and delivers, in the clear and through STARTTLS."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from typing import Any

import pytest

from channels.contract import FailureReason, MessageAttachment, MessageContent, OutcomeKind, RecipientRow
from channels.contract.conformance import WAIT, DirectIO, RecordingGate
from render_ext import Identity, TokenKey, TokenSigner
from tests.channels.email.postfix import Postfix


async def send(channel: Any, messages: Any, connections: int = 5) -> RecordingGate:
    """Send one batch."""
    gate = RecordingGate()
    sender = channel.open(DirectIO(), connections=connections)
    await asyncio.wait_for(sender.send(messages, gate), WAIT)
    await sender.close()
    assert gate.mistakes == []
    return gate


@pytest.mark.parametrize("security", ["none", "starttls"])
async def test_every_message_is_delivered_once(postfix: Postfix, email: Any, batch: Any, security: str) -> None:
    before = len(postfix.delivered())
    channel = email(postfix.port, security=security, verify_certificates=False)
    body = b"Subject: %s\r\n\r\n.dots\r\n..\r\n.\r\nend\r\n" % security.encode()
    gate = await send(channel, batch(60, body=body))
    assert gate.accepted() == set(range(60))
    assert all(outcome.provider_id for outcome in gate.settled.values())
    async with asyncio.timeout(WAIT):
        while len(postfix.delivered()) < before + 60:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    ours = [message for message in postfix.delivered() if b"Subject: " + security.encode() in message]
    assert len(ours) == 60
    assert all(message.endswith(b"\n\n.dots\n..\n.\nend\n") for message in ours)


async def test_refusals_are_understood(postfix: Postfix, email: Any, batch: Any) -> None:
    messages = [
        *batch(2),
        *batch(1, to="nobody{}@example.org"),
        *batch(1, to="someone{}@elsewhere.example.net"),
        *batch(1, body=b"Subject: x\r\n\r\n" + b"x" * 200_000 + b"\r\n"),
        *batch(2),
    ]
    gate = await send(email(postfix.port), messages, connections=1)
    unknown, relay, large = gate.settled[2], gate.settled[3], gate.settled[4]
    assert gate.accepted() == {0, 1, 5, 6}
    assert (unknown.kind, unknown.reason) == (OutcomeKind.INVALID_ADDRESS, FailureReason.USER_UNKNOWN)
    assert unknown.code == "550 5.1.1"
    assert relay.kind is OutcomeKind.ACCOUNT_ERROR
    assert large.kind is OutcomeKind.TOO_LARGE


async def test_it_can_be_checked(postfix: Postfix, email: Any) -> None:
    result = await email(postfix.port, security="starttls", verify_certificates=False).check(DirectIO())
    assert result.ok
    assert "with pipelining" in result.message


async def test_a_message_with_files_is_read_back_unchanged_and_archived(postfix: Postfix, email: Any) -> None:
    # Given a message with a picture, an attachment and fields with values
    logo, table = b"\x89PNG\r\n\x1a\n" + bytes(5000), "ä;ö\r\n.\r\n".encode() * 300
    channel = email(postfix.port, archive_address="person999@example.org")
    program = channel.compile(
        MessageContent(
            parts={
                "subject": "Files",
                "html": '<p>Dear {{ name }},</p>\n.<img alt="" src="cid:logo">\n',
                "text": "Dear {{ name }}\n.\n",
                "from_address": "shop@example.org",
                "headers": "X-Customer: {{ name }}",
                "to_name": "{{ name }}",
            },
            tracked=False,
            date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            seed="postfix",
            signer=TokenSigner("https://t.example.com", TokenKey(1, bytes(32))),
            attachments=(
                _file("Übersicht 請求書.csv", "text/csv; charset=utf-8", table),
                _file("logo.png", "image/png", logo, "logo"),
            ),
        )
    )
    row = RecipientRow(address="person7@example.org", identity=Identity(77, 1, 7), values={"name": "Zoë\r\nBcc: x"})
    (message,) = program.render([row])
    before = set(postfix.delivered())

    # When it is sent
    gate = await send(channel, [message])
    assert gate.accepted() == {0}
    async with asyncio.timeout(WAIT):
        while len(set(postfix.delivered()) - before) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    # Then both mailboxes hold it, byte for byte after what Postfix writes before it
    sent = message.body.replace(b"\r\n", b"\n")
    arrived = sorted(set(postfix.delivered()) - before)
    assert all(one.endswith(b"\n" + sent) for one in arrived)
    assert sorted(re.findall(rb"^Delivered-To: (.*)$", b"".join(arrived), re.MULTILINE)) == [
        b"person7@example.org", b"person999@example.org",
    ]  # fmt: skip
    read = BytesParser(policy=policy.default).parsebytes(arrived[0])
    assert {part.get_filename(): part.get_payload(decode=True) for part in read.walk() if part.get_filename()} == {
        "Übersicht 請求書.csv": table, "logo.png": logo,
    }  # fmt: skip
    assert read["x-customer"] == "Zoë  Bcc: x"


def _file(name: str, media_type: str, content: bytes, content_id: str | None = None) -> MessageAttachment:
    digest = hashlib.sha256(content).hexdigest()
    return MessageAttachment(
        name=name, media_type=media_type, size=len(content), sha256=digest, content=content, content_id=content_id
    )  # fmt: skip
