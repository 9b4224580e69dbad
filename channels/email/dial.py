"""Setting up a connection: socket, greeting, EHLO, TLS and login. aiosmtplib does the talking."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiosmtplib

from channels.contract import ChannelIO, EgressRefused, FailureReason, Outcome, OutcomeKind
from channels.email.config import Security, SmtpConfig
from channels.email.replies import shorten
from channels.email.stream import SmtpStream
from render_ext import DkimSigner

if TYPE_CHECKING:
    from channels.email.archive import Archive


class DialFailed(Exception):
    """No connection. `outcome` is what it means for the messages that wanted it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


@dataclass(slots=True, kw_only=True)
class Session:
    """A connection on which messages can be sent, and what its server offers."""

    stream: SmtpStream
    pipelining: bool
    eight_bit: bool
    utf8: bool
    offers_size: bool
    size: int | None  # the largest message it takes, where it says so
    dsn: bool = False  # it lets us say which bounces we want
    signer: DkimSigner | None = None  # of the messages that go over it
    archive: Archive | None = None  # which gets copies of them


async def dial(config: SmtpConfig, io: ChannelIO, context: ssl.SSLContext | None) -> Session:
    """Connect as the account says. Raises DialFailed."""
    try:
        async with asyncio.timeout(config.connect_timeout):
            return await _dial(config, io, context)
    except TimeoutError as error:
        raise _failed(OutcomeKind.PROVIDER_DOWN, f"no connection within {config.connect_timeout:g} s") from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise DialFailed(_meaning(error)) from error


def tls_context(config: SmtpConfig) -> ssl.SSLContext | None:
    """What TLS needs; slow (reads the system's certificates), made once per sender. Raises OSError."""
    if config.security is Security.NONE:
        return None
    context = ssl.create_default_context()
    if not config.verify_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _dial(config: SmtpConfig, io: ChannelIO, context: ssl.SSLContext | None) -> Session:
    connected = await io.connect(config.host, config.port, timeout=config.connect_timeout)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = aiosmtplib.SMTP(
        hostname=config.host,
        port=None,
        sock=connected,
        username=config.username,
        password=config.password,
        local_hostname=config.helo_name,
        use_tls=config.security is Security.TLS,
        start_tls=config.security is Security.STARTTLS,
        tls_context=context,
        timeout=config.connect_timeout,
    )
    try:
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await _say_hello(client)
    except BaseException:
        client.close()
        connected.close()
        raise
    assert client.transport is not None
    return _session(client, client.transport)


async def _say_hello(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


def _session(client: aiosmtplib.SMTP, transport: asyncio.BaseTransport) -> Session:
    assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
    size = client.esmtp_extensions.get("size", "")
    return Session(
        stream=SmtpStream(transport),  # type: ignore[arg-type]  # TLS transports are no asyncio.Transport by type
        pipelining=client.supports_extension("pipelining"),
        eight_bit=client.supports_extension("8bitmime"),
        utf8=client.supports_extension("smtputf8"),
        dsn=client.supports_extension("dsn"),
        offers_size=client.supports_extension("size"),
        size=int(size) if size.isdigit() and int(size) else None,
    )


def _meaning(error: Exception) -> Outcome:
    """What a failure to connect means: the account is wrong, or the server is away."""
    if isinstance(error, EgressRefused):
        return _outcome(OutcomeKind.ACCOUNT_ERROR, str(error))
    if isinstance(error, aiosmtplib.SMTPResponseException):
        account = isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= 500
        account = account or error.code in (530, 534, 535, 538)
        kind = OutcomeKind.ACCOUNT_ERROR if account else OutcomeKind.PROVIDER_DOWN
        return _outcome(kind, error.message, str(error.code))
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _outcome(OutcomeKind.ACCOUNT_ERROR, f"certificate not accepted: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, ValueError) or type(error) is aiosmtplib.SMTPException:
        return _outcome(OutcomeKind.ACCOUNT_ERROR, str(error))  # such as STARTTLS or AUTH not offered
    return _outcome(OutcomeKind.PROVIDER_DOWN, str(error) or type(error).__name__)


def refused_settings(problem: str) -> DialFailed:
    """No connection is tried: the account's settings cannot be used."""
    return DialFailed(_outcome(OutcomeKind.ACCOUNT_ERROR, problem))


def _outcome(kind: OutcomeKind, text: str, code: str | None = None) -> Outcome:
    return Outcome(kind=kind, reason=FailureReason.UNREACHABLE, code=code, text=shorten(text))


def _failed(kind: OutcomeKind, text: str) -> DialFailed:
    return DialFailed(_outcome(kind, text))
