"""The tests that every channel plugin must pass. A plugin's own tests subclass `ChannelConformance`:

    class TestMyChannel(ChannelConformance):
        @pytest.fixture
        async def subject(self):
            async with my_fake_provider() as provider:
                yield Subject(channel=MyChannel, config={…}, parts={…}, arrived=provider.addresses)

Needs pytest and pytest-asyncio (`asyncio_mode = "auto"`); nothing else of the platform and no database.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.contract import (
    CONTRACT_VERSION,
    Channel,
    ConfigField,
    ConfigType,
    InboundRejected,
    InboundRequest,
    MessageAttachment,
    MessageContent,
    OutcomeKind,
    OutgoingMessage,
    Polling,
    Program,
    RecipientRow,
    Sender,
    Validating,
)
from channels.contract.stand_ins import DirectIO, NoNetwork, RecordingGate
from render_ext import Identity, TokenKey, TokenSigner

__all__ = [
    "WAIT",
    "ChannelConformance",
    "DirectIO",
    "NoNetwork",
    "RecordingGate",
    "Subject",
    "compile_program",
    "messages",
    "opened",
    "recipients",
]

WAIT = 20.0  # seconds after which something is taken to hang
_PATIENCE = 0.1  # seconds in which a message that must not arrive would arrive


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A plugin under test with a provider that accepts everything."""

    channel: type[Channel]
    config: Mapping[str, Any]  # complete, as the platform would give it
    parts: Mapping[str, str]  # content; may read `{{ name }}` and `{{ number }}`
    arrived: Callable[[], Sequence[str]]  # addresses the provider has got a message for, with repeats
    address: Callable[[int], str] = field(default=lambda number: f"person{number}@example.org")
    network: bool = True  # it reaches its provider through `io.connect`
    tell: Callable[[int], None] | None = None  # so many more pieces of news at the provider, for channels with `poll`


def compile_program(subject: Subject, attachments: tuple[MessageAttachment, ...] = ()) -> Program:
    """The subject's content, as the platform would have it compiled."""
    key = TokenKey(1, bytes(range(32)))
    content = MessageContent(
        parts=subject.parts,
        tracked=False,
        date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        seed="conformance",
        signer=TokenSigner("https://tracking.example.org", key),
        attachments=attachments,
    )
    return subject.channel(subject.config).compile(content)


def recipients(subject: Subject, count: int) -> list[RecipientRow]:
    """Different people, some with names that need care."""
    names = ("Ada", "José Ñandú", "O'Brien & Søn <x>", "李小龙", "נועה", "🦊 Fox", "")
    return [
        RecipientRow(
            address=subject.address(number),
            identity=Identity(7, 1, number + 1),
            values={"name": names[number % len(names)], "number": number},
        )
        for number in range(count)
    ]


def messages(subject: Subject, count: int) -> list[OutgoingMessage]:
    """Rendered messages for `count` people."""
    rendered = compile_program(subject).render(recipients(subject, count))
    return [message for message in rendered if isinstance(message, OutgoingMessage)]


@asynccontextmanager
async def opened(subject: Subject, connections: int = 3, io: DirectIO | None = None) -> AsyncIterator[Sender]:
    """A sender, closed in the end."""
    sender = subject.channel(subject.config).open(io or DirectIO(), connections=connections)
    try:
        yield sender
    finally:
        await asyncio.wait_for(sender.close(), WAIT)


