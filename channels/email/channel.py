"""The email channel."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from channels.contract import (
    AddressKind,
    Capabilities,
    ChannelIO,
    CheckResult,
    ContentField,
    InboundEvent,
    InboundRejected,
    InboundRequest,
    Limits,
    Manifest,
    MessageContent,
    OutcomeKind,
    Program,
    Sender,
)
from channels.email.config import CONFIG_FIELDS, SmtpConfig
from channels.email.dial import DialFailed, Session, dial, tls_context
from channels.email.pool import SmtpSender
from channels.email.program import compile_email

_CONTENT = (
    ContentField(name="subject", required=True, description="Subject line."),
    ContentField(name="preheader", description="What mail programs show beside the subject in their lists."),
    ContentField(name="html", description="The message as HTML."),
    ContentField(name="text", description="The message as plain text; made from the HTML when left out."),
    ContentField(name="from_name", description="Name of the sender.", template=False),
    ContentField(name="from_address", required=True, description="Address of the sender.", template=False),
    ContentField(name="reply_to", description="Address for answers.", template=False),
)


class EmailChannel:
    """Email over SMTP."""

    manifest: ClassVar[Manifest] = Manifest(
        name="email",
        label="Email",
        address_kind=AddressKind.EMAIL,
        config=CONFIG_FIELDS,
        content=_CONTENT,
        capabilities=Capabilities(batch_size=200, tracking=True),
        limits=Limits(concurrency=20),
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = SmtpConfig.from_mapping(config)

    def compile(self, content: MessageContent) -> Program:
        """See `channels.contract.Channel`."""
        return compile_email(content, self._config.sender_domain)

    def open(self, io: ChannelIO, *, connections: int) -> Sender:
        """See `channels.contract.Channel`."""
        return SmtpSender(self._config, _Dialler(self._config, io), connections=min(connections, self._config.connections))

    async def check(self, io: ChannelIO) -> CheckResult:
        """Connect, encrypt, log in and leave."""
        config = self._config
        try:
            session = await _Dialler(config, io)()
        except DialFailed as failure:
            return CheckResult(ok=False, message=failure.outcome.text, hint=_hint(failure, config))
        await session.stream.quit(config.connect_timeout)
        offers = "with" if session.pipelining else "without"
        return CheckResult(ok=True, message=f"{config.host}:{config.port} accepts us, {offers} pipelining")

    async def callback(self, request: InboundRequest) -> Sequence[InboundEvent]:
        """SMTP servers do not call back."""
        raise InboundRejected("the email channel takes no callbacks")


class _Dialler:
    """Makes connections for one account. What TLS needs is read from disk once, and not in the event loop."""

    def __init__(self, config: SmtpConfig, io: ChannelIO) -> None:
        self._config = config
        self._io = io
        self._context: asyncio.Future[ssl.SSLContext | None] | None = None

    async def __call__(self) -> Session:
        if self._context is None:
            self._context = asyncio.ensure_future(asyncio.to_thread(tls_context, self._config))
        return await dial(self._config, self._io, await asyncio.shield(self._context))


def _hint(failure: DialFailed, config: SmtpConfig) -> str:
    if failure.outcome.kind is OutcomeKind.ACCOUNT_ERROR:
        return "Check username, password, security and certificate settings of the account."
    return f"Check that {config.host} is right and that port {config.port} can be reached from here."
