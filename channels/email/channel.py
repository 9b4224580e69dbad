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
    ConfigProblem,
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
from channels.email.archive import Archive, BadArchiveAddress, archive_refusal, archive_setting_problem, check_archive_address
from channels.email.config import CONFIG_FIELDS, SmtpConfig
from channels.email.dial import DialFailed, Session, dial, refused_settings, tls_context
from channels.email.pool import SmtpSender
from channels.email.program import compile_email
from channels.email.signing import BadDkimSetting, dkim_keys, dkim_signer, dns_records
from render_ext import BadDkimKey, DkimSigner
from render_ext.email import DOMAIN

_DKIM_HINT = "Check the DKIM settings of the account: a selector and its private key go together."
_CONTENT = (
    ContentField(name="subject", required=True, description="Subject line."),
    ContentField(name="preheader", description="What mail programs show beside the subject in their lists."),
    ContentField(name="html", description="The message as HTML."),
    ContentField(name="text", description="The message as plain text; made from the HTML when left out."),
    ContentField(name="from_name", description="Name of the sender.", template=False),
    ContentField(name="from_address", required=True, description="Address of the sender.", template=False),
    ContentField(name="reply_to", description="Address for answers.", template=False),
    ContentField(name="to_name", description="Name of the recipient in To."),
    ContentField(name="headers", description="Further header fields, one `name: value` per line."),
    ContentField(name="feedback_id", description="Gmail's Feedback-ID: campaign:customer:type:sender."),
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
        limits=Limits(concurrency=20, attachments=20),
    )

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = SmtpConfig.from_mapping(config)

    def compile(self, content: MessageContent) -> Program:
        """See `channels.contract.Channel`."""
        return compile_email(content, self._config.sender_domain)

    def open(self, io: ChannelIO, *, connections: int) -> Sender:
        """See `channels.contract.Channel`."""
        return SmtpSender(self._config, _Dialler(self._config, io), connections=min(connections, self._config.connections))

    def config_problems(self) -> Sequence[ConfigProblem]:
        """Whether bounces find us, copies can be asked for and the DKIM keys can sign. See `channels.contract.Validating`."""
        problems = []
        if DOMAIN.fullmatch(self._config.sender_domain) is None:
            problems.append(ConfigProblem(field="sender_domain", message="not a domain name in ASCII"))
        if (archive := archive_setting_problem(self._config.archive_address)) is not None:
            problems.append(archive)
        try:
            dkim_keys(self._config)
        except BadDkimSetting as error:
            problems.append(ConfigProblem(field=error.setting, message=error.problem, hint=_DKIM_HINT))
        return problems

    async def check(self, io: ChannelIO) -> CheckResult:
        """Look at the DKIM keys, connect, encrypt, log in, ask for the archive address and leave."""
        config = self._config
        try:
            records = await asyncio.to_thread(dns_records, config)
        except BadDkimKey as error:
            return CheckResult(ok=False, message=str(error), hint=_DKIM_HINT)
        try:
            session = await _Dialler(config, io)()
        except DialFailed as failure:
            return CheckResult(ok=False, message=failure.outcome.text, hint=_hint(failure, config))
        refusal = await archive_refusal(session, f"postmaster@{config.sender_domain}", config.reply_timeout)
        await session.stream.quit(config.connect_timeout)
        if refusal is not None:
            message = f"the server refuses the archive address: {refusal}"
            return CheckResult(ok=False, message=message, hint="Check archive_address; messages go out without copies.")
        offers = "with" if session.pipelining else "without"
        signs = f"; signs with DKIM, for which DNS must say: {'; '.join(records)}" if records else ""
        return CheckResult(ok=True, message=f"{config.host}:{config.port} accepts us, {offers} pipelining{signs}")

    async def callback(self, request: InboundRequest) -> Sequence[InboundEvent]:
        """SMTP servers do not call back."""
        raise InboundRejected("the email channel takes no callbacks")


class _Dialler:
    """Makes connections for one account. What they need is read and checked once, and not in the event loop."""

    def __init__(self, config: SmtpConfig, io: ChannelIO) -> None:
        self._config = config
        self._io = io
        self._archive = None if config.archive_address is None else Archive(config.archive_address, io)
        self._prepared: asyncio.Future[tuple[ssl.SSLContext | None, DkimSigner | None]] | None = None

    async def __call__(self) -> Session:
        if self._prepared is None:
            self._prepared = asyncio.ensure_future(asyncio.to_thread(_prepare, self._config))
        try:
            context, signer = await asyncio.shield(self._prepared)
        except (BadDkimKey, BadArchiveAddress) as error:
            raise refused_settings(str(error)) from None
        session = await dial(self._config, self._io, context)
        session.signer = signer
        session.archive = self._archive
        return session


def _prepare(config: SmtpConfig) -> tuple[ssl.SSLContext | None, DkimSigner | None]:
    check_archive_address(config.archive_address)
    return tls_context(config), dkim_signer(config)


def _hint(failure: DialFailed, config: SmtpConfig) -> str:
    if failure.outcome.kind is OutcomeKind.ACCOUNT_ERROR:
        return "Check username, password, security and certificate settings of the account."
    return f"Check that {config.host} is right and that port {config.port} can be reached from here."