class ChannelConformance:
    """Subclass and provide the fixture `subject`; keep the test methods."""

    # what it says about itself

    def test_the_manifest_is_sound(self, subject: Subject) -> None:
        manifest = subject.channel.manifest
        assert manifest.contract_version == CONTRACT_VERSION
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", manifest.name)
        assert manifest.label.strip()
        for fields in (manifest.config, manifest.content):
            names = [each.name for each in fields]
            assert len(set(names)) == len(names)
            assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
            assert all(each.description.strip() for each in fields)
        assert manifest.content, "a message needs at least one part"
        assert manifest.capabilities.batch_size >= 1
        assert manifest.capabilities.receipts <= {"delivered", "bounced", "complained"}
        assert manifest.limits.concurrency >= 1
        assert manifest.limits.max_bytes >= 1
        assert manifest.limits.rate is None or manifest.limits.rate > 0

    def test_every_default_fits_its_field(self, subject: Subject) -> None:
        for each in subject.channel.manifest.config:
            _check_field(each)

    def test_secrets_have_no_default(self, subject: Subject) -> None:
        for each in subject.channel.manifest.config:
            assert not (each.secret and each.default), f"{each.name} is a secret with a default"

    # rendering

    def test_rendering_is_deterministic(self, subject: Subject) -> None:
        rows = recipients(subject, 7)
        first = compile_program(subject).render(rows)
        assert compile_program(subject).render(rows) == first

    def test_one_result_for_each_row_in_order(self, subject: Subject) -> None:
        rows = recipients(subject, 7)
        rendered = compile_program(subject).render(rows)
        assert [result.identity for result in rendered] == [row.identity for row in rows]
        assert [result.address for result in rendered if isinstance(result, OutgoingMessage)] == [row.address for row in rows]

    def test_rows_do_not_touch_each_other(self, subject: Subject) -> None:
        rows = recipients(subject, 7)
        program = compile_program(subject)
        together = program.render(rows)
        assert [program.render([row])[0] for row in reversed(rows)] == together[::-1]

    def test_references_tell_messages_apart(self, subject: Subject) -> None:
        batch = messages(subject, 7)
        assert len({message.reference for message in batch}) == 7

    def test_messages_keep_to_the_limits(self, subject: Subject) -> None:
        limits = subject.channel.manifest.limits
        for message in messages(subject, 3):
            assert 0 < len(message.body) <= limits.max_bytes
            assert limits.units(message.body) >= 1

    def test_messages_carry_the_files_that_the_manifest_allows(self, subject: Subject) -> None:
        content = bytes(range(256)) * 20
        one = MessageAttachment(
            name="prices.bin", media_type="application/octet-stream", size=len(content),
            sha256=hashlib.sha256(content).hexdigest(), content=content,
        )  # fmt: skip
        files = (one,) * min(subject.channel.manifest.limits.attachments, 2)
        rows = recipients(subject, 2)
        with_files, without = compile_program(subject, files), compile_program(subject)
        assert with_files.render(rows) == compile_program(subject, files).render(rows)
        assert with_files.parts(rows[0]) == without.parts(rows[0])
        for rich, plain in zip(with_files.render(rows), without.render(rows), strict=True):
            assert isinstance(rich, OutgoingMessage)
            assert isinstance(plain, OutgoingMessage)
            assert len(rich.body) - len(plain.body) >= len(files) * len(content)

    def test_what_a_person_sees_can_be_shown(self, subject: Subject) -> None:
        parts = compile_program(subject).parts(recipients(subject, 1)[0])
        assert parts.subject or parts.html or parts.text

    def test_there_is_no_link_that_is_not_there(self, subject: Subject) -> None:
        assert compile_program(subject).link_target(recipients(subject, 1)[0], 9999, 0) is None

    # sending

    async def test_opening_connects_nowhere(self, subject: Subject) -> None:
        io = DirectIO()
        async with opened(subject, io=io):
            await asyncio.sleep(0)
        assert io.connections == 0

    async def test_every_message_arrives_once(self, subject: Subject) -> None:
        gate, batch = RecordingGate(), messages(subject, 40)
        async with opened(subject) as sender:
            await asyncio.wait_for(sender.send(batch, gate), WAIT)
        assert gate.mistakes == []
        assert gate.accepted() == set(range(40))
        assert sorted(subject.arrived()) == sorted(message.address for message in batch)

    async def test_at_most_one_message_per_connection_is_in_doubt(self, subject: Subject) -> None:
        gate = RecordingGate()
        async with opened(subject, connections=3) as sender:
            await asyncio.wait_for(sender.send(messages(subject, 40), gate), WAIT)
        assert 1 <= gate.most_in_doubt <= 3

    async def test_nothing_arrives_before_it_is_handed_over(self, subject: Subject) -> None:
        gate = RecordingGate(held=True)
        async with opened(subject) as sender:
            sending = asyncio.create_task(sender.send(messages(subject, 10), gate))
            await asyncio.wait_for(gate.someone_asked.wait(), WAIT)
            await asyncio.sleep(_PATIENCE)
            assert subject.arrived() == []
            gate.release()
            await asyncio.wait_for(sending, WAIT)
        assert len(subject.arrived()) == 10

    async def test_what_the_gate_holds_back_never_arrives(self, subject: Subject) -> None:
        refused = {1, 2, 5, 11, 19}
        gate, batch = RecordingGate(refuse=refused), messages(subject, 20)
        async with opened(subject) as sender:
            await asyncio.wait_for(sender.send(batch, gate), WAIT)
        assert gate.mistakes == []
        assert gate.settled.keys() == set(range(20)) - refused
        assert sorted(subject.arrived()) == sorted(batch[index].address for index in gate.settled)

    async def test_a_gate_that_fails_stops_the_batch(self, subject: Subject) -> None:
        gate = RecordingGate(error=ConnectionError("the ledger cannot be reached"))
        async with opened(subject) as sender:
            with pytest.raises(ConnectionError, match="ledger"):
                await asyncio.wait_for(sender.send(messages(subject, 20), gate), WAIT)
        await asyncio.sleep(_PATIENCE)
        assert subject.arrived() == []

    async def test_a_cancelled_batch_ends_in_known_states(self, subject: Subject) -> None:
        gate, batch = RecordingGate(held=True), messages(subject, 20)
        async with opened(subject) as sender:
            sending = asyncio.create_task(sender.send(batch, gate))
            await asyncio.wait_for(gate.someone_asked.wait(), WAIT)
            sending.cancel()
            await asyncio.sleep(0)
            gate.release()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(sending, WAIT)
        assert gate.mistakes == []
        arrived = set(subject.arrived())
        assert arrived == {batch[index].address for index in gate.accepted()}
        assert arrived <= {batch[index].address for index in gate.handed}
        assert len(gate.asked) < 20

    async def test_batches_share_a_sender(self, subject: Subject) -> None:
        everything = messages(subject, 60)
        gates = [RecordingGate() for _ in range(3)]
        async with opened(subject) as sender:
            sends = [sender.send(everything[start::3], gate) for start, gate in enumerate(gates)]
            await asyncio.wait_for(asyncio.gather(*sends), WAIT)
        assert all(gate.accepted() == set(range(20)) for gate in gates)
        assert sorted(subject.arrived()) == sorted(message.address for message in everything)

    async def test_an_empty_batch_is_no_work(self, subject: Subject) -> None:
        async with opened(subject) as sender:
            await asyncio.wait_for(sender.send([], RecordingGate()), WAIT)

    async def test_closing_twice_is_harmless(self, subject: Subject) -> None:
        async with opened(subject) as sender:
            await asyncio.wait_for(sender.send(messages(subject, 2), RecordingGate()), WAIT)
            await asyncio.wait_for(sender.close(), WAIT)
            await asyncio.wait_for(sender.close(), WAIT)

    async def test_a_closed_sender_hands_nothing_over(self, subject: Subject) -> None:
        gate = RecordingGate()
        async with opened(subject) as sender:
            await sender.close()
            await asyncio.wait_for(sender.send(messages(subject, 2), gate), WAIT)
        assert gate.handed == set()
        assert subject.arrived() == []

    async def test_without_the_provider_nothing_is_in_doubt(self, subject: Subject) -> None:
        if not subject.network:
            pytest.skip("this channel does not use the network")
        gate = RecordingGate()
        async with opened(subject, io=NoNetwork()) as sender:
            await asyncio.wait_for(sender.send(messages(subject, 5), gate), WAIT)
        assert gate.handed == set()
        kinds = {outcome.kind for outcome in gate.settled.values()}
        assert kinds <= {OutcomeKind.PROVIDER_DOWN, OutcomeKind.TRANSIENT}

    # the rest

    async def test_a_good_account_checks_out(self, subject: Subject) -> None:
        channel = subject.channel(subject.config)
        result = await asyncio.wait_for(channel.check(DirectIO()), WAIT)
        assert result.ok, result.message
        assert not isinstance(channel, Validating) or not channel.config_problems()

    async def test_no_secret_is_told(self, subject: Subject) -> None:
        fields = {each.name for each in subject.channel.manifest.config if each.secret}
        secrets = [str(subject.config[name]) for name in fields if subject.config.get(name)]
        channel, told = subject.channel(subject.config), []
        for io in (DirectIO(), NoNetwork()):
            result = await asyncio.wait_for(channel.check(io), WAIT)
            told += [result.message, result.hint or "", repr(channel), *io.lines]
        assert not [secret for secret in secrets if any(secret in text for text in told)]

    async def test_asking_for_news_goes_on_where_it_ended(self, subject: Subject) -> None:
        channel = subject.channel(subject.config)
        assert isinstance(channel, Polling) == (channel.manifest.capabilities.poll_seconds is not None)
        if not isinstance(channel, Polling):
            return
        assert subject.tell is not None, "say how to make news"
        subject.tell(3)
        first, middle = await _news(channel, None)
        subject.tell(2)
        second, end = await _news(channel, middle)
        assert (len(first), len(second)) == (3, 2)
        assert len(first | second) == 5
        assert await _news(channel, end) == (set(), end)
        again, _ = await _news(channel, middle)  # what was found had not been stored
        assert again == second

    async def test_an_unsigned_call_is_not_believed(self, subject: Subject) -> None:
        request = InboundRequest(
            method="POST",
            path="/",
            headers={"content-type": "application/json"},
            body=b'[{"event": "delivered"}]',
            received_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
        with pytest.raises(InboundRejected):
            await subject.channel(subject.config).callback(request)


async def _news(channel: Polling, cursor: str | None) -> tuple[set[str], str]:
    """Ids of all news after a cursor, and the cursor behind them."""
    found: set[str] = set()
    while True:
        polled = await asyncio.wait_for(channel.poll(DirectIO(), cursor), WAIT)
        found |= {event.event_id for event in polled.events}
        cursor = polled.cursor
        if not polled.more:
            return found, cursor


_TYPES: dict[ConfigType, tuple[type, ...]] = {
    ConfigType.TEXT: (str,),
    ConfigType.CHOICE: (str,),
    ConfigType.INTEGER: (int,),
    ConfigType.NUMBER: (int, float),
    ConfigType.BOOLEAN: (bool,),
}


def _check_field(each: ConfigField) -> None:
    assert (each.type is ConfigType.CHOICE) == bool(each.choices), f"{each.name}: choices and type disagree"
    if each.default is None:
        return
    assert type(each.default) in _TYPES[each.type], f"{each.name}: the default is no {each.type}"
    assert not each.choices or each.default in each.choices, f"{each.name}: the default is no choice"
    if isinstance(each.default, (int, float)):
        assert each.minimum is None or each.default >= each.minimum, each.name
        assert each.maximum is None or each.default <= each.maximum, each.name
