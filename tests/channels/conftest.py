"""SMTP servers with any manners, and messages to send to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from api.cli.sink import Behaviour, Sink, SinkMessage, read_sink
from channels.contract import ConfigField, OutgoingMessage
from channels.email import EmailChannel
from render_ext import Identity

Serve = Callable[..., Awaitable[Sink]]


@pytest_asyncio.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Start an SMTP server: `await serve(Behaviour(…))`. It keeps what it gets; see `kept`."""
    sinks: list[Sink] = []

    async def start(behaviour: Behaviour | None = None, port: int = 0) -> Sink:
        sink = Sink(port=port, directory=tmp_path / "sink", behaviour=behaviour)
        await sink.start()
        sinks.append(sink)
        return sink

    yield start
    for sink in sinks:
        await sink.close()


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], list[SinkMessage]]:
    """What all servers of this test have kept."""
    return lambda: list(read_sink(tmp_path / "sink"))


@pytest.fixture
def arrived(kept: Callable[[], list[SinkMessage]]) -> Callable[[], list[str]]:
    """The recipients of what was kept."""
    return lambda: [recipient for message in kept() for recipient in message.recipients]


def complete(fields: tuple[ConfigField, ...], **given: Any) -> dict[str, Any]:
    """A configuration with the defaults filled in."""
    return {each.name: each.default for each in fields} | given


class MakeChannel(Protocol):
    """Makes an email channel for a server."""

    def __call__(self, port: int, **changes: Any) -> EmailChannel: ...


@pytest.fixture
def email_config() -> Callable[..., dict[str, Any]]:
    """The configuration of an email account on this machine, with short timeouts."""

    def make(port: int, **changes: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender_domain": "bounces.example.org",
            "connect_timeout": 2.0,
            "reply_timeout": 2.0,
            "final_timeout": 2.0,
        }
        return complete(EmailChannel.manifest.config, **(given | changes))

    return make


@pytest.fixture
def email(email_config: Callable[..., dict[str, Any]]) -> MakeChannel:
    """`email(port, final_timeout=0.2)`: an email channel."""
    return lambda port, **changes: EmailChannel(email_config(port, **changes))


class MakeBatch(Protocol):
    """Makes messages."""

    def __call__(self, count: int, *, to: str = "person{}@example.org", body: bytes | None = None) -> list[OutgoingMessage]: ...


@pytest.fixture
def batch() -> MakeBatch:
    """`batch(3, to="full-{}@example.org")`: messages, each with a body of its own."""

    def make(count: int, *, to: str = "person{}@example.org", body: bytes | None = None) -> list[OutgoingMessage]:
        return [
            OutgoingMessage(
                identity=Identity(1, 1, number),
                address=to.format(number),
                body=body or _body(number),
                reference=f"<{number}@bounces.example.org>",
                sender=f"b-{number}@bounces.example.org",
            )
            for number in range(count)
        ]

    return make


def _body(number: int) -> bytes:
    head = f"Message-ID: <{number}@bounces.example.org>\r\nSubject: Number {number}\r\n\r\n"
    return (head + f"Line of message {number}.\r\n" * 50).encode()
