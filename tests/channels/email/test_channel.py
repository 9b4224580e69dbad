"""The email channel as the platform sees it: the conformance suite against a recording SMTP server."""

from __future__ import annotations

import email.policy
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

import pytest
import pytest_asyncio

from api.cli.sink import Behaviour
from channels.contract import MessageContent, OutgoingMessage, RecipientRow
from channels.contract.conformance import (
    ChannelConformance,
    DirectIO,
    RecordingGate,
    Subject,
)
from channels.email import EmailChannel
from render_ext import (
    Identity,
    TemplateSyntaxError,
    TokenKey,
    TokenSigner,
    read_envelope_sender,
    read_message_id,
)

PARTS = {
    "subject": "Hello {{ name }}",
    "html": "<p>Hello {{ name }}, you are number {{ number }}.</p>",
    "text": "Hello {{ name }}, you are number {{ number }}.",
    "from_name": "Ünser Team",
    "from_address": "news@example.org",
    "reply_to": "answers@example.org",
}
KEY = TokenKey(1, bytes(range(32)))


class TestEmail(ChannelConformance):
    @pytest_asyncio.fixture(params=[True, False], ids=["pipelined", "in steps"])
    async def subject(self, request: Any, serve: Any, email_config: Any, arrived: Any) -> Subject:
        sink = await serve(Behaviour(pipelining=request.param))
        return Subject(channel=EmailChannel, config=email_config(sink.port), parts=PARTS, arrived=arrived)


def content(**changes: Any) -> MessageContent:
    """Content with links that are tracked."""
    given: dict[str, Any] = {
        "parts": PARTS,
        "tracked": True,
        "date": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "seed": "seed",
        "signer": TokenSigner("https://t.example.org", KEY),
    }
    return MessageContent(**(given | changes))


async def test_what_arrives_is_a_proper_message(serve: Any, email_config: Any, kept: Any) -> None:
    sink = await serve()
    channel = EmailChannel(email_config(sink.port))
    rows = [RecipientRow(address="zoe@example.org", identity=Identity(12, 1, 34), values={"name": "Zoë", "number": 3})]
    (message,) = channel.compile(content()).render(rows)
    assert isinstance(message, OutgoingMessage)
    sender = channel.open(DirectIO(), connections=1)
    await sender.send([message], RecordingGate())
    await sender.close()
    (got,) = kept()
    parsed: Any = message_from_bytes(got.body, policy=email.policy.default)
    assert parsed["Subject"] == "Hello Zoë"
    assert parsed["From"] == "Ünser Team <news@example.org>"
    assert parsed["To"].addresses[0].addr_spec == "zoe@example.org"
    assert parsed["Reply-To"] == "answers@example.org"
    assert parsed["Message-ID"] == message.reference == got.message_id
    assert parsed["Date"].datetime == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "https://t.example.org/u/" in parsed["List-Unsubscribe"]
    assert "number 3" in parsed.get_body(("plain",)).get_content()
    assert "Zoë" in parsed.get_body(("html",)).get_content()
    assert parsed.defects == []


def test_bounces_and_answers_find_the_recipient(email_config: Any) -> None:
    rows = [RecipientRow(address="a@example.org", identity=Identity(12, 1, 34, 2), values={})]
    (message,) = EmailChannel(email_config(25)).compile(content()).render(rows)
    assert isinstance(message, OutgoingMessage)
    assert read_message_id(message.reference, {1: KEY}) == rows[0].identity
    assert read_envelope_sender(message.sender or "", {1: KEY}) == rows[0].identity
    assert message.reference.endswith("@bounces.example.org>")


def test_a_link_leads_where_the_author_said(email_config: Any) -> None:
    html = '<p><a href="{% link 1 %}https://shop.example.org/{{ number }}{% endlink %}">Shop</a></p>'
    program = EmailChannel(email_config(25)).compile(content(parts=PARTS | {"html": html}))
    row = RecipientRow(address="a@example.org", identity=Identity(1, 1, 1), values={"number": 5})
    assert program.link_target(row, 1, 0) == "https://shop.example.org/5"
    assert program.link_target(row, 2, 0) is None


def test_a_template_error_is_told_before_anything_is_sent(email_config: Any) -> None:
    with pytest.raises(TemplateSyntaxError, match="subject"):
        EmailChannel(email_config(25)).compile(content(parts=PARTS | {"subject": "{{ oops"}))


def test_what_a_person_sees_is_what_is_sent(email_config: Any) -> None:
    program = EmailChannel(email_config(25)).compile(content())
    row = RecipientRow(address="a@example.org", identity=Identity(1, 1, 1), values={"name": "<Ada>", "number": 1})
    parts = program.parts(row)
    assert parts.subject == "Hello <Ada>"
    assert parts.html == "<p>Hello &lt;Ada&gt;, you are number 1.</p>"
    assert parts.text == "Hello <Ada>, you are number 1."


def test_bodies_are_ready_for_the_wire(email_config: Any) -> None:
    """Rows whose values try to end the message, or to begin a line with a dot."""
    channel = EmailChannel(email_config(25))
    evil = "\r\n.\r\nMAIL FROM:<eve@example.org>"
    rows = [
        RecipientRow(address="a@example.org", identity=Identity(1, 1, n), values={"name": name, "number": n})
        for n, name in enumerate([evil, "." * 200, "x" * 2000, "\n.\n", "\r.\r"], start=1)
    ]
    for message in channel.compile(content()).render(rows):
        assert isinstance(message, OutgoingMessage)
        lines = message.body.split(b"\r\n")
        assert lines[-1] == b""
        assert not any(line.startswith(b".") or b"\r" in line or b"\n" in line for line in lines)
        assert max(map(len, lines)) <= 998
