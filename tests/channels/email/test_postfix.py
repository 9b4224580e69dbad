"""Against Debian's Postfix: what it takes, refuses and delivers, in the clear and through STARTTLS."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.contract import FailureReason, OutcomeKind
from channels.contract.conformance import WAIT, DirectIO, RecordingGate
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
