"""The memory channel: conformance, and the outcomes one can order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.contract import InboundEvent, InboundEventKind, OutcomeKind
from channels.contract.conformance import (
    WAIT,
    ChannelConformance,
    DirectIO,
    RecordingGate,
    Subject,
    messages,
    opened,
)
from channels.memory import MemoryChannel, store

CONFIG: dict[str, Any] = {"store": "conformance", "outcomes": "accepted", "delay": 0.0, "keep": True}
PARTS = {"subject": "Hello {{ name }}", "text": "Number {{ number }}", "html": "<p>{{ name }}</p>"}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """An empty store before and after."""
    store("conformance").clear()
    yield
    store("conformance").clear()


def addresses() -> list[str]:
    """Who got a message."""
    return [message.address for message in store("conformance").messages]


def tell(number: int) -> None:
    """So many receipts more."""
    news = store("conformance").news
    news += [
        InboundEvent(
            kind=InboundEventKind.DELIVERED,
            reference=f"1-1-{n}-0",
            event_id=f"e{n}",
            occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
        for n in range(len(news), len(news) + number)
    ]


class TestMemory(ChannelConformance):
    @pytest.fixture
    def subject(self) -> Subject:
        return Subject(channel=MemoryChannel, config=CONFIG, parts=PARTS, arrived=addresses, network=False, tell=tell)


def subject(**changes: Any) -> Subject:
    """The channel with another configuration."""
    return Subject(channel=MemoryChannel, config=CONFIG | changes, parts=PARTS, arrived=addresses, network=False)


async def test_bodies_are_the_parts() -> None:
    given = subject()
    async with opened(given) as sender:
        await sender.send(messages(given, 2), RecordingGate())
    first = json.loads(store("conformance").messages[0].body)
    assert first == {"subject": "Hello Ada", "text": "Number 0", "html": "<p>Ada</p>"}


async def test_outcomes_come_in_turn() -> None:
    given = subject(outcomes="accepted, transient, unknown, invalid_address")
    gate = RecordingGate()
    async with opened(given, connections=1) as sender:
        await asyncio.wait_for(sender.send(messages(given, 8), gate), WAIT)
    assert gate.mistakes == []
    kinds = [gate.settled[index].kind for index in range(8)]
    assert (
        kinds
        == [
            OutcomeKind.ACCEPTED,
            OutcomeKind.TRANSIENT,
            OutcomeKind.UNKNOWN,
            OutcomeKind.INVALID_ADDRESS,
        ]
        * 2
    )
    assert gate.handed == {0, 2, 4, 6}
    assert len(addresses()) == 4


async def test_a_store_may_count_only() -> None:
    given = subject(keep=False, store="counted")
    async with opened(given) as sender:
        await sender.send(messages(given, 5), RecordingGate())
    assert store("counted").count == 5
    assert store("counted").messages == []
    store("counted").clear()


async def test_an_answer_may_take_its_time() -> None:
    given = subject(delay=0.01)
    gate = RecordingGate()
    async with opened(given, connections=2) as sender:
        await asyncio.wait_for(sender.send(messages(given, 4), gate), WAIT)
    assert gate.accepted() == {0, 1, 2, 3}


def test_a_misspelt_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="acepted"):
        MemoryChannel(CONFIG | {"outcomes": "acepted"})


async def test_checking_needs_no_network() -> None:
    assert (await MemoryChannel(CONFIG).check(DirectIO())).ok


async def test_news_comes_in_portions() -> None:
    channel = MemoryChannel(CONFIG)
    tell(150)
    first = await channel.poll(DirectIO(), None)
    rest = await channel.poll(DirectIO(), first.cursor)
    assert (len(first.events), first.more) == (100, True)
    assert ([event.event_id for event in rest.events], rest.more) == ([f"e{n}" for n in range(100, 150)], False)
