"""Messages over SMTP connections, to good servers and to bad ones."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from api.cli.sink import Behaviour, SinkMessage, Stage
from channels.contract import FailureReason, OutcomeKind
from channels.contract.conformance import WAIT, DirectIO, RecordingGate

KINDS = OutcomeKind
BAD: dict[str, Callable[[Stage], Behaviour]] = {
    "closes": lambda stage: Behaviour(close_at=stage),
    "hangs": lambda stage: Behaviour(hang_at=stage),
}


async def send(channel: Any, messages: Any, gate: RecordingGate | None = None, connections: int = 2) -> Any:
    """Send one batch over a new sender and close it; returns the gate."""
    gate = gate or RecordingGate()
    sender = channel.open(DirectIO(), connections=connections)
    try:
        await asyncio.wait_for(sender.send(messages, gate), WAIT)
    finally:
        await asyncio.wait_for(sender.close(), WAIT)
    assert gate.mistakes == []
    assert gate.most_in_doubt <= connections
    return gate


def kinds(gate: RecordingGate) -> set[OutcomeKind]:
    """The outcomes that occurred."""
    return {outcome.kind for outcome in gate.settled.values()}


# good servers


@pytest.mark.parametrize("pipelining", [True, False])
async def test_messages_arrive_byte_for_byte(
    serve: Any, email: Any, batch: Any, kept: Callable[[], list[SinkMessage]], pipelining: bool
) -> None:
    sink = await serve(Behaviour(pipelining=pipelining))
    messages = batch(50)
    gate = await send(email(sink.port), messages)
    assert gate.accepted() == set(range(50))
    by_id = {message.message_id: message for message in kept()}
    assert len(kept()) == len(by_id) == 50
    for message in messages:
        got = by_id[message.reference]
        assert got.body == message.body
        assert (got.mail_from, got.recipients) == (message.sender, (message.address,))


@pytest.mark.parametrize(
    "body",
    [
        b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nend.\r\n",
        b".starts with a dot\r\n\r\n.\r\n",
        b"Subject: bytes\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n",
        b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 300_000 + b"\r\n",
        b"\r\n",
    ],
    ids=["dots", "first dot", "8 bit", "5 MB", "empty"],
)
async def test_no_body_is_changed(serve: Any, email: Any, batch: Any, kept: Any, body: bytes) -> None:
    sink = await serve()
    gate = await send(email(sink.port), batch(3, body=body))
    assert gate.accepted() == {0, 1, 2}
    assert [message.body for message in kept()] == [body] * 3


async def test_a_body_without_its_last_line_end_gets_one(serve: Any, email: Any, batch: Any, kept: Any) -> None:
    sink = await serve()
    await send(email(sink.port), batch(2, body=b"Subject: x\r\n\r\nno end"))
    assert [message.body for message in kept()] == [b"Subject: x\r\n\r\nno end\r\n"] * 2


async def test_the_id_that_the_provider_gave_is_told(serve: Any, email: Any, batch: Any) -> None:
    sink = await serve(Behaviour(replies={Stage.FINAL: b"250 2.0.0 Ok: queued as 4XyZ1234\r\n"}))
    gate = await send(email(sink.port), batch(1))
    assert gate.settled[0].provider_id == "4XyZ1234"


# recipients that are refused


@pytest.mark.parametrize("empty_data", [False, True], ids=["DATA refused", "DATA welcome"])
@pytest.mark.parametrize("pipelining", [True, False])
async def test_refused_recipients_do_not_harm_their_neighbours(
    serve: Any, email: Any, batch: Any, arrived: Any, pipelining: bool, empty_data: bool
) -> None:
    sink = await serve(Behaviour(pipelining=pipelining, empty_data=empty_data))
    good, bad, full = batch(10), batch(5, to="bounce-{}@example.org"), batch(5, to="full-{}@example.org")
    messages = [good[0], *bad[:2], *good[1:4], full[0], bad[2], *full[1:], *good[4:], *bad[3:]]
    gate = await send(email(sink.port), messages)
    for index, message in enumerate(messages):
        outcome = gate.settled[index]
        if message in good:
            assert outcome.kind is KINDS.ACCEPTED
        elif message in bad:
            assert (outcome.kind, outcome.reason) == (KINDS.INVALID_ADDRESS, FailureReason.USER_UNKNOWN)
            assert outcome.code == "550 5.1.1"
        else:
            assert (outcome.kind, outcome.reason) == (KINDS.TRANSIENT, FailureReason.MAILBOX_FULL)
    assert sorted(arrived()) == sorted(message.address for message in good)
    assert gate.handed == gate.accepted()


async def test_a_message_that_the_server_would_not_take_is_not_sent(serve: Any, email: Any, batch: Any, arrived: Any) -> None:
    sink = await serve(Behaviour(size=10_000, eight_bit=False))
    messages = [
        *batch(1, body=b"Subject: x\r\n\r\n" + b"x" * 10_000 + b"\r\n"),
        *batch(1, body=b"Subject: x\r\n\r\n\xe4\r\n"),
        *batch(1, to="two@example.org> SIZE=1\r\nRCPT TO:<{}@example.org"),
        *batch(2),
    ]
    gate = await send(email(sink.port), messages)
    assert [gate.settled[index].kind for index in range(5)] == [
        KINDS.TOO_LARGE,
        KINDS.CONTENT_REJECTED,
        KINDS.INVALID_ADDRESS,
        KINDS.ACCEPTED,
        KINDS.ACCEPTED,
    ]
    assert len(arrived()) == 2


# servers that refuse


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"554 5.7.1 Service refused\r\n", KINDS.CONTENT_REJECTED),
        (b"452 4.3.1 Insufficient system storage\r\n", KINDS.TRANSIENT),
        (b"451-4.3.0 Try\r\n451 4.3.0 again\r\n", KINDS.TRANSIENT),
        (b"550 5.6.0 Bad content\r\n", KINDS.CONTENT_REJECTED),
        (b"552 5.3.4 Too big\r\n", KINDS.TOO_LARGE),
        (b"what is this\r\n", KINDS.TRANSIENT),
    ],
)
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.FINAL])
@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_server_that_refuses_everyone(
    serve: Any, email: Any, batch: Any, arrived: Any,
    pipelining: bool, stage: Stage, reply: bytes, expected: OutcomeKind,
) -> None:  # fmt: skip
    sink = await serve(Behaviour(pipelining=pipelining, replies={stage: reply}))
    gate = await send(email(sink.port), batch(12))
    assert gate.settled.keys() == set(range(12))
    if stage is Stage.FINAL and not reply[:1].isdigit():
        expected = KINDS.UNKNOWN  # no answer at all, and perhaps the server has the message
    assert kinds(gate) == {expected}
    assert gate.handed == (set(range(12)) if stage is Stage.FINAL else set())
    assert arrived() == []


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.FINAL])
async def test_421_to_everyone_ends_without_a_message_in_doubt(
    serve: Any, email: Any, batch: Any, arrived: Any, stage: Stage
) -> None:
    sink = await serve(Behaviour(replies={stage: b"421 4.3.2 Shutting down\r\n"}))
    gate = await send(email(sink.port), batch(12))
    assert gate.settled.keys() == set(range(12))
    assert kinds(gate) == {KINDS.TRANSIENT, KINDS.PROVIDER_DOWN}
    assert sink.connections <= 6
    assert arrived() == []


async def test_421_after_some_messages_is_followed_by_another_connection(
    serve: Any, email: Any, batch: Any, arrived: Any
) -> None:
    sink = await serve(Behaviour(goodbye_after=3))
    gate = await send(email(sink.port), batch(40))
    assert gate.accepted() == set(range(40))
    assert len(arrived()) == 40
    assert sink.connections >= 13


# servers that leave or hang


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY])
@pytest.mark.parametrize("way", ["closes", "hangs"])
async def test_before_its_end_is_sent_a_message_is_never_in_doubt(
    serve: Any, email: Any, batch: Any, arrived: Any, way: str, stage: Stage, pipelining: bool
) -> None:
    sink = await serve(dataclasses.replace(BAD[way](stage), pipelining=pipelining, well_for=5))
    channel = email(sink.port, reply_timeout=0.2, final_timeout=0.2)
    gate = await send(channel, batch(20, body=b"Subject: x\r\n\r\n" + b"x" * 3_000_000 + b"\r\n"))
    assert gate.settled.keys() == set(range(20))
    assert kinds(gate) <= {KINDS.ACCEPTED, KINDS.TRANSIENT, KINDS.PROVIDER_DOWN, KINDS.UNKNOWN}
    if stage is not Stage.BODY:  # a body that is not read may have been sent to its end, or not
        assert KINDS.UNKNOWN not in kinds(gate)
    assert len(arrived()) == len(gate.accepted()) >= 5


@pytest.mark.parametrize("way", ["closes", "hangs"])
async def test_a_lost_answer_leaves_one_message_per_connection_unknown(
    serve: Any, email: Any, batch: Any, arrived: Any, way: str
) -> None:
    sink = await serve(dataclasses.replace(BAD[way](Stage.FINAL), well_for=10))
    gate = await send(email(sink.port, final_timeout=0.2), batch(30), connections=3)
    assert gate.settled.keys() == set(range(30))
    unknown = {index for index, outcome in gate.settled.items() if outcome.kind is KINDS.UNKNOWN}
    assert 1 <= len(unknown) <= sink.connections
    assert {f"person{index}@example.org" for index in gate.accepted() | unknown} == set(arrived())
    assert gate.handed == gate.accepted() | unknown


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced(
    serve: Any, email: Any, batch: Any, arrived: Any
) -> None:
    sink = await serve()
    sender = email(sink.port).open(DirectIO(), connections=2)
    first, second = RecordingGate(), RecordingGate()
    await sender.send(batch(10), first)
    await sink.close()
    again = await serve(port=sink.port)
    await asyncio.wait_for(sender.send(batch(10), second), WAIT)
    await sender.close()
    assert first.accepted() == second.accepted() == set(range(10))
    assert again.accepted == 10
    assert len(arrived()) == 20


# the gate


async def test_messages_held_back_cost_no_connection_each(serve: Any, email: Any, batch: Any, arrived: Any) -> None:
    sink = await serve()
    gate = await send(email(sink.port), batch(60), RecordingGate(refuse=set(range(10, 60))))
    assert gate.accepted() == set(range(10))
    assert len(arrived()) == 10
    assert sink.connections <= 4
