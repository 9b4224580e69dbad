"""DKIM of an account: what arrives is signed, what is rendered is not, and what cannot sign is told."""

from __future__ import annotations

import asyncio
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

import render_ext.dkim
from channels.contract import OutcomeKind, OutgoingMessage
from channels.contract.conformance import WAIT, DirectIO, RecordingGate, Subject, messages
from channels.email import EmailChannel
from channels.email.config import SmtpConfig
from channels.email.signing import dkim_keys, dkim_signer, dns_records
from core.channel_registry import check_config
from tests.channels.email.test_channel import PARTS


def pem(private: Any) -> str:
    """A private key as text."""
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    text: bytes = private.private_bytes(serialization.Encoding.PEM, form, plain)
    return text.decode()


PUBLIC = {"dkim_domain": "example.org", "dkim_selector": "ed", "dkim_selector_2": "rsa"}
SECRET = {
    "dkim_private_key": pem(ed25519.Ed25519PrivateKey.generate()),
    "dkim_private_key_2": pem(rsa.generate_private_key(65537, 2048)),
}


def rendered(config: dict[str, Any], count: int = 1) -> list[OutgoingMessage]:
    """Messages as the account's programs make them."""
    return messages(Subject(channel=EmailChannel, config=config, parts=PARTS, arrived=list), count)


async def sent(config: dict[str, Any], batch: list[OutgoingMessage]) -> RecordingGate:
    """The gate of a batch sent through the account."""
    gate = RecordingGate()
    sender = EmailChannel(config).open(DirectIO(), connections=2)
    await asyncio.wait_for(sender.send(batch, gate), WAIT)
    await sender.close()
    assert gate.mistakes == []
    return gate


def verifies(config: dict[str, Any], message: bytes, index: int) -> bool:
    """What a verifier says that finds the account's keys in DNS."""
    keys = dkim_keys(SmtpConfig.from_mapping(config))
    records = {f"{name}.": value.encode() for name, value in (key.dns_record() for key in keys)}
    return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=lambda name, timeout=5: records.get(name.decode())))


async def test_what_arrives_is_signed_and_what_is_rendered_is_not(serve: Any, email_config: Any, kept: Any) -> None:
    sink = await serve()
    config = email_config(sink.port, **PUBLIC, **SECRET)
    batch = rendered(config, 6)
    assert batch == rendered(email_config(sink.port, **PUBLIC), 6)  # a stored program has no secrets
    assert batch == rendered(email_config(sink.port), 6)
    assert (await sent(config, batch)).accepted() == set(range(6))
    bare = {message.reference: message.body for message in batch}
    for message in kept():
        assert message.body.endswith(b"\r\n" + bare[message.message_id])
        assert verifies(config, message.body, 0)
        assert verifies(config, message.body, 1)


async def test_another_attempt_sends_the_same_bytes(serve: Any, email_config: Any, kept: Any) -> None:
    sink = await serve()
    config = email_config(sink.port, **PUBLIC, **SECRET)
    for _ in range(2):
        await sent(config, rendered(config))
    first, second = kept()
    assert first.body == second.body


async def test_one_key_for_the_sender_domain(serve: Any, email_config: Any, kept: Any) -> None:
    sink = await serve()
    config = email_config(sink.port, dkim_selector="ed", dkim_private_key=SECRET["dkim_private_key"])
    await sent(config, rendered(config))
    (message,) = kept()
    assert b"d=bounces.example.org;" in message.body
    assert verifies(config, message.body, 0)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (PUBLIC, "dkim_private_key: is missing, and dkim_selector is set"),
        (SECRET, "dkim_selector: is missing, and dkim_private_key is set"),
        (PUBLIC | SECRET | {"dkim_private_key_2": "a secret"}, "dkim_private_key_2: not a private key in PEM"),
        (PUBLIC | SECRET | {"dkim_selector_2": "ED"}, "dkim_selector_2: the other key has the selector 'ED' already"),
        (PUBLIC | SECRET | {"dkim_domain": "no domain"}, "dkim_domain: not a domain that can sign: 'no domain'"),
        (PUBLIC | SECRET | {"dkim_selector": "a_b"}, "dkim_selector: not a DKIM selector: 'a_b'"),
    ],
)
async def test_settings_that_cannot_sign(
    settings: dict[str, str], problem: str, serve: Any, email_config: Any, arrived: Any
) -> None:
    sink = await serve()
    config = email_config(sink.port, **settings)
    gate = await sent(config, rendered(config, 3))
    assert arrived() == []
    assert {outcome.kind for outcome in gate.settled.values()} == {OutcomeKind.ACCOUNT_ERROR}
    result = await EmailChannel(config).check(DirectIO())
    assert not result.ok
    assert (result.hint or "").startswith("Check the DKIM settings of the account")
    (told,) = EmailChannel(config).config_problems()
    assert problem in f"{told.field}: {told.message}"
    for text in (gate.settled[0].text, result.message):
        assert problem in text
        assert "secret" not in text


def test_a_key_is_read_once(email_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    load = render_ext.dkim.load

    def noted(key: str) -> Any:
        read.append(key)
        return load(key)

    monkeypatch.setattr(render_ext.dkim, "load", noted)
    config = SmtpConfig.from_mapping(email_config(25, **PUBLIC, **SECRET))
    assert len(dns_records(config)) == 2
    assert sorted(read) == sorted(SECRET.values())
    read.clear()
    assert dkim_signer(config) is not None
    assert sorted(read) == sorted(SECRET.values())


def test_settings_that_can_sign_and_none_at_all_have_no_problems(email_config: Any) -> None:
    for settings in ({}, PUBLIC | SECRET):
        assert EmailChannel(email_config(25, **settings)).config_problems() == []


async def test_the_check_tells_what_dns_must_say(serve: Any, email_config: Any) -> None:
    sink = await serve()
    config = email_config(sink.port, **PUBLIC, **SECRET)
    result = await EmailChannel(config).check(DirectIO())
    assert result.ok
    assert 'ed._domainkey.example.org TXT "v=DKIM1; k=ed25519; p=' in result.message
    assert 'rsa._domainkey.example.org TXT "v=DKIM1; k=rsa; p=' in result.message


async def test_a_message_that_cannot_be_signed_harms_no_other(serve: Any, email_config: Any, arrived: Any) -> None:
    sink = await serve()
    config = email_config(sink.port, **PUBLIC, **SECRET)
    batch = rendered(config, 3)
    odd = OutgoingMessage(identity=batch[1].identity, address="x@example.org", body=b"no header\r\n", reference="<x>")
    gate = await sent(config, [batch[0], odd, batch[2]])
    assert gate.accepted() == {0, 2}
    assert gate.settled[1].kind is OutcomeKind.CONTENT_REJECTED
    assert "not signed with DKIM" in gate.settled[1].text
    assert sorted(arrived()) == sorted([batch[0].address, batch[2].address])


def test_keys_are_stored_as_secrets(email_config: Any) -> None:
    checked = check_config(EmailChannel.manifest, email_config(25, **PUBLIC, **SECRET))
    assert checked.secrets == SECRET
    assert "PRIVATE" not in repr(SmtpConfig.from_mapping(email_config(25, **PUBLIC, **SECRET)))
