"""The memory channel: it keeps what it was given. For tests and load runs without a provider."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from channels.contract import (
    AddressKind,
    Capabilities,
    ChannelIO,
    CheckResult,
    ConfigField,
    ConfigType,
    ContentField,
    FailureReason,
    Gate,
    InboundEvent,
    InboundRejected,
    InboundRequest,
    Manifest,
    MessageContent,
    Outcome,
    OutcomeKind,
    OutgoingMessage,
    Polled,
    RecipientRow,
    RenderedParts,
    RenderFailure,
    Sender,
)
from channels.contract.outcomes import ACCEPTED
from channels.memory.stores import MemoryStore, store
from render_ext import Program as Template
from render_ext import RenderError
from render_ext import compile as compile_template

_PARTS = ("subject", "text", "html")
POLLED_AT_ONCE = 100
RECEIPTS = frozenset({"delivered", "bounced", "complained"})
_AFTER_HAND_OVER = (OutcomeKind.ACCEPTED, OutcomeKind.UNKNOWN)


class MemoryMessages:
    """See `channels.contract.Program`. A body is a JSON object of the parts."""

    def __init__(self, content: MessageContent) -> None:
        self._templates: dict[str, Template] = {
            name: compile_template(
                content.parts[name],
                name=name,
                escape="html" if name == "html" else "none",
                partials=dict(content.partials),
                now=content.date,
                locale=content.locale,
                zone=content.zone,
            )
            for name in _PARTS
            if content.parts.get(name)
        }

    def render(self, rows: Sequence[RecipientRow]) -> list[OutgoingMessage | RenderFailure]:
        """One result per row, in order."""
        return [self._message(row) for row in rows]

    def _message(self, row: RecipientRow) -> OutgoingMessage | RenderFailure:
        try:
            parts = self._render(row)
        except RenderError as error:
            return RenderFailure(identity=row.identity, message=str(error))
        identity = row.identity
        numbers = (
            identity.delivery_id,
            identity.recipient_kind,
            identity.recipient_id,
            identity.occurrence,
        )
        return OutgoingMessage(
            identity=identity,
            address=row.address,
            body=json.dumps(parts, ensure_ascii=False).encode(),
            reference="-".join(map(str, numbers)),
        )

    def _render(self, row: RecipientRow) -> dict[str, str]:
        values = dict(row.values)
        return {name: template.render(values) for name, template in self._templates.items()}

    def parts(self, row: RecipientRow) -> RenderedParts:
        """Raises render_ext.RenderError."""
        parts = self._render(row)
        return RenderedParts(subject=parts.get("subject"), html=parts.get("html"), text=parts.get("text"))

    def link_target(self, row: RecipientRow, link: int, occurrence: int) -> str | None:
        """Links are not tracked here."""
        return None


class MemorySender:
    """Hands over, keeps, settles: on as many paths at once as it has connections."""

    def __init__(self, kept: MemoryStore, outcomes: Iterator[OutcomeKind], delay: float, paths: int) -> None:
        self._store = kept
        self._outcomes = outcomes
        self._delay = delay
        self._paths = asyncio.Semaphore(paths)
        self._closed = False

    async def send(self, batch: Sequence[OutgoingMessage], gate: Gate) -> None:
        """See `channels.contract.Sender`."""
        try:
            async with asyncio.TaskGroup() as group:
                for index, message in enumerate(batch):
                    group.create_task(self._one(index, message, gate))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _one(self, index: int, message: OutgoingMessage, gate: Gate) -> None:
        async with self._paths:
            if self._closed:
                return
            kind = next(self._outcomes)
            if kind not in _AFTER_HAND_OVER:
                gate.settle(index, Outcome(kind=kind, reason=FailureReason.REFUSED, text="as configured"))
            elif await gate.hand_over(index):
                self._store.keep(message)
                try:
                    await asyncio.sleep(self._delay)
                finally:  # kept is kept, also for a batch that is taken back
                    gate.settle(index, ACCEPTED if kind is OutcomeKind.ACCEPTED else Outcome(kind=kind))

    async def close(self) -> None:
        """See `channels.contract.Sender`."""
        self._closed = True


class MemoryChannel:
    """See `channels.contract.Channel`."""

    manifest: ClassVar[Manifest] = Manifest(
        name="memory",
        label="Memory",
        address_kind=AddressKind.EMAIL,
        config=(
            ConfigField(
                name="store",
                type=ConfigType.TEXT,
                default="default",
                description="Name of the store in this process that keeps the messages.",
            ),
            ConfigField(
                name="outcomes",
                type=ConfigType.TEXT,
                default="accepted",
                description="Outcomes that messages get in turn, with commas: accepted,accepted,transient.",
            ),
            ConfigField(
                name="delay",
                type=ConfigType.NUMBER,
                default=0.0,
                minimum=0,
                maximum=60,
                description="Seconds between taking a message and saying so.",
            ),
            ConfigField(
                name="keep",
                type=ConfigType.BOOLEAN,
                default=True,
                description="Keep the messages; without, they are only counted.",
            ),
            ConfigField(
                name="max_bytes",
                type=ConfigType.INTEGER,
                minimum=1_000,
                description="Bytes of the largest message that it takes; empty: those of the channel.",
            ),
        ),
        content=(
            ContentField(name="subject", description="Subject, where there is one."),
            ContentField(name="text", required=True, description="The message as plain text."),
            ContentField(name="html", description="The message as HTML."),
        ),
        capabilities=Capabilities(batch_size=500, receipts=RECEIPTS, inbound=True, poll_seconds=5.0),
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._store = store(config["store"])
        self._store.keeps = bool(config["keep"])
        self._delay = float(config["delay"])
        self._outcomes = [OutcomeKind(name.strip()) for name in config["outcomes"].split(",")]

    def compile(self, content: MessageContent) -> MemoryMessages:
        """See `channels.contract.Channel`."""
        return MemoryMessages(content)

    def open(self, io: ChannelIO, *, connections: int) -> Sender:
        """See `channels.contract.Channel`."""
        return MemorySender(self._store, itertools.cycle(self._outcomes), self._delay, connections)

    async def check(self, io: ChannelIO) -> CheckResult:
        """There is nothing that could fail."""
        return CheckResult(ok=True, message="messages are kept in this process")

    async def callback(self, request: InboundRequest) -> Sequence[InboundEvent]:
        """Nobody calls."""
        raise InboundRejected("the memory channel takes no callbacks")

    async def poll(self, io: ChannelIO, cursor: str | None) -> Polled:
        """The news of the store, from a place in its list."""
        start = int(cursor or 0)
        events = self._store.news[start : start + POLLED_AT_ONCE]
        end = start + len(events)
        return Polled(events=events, cursor=str(end), more=end < len(self._store.news))
