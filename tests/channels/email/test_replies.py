"""What refusals mean: a table of replies captured from real servers, and the rules behind it.

`captured/replies.csv`: one reply a line; `|` stands between the lines of a reply, addresses are replaced.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.contract import FailureReason, OutcomeKind
from channels.email.replies import LONGEST_TEXT, Stage, accepted, classify, parse

CAPTURED = Path(__file__).parent / "captured" / "replies.csv"


def captured() -> list[tuple[str, Stage, str, str, bytes]]:
    """The table."""
    with CAPTURED.open(newline="") as file:
        return [
            (
                row["server"],
                Stage(row["stage"]),
                row["outcome"],
                row["reason"],
                row["reply"].replace("|", "\r\n").encode(),
            )
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(
    ("server", "stage", "outcome", "reason", "reply"),
    captured(),
    ids=[f"{row[0]}: {row[4].decode()[:60]}" for row in captured()],
)
def test_captured_replies(server: str, stage: Stage, outcome: str, reason: str, reply: bytes) -> None:
    got = classify(reply, stage)
    scope = f"/{got.scope}" if got.scope else ""
    assert f"{got.kind}{scope}" == outcome
    assert got.reason is FailureReason[reason]
    assert got.code is not None
    assert got.code.startswith(reply[:3].decode())
    assert got.text


@settings(deadline=None)
@given(
    st.sampled_from([Stage.RCPT, Stage.DATA, Stage.FINAL]),
    st.integers(2, 7).filter(lambda subject: subject != 1),
    st.integers(0, 30),
    st.sampled_from(["User unknown", "No such user here", "Mailbox does not exist", "Domain not found", ""]),
)
def test_only_addressing_codes_blame_the_address(stage: Stage, subject: int, detail: int, text: str) -> None:
    outcome = classify(f"550 5.{subject}.{detail} {text}".encode(), stage)
    assert outcome.kind is not OutcomeKind.INVALID_ADDRESS


@settings(deadline=None)
@given(st.integers(400, 499), st.integers(0, 7), st.integers(0, 30), st.text(max_size=60))
def test_no_temporary_reply_is_final(code: int, subject: int, detail: int, text: str) -> None:
    outcome = classify(f"{code} 4.{subject}.{detail} {text}".encode(), Stage.RCPT)
    assert outcome.kind in (OutcomeKind.TRANSIENT, OutcomeKind.RATE_LIMITED)


@settings(deadline=None)
@given(st.binary(max_size=2000), st.sampled_from(list(Stage)))
def test_any_bytes_are_classified(reply: bytes, stage: Stage) -> None:
    outcome = classify(reply, stage)
    assert outcome.kind is not OutcomeKind.ACCEPTED
    assert len(outcome.text) <= LONGEST_TEXT


@settings(deadline=None)
@given(st.integers(500, 599), st.text(max_size=60))
def test_a_refusal_of_the_sender_never_blames_the_recipient(code: int, text: str) -> None:
    outcome = classify(f"{code} 5.1.1 {text}".encode(), Stage.MAIL)
    assert outcome.kind is not OutcomeKind.INVALID_ADDRESS


def test_a_reply_of_several_lines_is_read_as_one() -> None:
    reply = parse(b"550-5.1.1 The email account that you tried\r\n550 5.1.1 to reach does not exist.")
    assert (reply.code, reply.status) == (550, (5, 1, 1))
    assert reply.text == "The email account that you tried to reach does not exist."


@pytest.mark.parametrize(
    ("reply", "identifier"),
    [
        (b"250 2.0.0 Ok: queued as 4XyZ123abc", "4XyZ123abc"),
        (b"250 2.0.0 OK: queued as <2026.abc@mx.example.org>", "2026.abc@mx.example.org"),
        (
            b"250 Ok 0102018abcd12345-9876fedc-0000-4000-8000-000000000000-000000",
            "0102018abcd12345-9876fedc-0000-4000-8000-000000000000-000000",
        ),
        (b"250 OK", None),
        (b"250 2.0.0 Message accepted for delivery", None),
    ],
)
def test_the_id_of_an_accepted_message(reply: bytes, identifier: str | None) -> None:
    outcome = accepted(reply)
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert outcome.provider_id == identifier
