"""Hidden copies to an archive: the same bytes, of accepted messages only, and never at a recipient's expense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from api.cli.sink import Behaviour, SinkMessage, Stage
from api.cli.sink.behaviour import RULES, Rule
from channels.contract import OutcomeKind, OutgoingMessage
from channels.contract.conformance import WAIT, DirectIO, RecordingGate
from channels.email.archive import REFUSED, Archive
from channels.email.dial import Session

ARCHIVE = "archive@shop.example"
REFUSED_ARCHIVE = "full-archive@shop.example"


async def send(channel: Any, messages: list[OutgoingMessage], connections: int = 2) -> tuple[RecordingGate, DirectIO]:
    """Send one batch over a new sender and close it."""
    gate, io = RecordingGate(), DirectIO()
    sender = channel.open(io, connections=connections)
    try:
        await asyncio.wait_for(sender.send(messages, gate), WAIT)
    finally:
        await asyncio.wait_for(sender.close(), WAIT)
    assert gate.mistakes == []
    assert gate.most_in_doubt <= connections
    return gate, io


Kept = Callable[[], list[SinkMessage]]


@pytest.mark.parametrize("pipelining", [True, False])
async def test_the_archive_gets_the_same_bytes(serve: Any, email: Any, batch: Any, kept: Kept, pipelining: bool) -> None:
    sink = await serve(Behaviour(pipelining=pipelining))
    messages = batch(40)
    gate, io = await send(email(sink.port, archive_address=ARCHIVE), messages)
    assert gate.accepted() == set(range(40))
    by_id = {message.message_id: message for message in kept()}
    for message in messages:
        got = by_id[message.reference]
        assert (got.body, got.mail_from, got.recipients) == (message.body, message.sender, (message.address, ARCHIVE))
        assert ARCHIVE.encode() not in got.body
    assert not io.counts


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("empty_data", [True, False])
async def test_what_is_refused_is_not_copied(
    serve: Any, email: Any, batch: Any, kept: Kept, pipelining: bool, empty_data: bool
) -> None:
    sink = await serve(Behaviour(pipelining=pipelining, empty_data=empty_data))
    messages = [*batch(3, to="bounce-{}@example.org"), *batch(3), *batch(2, to="later-{}@example.org"), *batch(2)]
    gate, _ = await send(email(sink.port, archive_address=ARCHIVE), messages, connections=1)
    assert gate.accepted() == {3, 4, 5, 8, 9}
    assert {gate.settled[number].kind for number in (0, 1, 2)} == {OutcomeKind.INVALID_ADDRESS}
    assert sorted(message.recipients for message in kept()) == sorted((messages[n].address, ARCHIVE) for n in (3, 4, 5, 8, 9))


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.DATA])
async def test_nothing_is_copied_where_the_server_wants_no_message(
    serve: Any, email: Any, batch: Any, kept: Kept, stage: Stage
) -> None:
    sink = await serve(Behaviour(replies={stage: b"554 5.7.1 No spam please\r\n"}))
    gate, _ = await send(email(sink.port, archive_address=ARCHIVE), batch(4))
    assert {outcome.kind for outcome in gate.settled.values()} == {OutcomeKind.CONTENT_REJECTED}
    assert kept() == []


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_refused_archive_keeps_nothing_from_its_recipient(
    serve: Any, email: Any, batch: Any, kept: Kept, pipelining: bool
) -> None:
    sink = await serve(Behaviour(pipelining=pipelining))
    messages = [*batch(6), *batch(1, to="bounce-{}@example.org")]
    gate, io = await send(email(sink.port, archive_address=REFUSED_ARCHIVE), messages, connections=1)
    assert gate.accepted() == set(range(6))
    assert {message.recipients for message in kept()} == {(message.address,) for message in messages[:6]}
    assert io.counts == {REFUSED: 6}
    assert io.lines == ["the server refuses the archive address code=452 4.2.2"]


async def test_the_archive_s_own_mail_comes_once(serve: Any, email: Any, batch: Any, arrived: Callable[[], list[str]]) -> None:
    sink = await serve()
    await send(email(sink.port, archive_address=ARCHIVE), batch(1, to="Archive@shop.example"))
    assert arrived() == ["Archive@shop.example"]


@pytest.mark.parametrize("well_for", [0, 3])
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.BODY, Stage.FINAL])
async def test_a_server_that_leaves_copies_nothing_twice(
    serve: Any, email: Any, batch: Any, arrived: Callable[[], list[str]], stage: Stage, well_for: int
) -> None:
    sink = await serve(Behaviour(close_at=stage, well_for=well_for))
    gate, _ = await send(email(sink.port, archive_address=ARCHIVE), batch(8), connections=1)
    assert len(gate.settled) == 8
    everyone = arrived()
    assert len(everyone) == len(set(everyone) - {ARCHIVE}) + everyone.count(ARCHIVE)
    assert everyone.count(ARCHIVE) == len(set(everyone) - {ARCHIVE}) >= len(gate.accepted())


async def test_an_archive_whose_answer_ends_the_connection_costs_one_attempt(
    serve: Any, email: Any, batch: Any, kept: Kept
) -> None:
    rule = Rule(prefix=b"archive", reply=b"421 4.3.2 Shutting down\r\n")
    sink = await serve(Behaviour(rules=(rule, *RULES)))
    gate, io = await send(email(sink.port, archive_address=ARCHIVE), batch(5), connections=1)
    assert gate.settled[0].kind is OutcomeKind.TRANSIENT
    assert gate.accepted() == {1, 2, 3, 4}
    assert [message.recipients for message in kept()] == [(f"person{n}@example.org",) for n in range(1, 5)]
    assert io.counts == {REFUSED: 5}
    assert len(io.lines) == 1


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_server_that_leaves_without_an_answer_at_the_archive_keeps_nothing_from_others(
    serve: Any, email: Any, batch: Any, kept: Kept, pipelining: bool
) -> None:
    sink = await serve(Behaviour(rules=(Rule(prefix=b"archive", reply=b""), *RULES), pipelining=pipelining))
    gate, io = await send(email(sink.port, archive_address=ARCHIVE, reply_timeout=0.2), batch(5), connections=1)
    assert gate.settled[0].kind is OutcomeKind.TRANSIENT
    assert gate.accepted() == {1, 2, 3, 4}
    assert [message.recipients for message in kept()] == [(f"person{n}@example.org",) for n in range(1, 5)]
    assert io.counts == {REFUSED: 5}
    assert io.lines == ["the server refuses the archive address code=no answer"]


async def test_a_check_tells_that_the_archive_is_refused(serve: Any, email: Any, kept: Kept) -> None:
    sink = await serve()
    assert (await email(sink.port, archive_address=ARCHIVE).check(DirectIO())).ok
    result = await email(sink.port, archive_address=REFUSED_ARCHIVE).check(DirectIO())
    assert not result.ok
    assert "refuses the archive address: 452 4.2.2" in result.message
    assert "without copies" in str(result.hint)
    assert kept() == []


@pytest.mark.parametrize("address", ["archive", "a@b\r\nDATA", "ärchiv@shop.example", "a b@shop.example"])
async def test_a_setting_that_is_no_address(serve: Any, email: Any, batch: Any, kept: Kept, address: str) -> None:
    sink = await serve()
    channel = email(sink.port, archive_address=address)
    assert [problem.field for problem in channel.config_problems()] == ["archive_address"]
    result = await channel.check(DirectIO())
    assert (result.ok, result.message) == (False, "archive_address is not an email address in ASCII")
    gate, _ = await send(channel, batch(2))
    assert {outcome.kind for outcome in gate.settled.values()} == {OutcomeKind.ACCOUNT_ERROR}
    assert kept() == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("{{profile.id}}@shop.example", "one address for all"),
        ("a{%raw%}@shop.example", "one address for all"),
        ("archive@shop..example", "no domain"),
        ("archive@{{domain}}", "one address for all"),
        ("archive@shop_.example", "no domain"),
        ("archive@shop.example", None),
        ('"a b"@shop.example', None),
        ("archive@[192.0.2.1]", None),
        ("archive@localhost", None),
    ],
)
def test_an_account_gets_no_archive_that_no_copy_can_reach(email: Any, address: str, told: str | None) -> None:
    problems = [(one.field, one.message) for one in email(25, archive_address=address).config_problems()]
    assert [field for field, _ in problems] == ([] if told is None else ["archive_address"])
    assert told is None or told in problems[0][1]


def test_an_account_needs_a_domain_that_bounces_come_to(email: Any) -> None:
    for domain in ("mail_shop.example", "näws.example", "{{ x }}", "a@b.example", "-x.example"):
        assert [one.field for one in email(25, sender_domain=domain).config_problems()] == ["sender_domain"]


def test_no_bounce_of_a_copy_is_asked_for_where_the_server_can_be_told() -> None:
    def command(dsn: bool) -> bytes:
        stream: Any = None
        session = Session(
            stream=stream, pipelining=True, eight_bit=True, utf8=True, offers_size=True, size=None, dsn=dsn
        )  # fmt: skip
        return Archive(ARCHIVE, DirectIO()).command(session)

    assert command(dsn=False) == b"RCPT TO:<archive@shop.example>\r\n"
    assert command(dsn=True) == b"RCPT TO:<archive@shop.example> NOTIFY=NEVER\r\n"
