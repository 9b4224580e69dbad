"""The pager channel: manifest, rendering, and the way to the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from channels.contract import (
    AddressKind,
    Capabilities,
    ChannelIO,
    CheckResult,
    ConfigField,
    ConfigType,
    ContentField,
    InboundEvent,
    InboundRejected,
    InboundRequest,
    Limits,
    Manifest,
    MessageContent,
    OutgoingMessage,
    RecipientRow,
    RenderedParts,
    RenderFailure,
    Sender,
)
from render_ext import Identity, RenderError, compile

from .sender import PagerSender, connect

SHORT = 160


class PagerMessages:
    """Compiled text."""

    def __init__(self, content: MessageContent) -> None:
        self._text = compile(content.parts["text"], name="text", now=content.date, zone=content.zone)

    def render(self, rows: Sequence[RecipientRow]) -> list[OutgoingMessage | RenderFailure]:
        """One result per row, in order."""
        results: list[OutgoingMessage | RenderFailure] = []
        for row in rows:
            try:
                text = " ".join(self._text.render(dict(row.values)).split())
            except RenderError as error:
                results.append(RenderFailure(identity=row.identity, message=str(error)))
                continue
            results.append(
                OutgoingMessage(
                    identity=row.identity,
                    address=row.address,
                    body=text.encode(),
                    reference=_reference(row.identity),
                )
            )
        return results

    def parts(self, row: RecipientRow) -> RenderedParts:
        """The text as the pager shows it."""
        text = " ".join(self._text.render(dict(row.values)).split())
        return RenderedParts(subject=None, html=None, text=text)

    def link_target(self, row: RecipientRow, link: int, occurrence: int) -> str | None:
        """Pagers have no links."""
        return None


class PagerChannel:
    """Pages over a line protocol."""

    manifest: ClassVar[Manifest] = Manifest(
        name="pager",
        label="Pager",
        address_kind=AddressKind.PHONE,
        config=(
            ConfigField(name="host", type=ConfigType.TEXT, required=True, description="The paging service."),
            ConfigField(
                name="port",
                type=ConfigType.INTEGER,
                default=444,
                minimum=1,
                maximum=65535,
                description="Its port.",
            ),
        ),
        content=(ContentField(name="text", required=True, description="What the pager shows."),),
        capabilities=Capabilities(batch_size=50),
        limits=Limits(max_bytes=4 * SHORT, units=lambda body: -(-len(body) // SHORT) or 1),
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._host: str = config["host"]
        self._port: int = config["port"]

    def compile(self, content: MessageContent) -> PagerMessages:
        """Raises render_ext.TemplateSyntaxError."""
        return PagerMessages(content)

    def open(self, io: ChannelIO, *, connections: int) -> Sender:
        """A sender; it connects when there is something to send."""
        return PagerSender(io, self._host, self._port, connections)

    async def check(self, io: ChannelIO) -> CheckResult:
        """Connect and leave."""
        try:
            line = await connect(io, self._host, self._port)
        except OSError as error:
            return CheckResult(ok=False, message=str(error), hint="Check host and port.")
        line.close()
        return CheckResult(ok=True, message=f"{self._host} answers")

    async def callback(self, request: InboundRequest) -> Sequence[InboundEvent]:
        """The service does not call back."""
        raise InboundRejected("pagers take no callbacks")


def _reference(identity: Identity) -> str:
    return f"{identity.delivery_id}-{identity.recipient_kind}-{identity.recipient_id}-{identity.occurrence}"
