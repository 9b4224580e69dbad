"""Connecting, encryption and login."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import uvloop

from api.cli.sink import Behaviour, Sink, Stage
from channels.contract import EgressRefused, OutcomeKind
from channels.contract.conformance import WAIT, DirectIO, RecordingGate


@pytest.fixture
def server_tls(self_signed: tuple[bytes, bytes], tmp_path: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody has signed."""
    (tmp_path / "key.pem").write_bytes(self_signed[0])
    (tmp_path / "certificate.pem").write_bytes(self_signed[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


async def outcomes(channel: Any, messages: Any, io: DirectIO | None = None) -> set[OutcomeKind]:
    """Send, and tell what became of it."""
    gate = RecordingGate()
    sender = channel.open(io or DirectIO(), connections=3)
    await asyncio.wait_for(sender.send(messages, gate), WAIT)
    await asyncio.wait_for(sender.close(), WAIT)
    assert gate.mistakes == []
    assert gate.settled.keys() == set(range(len(messages)))
    return {outcome.kind for outcome in gate.settled.values()}


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_encrypted_and_logged_in(
    serve: Any, email: Any, batch: Any, kept: Any, server_tls: ssl.SSLContext, security: str
) -> None:
    behaviour = Behaviour(tls=server_tls, implicit_tls=security == "tls", users={"clarion": "sécret"})
    sink = await serve(behaviour)
    messages = batch(40)
    channel = email(sink.port, security=security, username="clarion", password="sécret", verify_certificates=False)
    assert await outcomes(channel, messages) == {OutcomeKind.ACCEPTED}
    assert sorted(message.body for message in kept()) == sorted(message.body for message in messages)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_unknown_certificate_is_a_matter_of_the_account(
    serve: Any, email: Any, batch: Any, server_tls: ssl.SSLContext, security: str
) -> None:
    sink = await serve(Behaviour(tls=server_tls, implicit_tls=security == "tls"))
    channel = email(sink.port, security=security)
    assert await outcomes(channel, batch(5)) == {OutcomeKind.ACCOUNT_ERROR}
    result = await channel.check(DirectIO())
    assert not result.ok
    assert "certificate" in result.message


async def test_no_encryption_where_it_is_asked_for_is_a_matter_of_the_account(
    serve: Any, email: Any, batch: Any, arrived: Any
) -> None:
    sink = await serve()
    assert await outcomes(email(sink.port, security="starttls"), batch(5)) == {OutcomeKind.ACCOUNT_ERROR}
    assert arrived() == []


async def test_a_wrong_password_is_a_matter_of_the_account(serve: Any, email: Any, batch: Any) -> None:
    sink = await serve(Behaviour(users={"clarion": "secret"}))
    channel = email(sink.port, username="clarion", password="guess")
    assert await outcomes(channel, batch(5)) == {OutcomeKind.ACCOUNT_ERROR}
    result = await channel.check(DirectIO())
    assert not result.ok
    assert "guess" not in result.message
    assert result.hint


async def test_a_server_that_wants_a_login_first_is_a_matter_of_the_account(serve: Any, email: Any, batch: Any) -> None:
    sink = await serve(Behaviour(replies={Stage.MAIL: b"530 5.7.0 Authentication required\r\n"}))
    assert await outcomes(email(sink.port), batch(5)) == {OutcomeKind.ACCOUNT_ERROR}


async def test_a_forbidden_address_is_a_matter_of_the_account(email: Any, batch: Any) -> None:
    class Guarded(DirectIO):
        async def connect(self, host: str, port: int, *, timeout: float) -> Any:
            raise EgressRefused(f"{host} is a private address")

    assert await outcomes(email(25), batch(5), Guarded()) == {OutcomeKind.ACCOUNT_ERROR}


async def test_a_name_that_does_not_resolve_is_a_server_that_is_down(email: Any, batch: Any) -> None:
    channel = email(25, host="no-such-host.invalid")
    assert await outcomes(channel, batch(2)) == {OutcomeKind.PROVIDER_DOWN}


async def test_a_check_says_that_all_is_well(serve: Any, email: Any) -> None:
    sink = await serve()
    result = await email(sink.port).check(DirectIO())
    assert result.ok
    assert sink.accepted == 0


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_all_of_it_on_the_loop_of_production(email: Any, batch: Any, server_tls: ssl.SSLContext, security: str) -> None:
    async def run() -> None:
        behaviour = Behaviour(tls=server_tls, implicit_tls=security == "tls", users={"clarion": "secret"})
        sink = Sink(behaviour=behaviour)
        await sink.start()
        login = {"username": "clarion", "password": "secret", "verify_certificates": False}
        messages = batch(200, body=b"Subject: x\r\n\r\n" + b"x" * 100_000 + b"\r\n")
        try:
            assert await outcomes(email(sink.port, security=security, **login), messages) == {OutcomeKind.ACCEPTED}
            assert sink.accepted == 200
        finally:
            await sink.close()

    uvloop.run(run())
