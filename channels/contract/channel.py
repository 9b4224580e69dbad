"""The whole of what a channel plugin implements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from channels.contract.content import MessageContent, Program
from channels.contract.gate import Gate
from channels.contract.inbound import InboundEvent, InboundRequest
from channels.contract.io import ChannelIO
from channels.contract.manifest import Manifest
from channels.contract.messages import OutgoingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a look at an account's configuration and connection found."""

    ok: bool
    message: str
    hint: str | None = None


class Sender(Protocol):
    """An open way to the provider, kept by a worker process for one account."""

    async def send(self, batch: Sequence[OutgoingMessage], gate: Gate) -> None:
        """Send every message of the batch through the gate.

        Each message ends handed over and settled, or settled alone, or given up after `hand_over` returned
        False. What is neither settled nor handed over when this returns, raises or is cancelled goes back to
        the queue; what was handed over and not settled becomes unknown.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection; messages in flight are settled first if their answer comes in time."""
        ...


class Channel(Protocol):
    """One channel. An instance is made per account configuration and holds no connection itself.

    Whose provider must be asked for news adds `poll` (`inbound.Polling`) and says how often in its manifest. Whose settings
    can be wrong in a way that the manifest cannot say adds `config_problems` (`Validating`).
    """

    manifest: ClassVar[Manifest]

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config` holds one checked value for each `ConfigField` of the manifest."""
        ...

    def compile(self, content: MessageContent) -> Program:
        """Raises render_ext.TemplateSyntaxError, ContentRefused, and ValueError with the name of a part as `part`."""
        ...

    def open(self, io: ChannelIO, *, connections: int) -> Sender:
        """A sender that uses up to `connections` connections at once; they are made when first needed."""
        ...

    async def check(self, io: ChannelIO) -> CheckResult:
        """Try the configuration for real: connect, authenticate, leave."""
        ...

    async def callback(self, request: InboundRequest) -> Sequence[InboundEvent]:
        """Verify the signature, timestamp and replay first (InboundRejected), then translate."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """A setting that is wrong by itself or beside the others. The message follows the field's name and tells no secret."""

    field: str
    message: str
    hint: str | None = None


@runtime_checkable
class Validating(Protocol):
    """What a channel adds that knows more about its settings than their types: a key that is none, one without another."""

    def config_problems(self) -> Sequence[ConfigProblem]:
        """What is wrong with the settings, without asking anybody; called in a thread before an account is saved."""
        ...
