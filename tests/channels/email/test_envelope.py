"""MAIL and RCPT: which parameters, and what is refused without asking the server."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from channels.contract import FailureReason, Outcome, OutcomeKind, OutgoingMessage
from channels.email.dial import Session
from channels.email.envelope import commands
from channels.email.stream import SmtpStream
from render_ext import Identity

FULL = Session(
    stream=cast(SmtpStream, None),
    pipelining=True,
    eight_bit=True,
    utf8=True,
    offers_size=True,
    size=1000,
)
BARE = dataclasses.replace(FULL, eight_bit=False, utf8=False, offers_size=False, size=None)


def message(**changes: Any) -> OutgoingMessage:
    """A message to Ada."""
    given = {"address": "ada@example.org", "sender": "b-1@bounces.example.org", "body": b"\r\nHi\r\n"}
    return OutgoingMessage(identity=Identity(1, 1, 1), reference="<1@x>", **(given | changes))


def test_a_plain_message() -> None:
    mail, rcpt = cast(tuple[bytes, bytes], commands(BARE, message()))
    assert mail == b"MAIL FROM:<b-1@bounces.example.org>\r\n"
    assert rcpt == b"RCPT TO:<ada@example.org>\r\n"


def test_parameters_are_given_where_the_server_knows_them() -> None:
    mail, rcpt = cast(
        tuple[bytes, bytes],
        commands(FULL, message(address="jürgen@example.org", body="\r\nGrüße\r\n".encode())),
    )
    assert mail == b"MAIL FROM:<b-1@bounces.example.org> SIZE=11 BODY=8BITMIME SMTPUTF8\r\n"
    assert rcpt == "RCPT TO:<jürgen@example.org>\r\n".encode()


def test_no_envelope_sender_is_the_empty_path() -> None:
    mail, _ = cast(tuple[bytes, bytes], commands(BARE, message(sender=None)))
    assert mail == b"MAIL FROM:<>\r\n"


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org",
        "o'brien+news@sub.example.org",
        '"john doe"@example.org',
        "a@[192.0.2.1]",
        "x@xn--bcher-kva.example",
    ],
)
def test_addresses_that_pass(address: str) -> None:
    _, rcpt = cast(tuple[bytes, bytes], commands(BARE, message(address=address)))
    assert rcpt == f"RCPT TO:<{address}>\r\n".encode()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "ada@",
        "@example.org",
        "ada@example.org\r\nDATA",
        "ada@example.org\n",
        "ada@example.org> NOTIFY=NEVER",
        "<ada@example.org>",
        "ada@example.org,eve@example.org",
        "ada eve@example.org",
        "ada@exam ple.org",
        "a\x00da@example.org",
        '"a\r\nb"@example.org',
        "a" * 320 + "@example.org",
    ],
)
def test_addresses_that_could_end_the_line_never_reach_the_server(address: str) -> None:
    outcome = commands(FULL, message(address=address))
    assert isinstance(outcome, Outcome)
    assert outcome.kind is OutcomeKind.INVALID_ADDRESS


@pytest.mark.parametrize(
    ("session", "changes", "kind", "reason"),
    [
        (FULL, {"body": b"x" * 1001}, OutcomeKind.TOO_LARGE, FailureReason.TEXT_TOO_LONG),
        (BARE, {"body": b"\xff\r\n"}, OutcomeKind.CONTENT_REJECTED, FailureReason.CHARACTER_NOT_SUPPORTED),
        (BARE, {"address": "jürgen@example.org"}, OutcomeKind.CONTENT_REJECTED, FailureReason.CHARACTER_NOT_SUPPORTED),
        (FULL, {"sender": "b@x.org>\r\nRSET"}, OutcomeKind.ACCOUNT_ERROR, FailureReason.REFUSED),
    ],
)
def test_what_this_server_cannot_take(
    session: Session, changes: dict[str, Any], kind: OutcomeKind, reason: FailureReason
) -> None:
    outcome = commands(session, message(**changes))
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.reason) == (kind, reason)
    assert outcome.code is None, "the server was not asked: such a message was not sent"
