"""Messages as the channel makes them: what they promise to the connection is true whatever they hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from channels.contract import MessageContent, OutgoingMessage, RecipientRow
from channels.email.program import compile_email
from render_ext import Identity, TokenKey, TokenSigner, dot_stuffed
from tests.channels.email.test_round_trip import BODIES, VALUES

SIGNER = TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32))


def _messages(html: str | None, text: str | None, address: str) -> list[OutgoingMessage]:
    parts = {"subject": "{{ x }}", "html": html or "", "text": text or "", "from_name": "Château", "to_name": "{{ x }}"}
    content = MessageContent(
        parts={**parts, "from_address": "shop@example.org", "headers": "X-Value: {{ x }}"},
        signer=SIGNER, tracked=True, date=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), seed="ready",
    )  # fmt: skip
    program = compile_email(content, "bounces.example.org")
    rows = [RecipientRow(address=address, identity=Identity(1, 1, n), values={"x": value}) for n, value in enumerate(VALUES)]
    made = [message for message in program.render(rows) if isinstance(message, OutgoingMessage)]
    assert len(made) == len(VALUES)
    return made


@pytest.mark.parametrize(("html", "text"), BODIES)
def test_what_is_called_ready_for_the_wire_is(html: str | None, text: str | None) -> None:
    for message in _messages(html, text, "zoe@example.com"):
        assert message.wire_ready
        assert message.body.isascii()
        assert message.body.endswith(b"\r\n")
        assert message.body.count(b"\n") == message.body.count(b"\r\n")
        assert dot_stuffed(message.body) is message.body


def test_an_address_in_another_script_is_looked_at() -> None:
    html, text = BODIES[0]
    for message in _messages(html, text, "zoë@example.com"):
        assert not message.wire_ready
        assert not message.body.isascii()
