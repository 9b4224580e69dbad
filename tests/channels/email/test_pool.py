"""Connections of one account: how many, how shared, what when they cannot be had."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.cli.sink import Behaviour, Sink, Stage
from api.cli.sink.session import Session
from channels.contract import OutcomeKind, OutgoingMessage, Sender
from channels.contract.conformance import WAIT, DirectIO, NoNetwork, RecordingGate


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def send(sender: Sender, messages: Any, gate: RecordingGate | None = None) -> RecordingGate:
    """Send one batch; returns its gate."""
    gate = gate or RecordingGate()
    await asyncio.wait_for(sender.send(messages, gate), WAIT)
    assert gate.mistakes == []
    return gate


def kinds(gate: RecordingGate) -> set[OutcomeKind]:
    """The outcomes that occurred."""
    return {outcome.kind for outcome in gate.settled.values()}


async def test_connections_are_made_as_needed_and_kept(serve: Any, email: Any, batch: Any) -> None:
    sink, io = await serve(), DirectIO()
    sender = email(sink.port).open(io, connections=5)
    await send(sender, batch(1))
    assert io.connections == 1
    await send(sender, batch(100))
    assert io.connections == 5
    await send(sender, batch(100))
    assert io.connections == 5
    await sender.close()
    await until(lambda: not sink.sessions)


async def test_the_account_may_allow_fewer_connections_than_the_platform(serve: Any, email: Any, batch: Any) -> None:
    sink, io = await serve(), DirectIO()
    sender = email(sink.port, connections=2).open(io, connections=20)
    await send(sender, batch(50))
    await sender.close()
    assert io.connections == 2


async def test_connections_that_nobody_needs_are_closed(serve: Any, email: Any, batch: Any) -> None:
    sink = await serve()
    sender = email(sink.port, idle_timeout=0.05).open(DirectIO(), connections=3)
    await send(sender, batch(10))
    await until(lambda: not sink.sessions)
    gate = await send(sender, batch(10))
    assert gate.accepted() == set(range(10))
    await sender.close()


async def test_a_server_that_allows_few_connections_is_used_with_few(serve: Any, email: Any, batch: Any, arrived: Any) -> None:
    sink = await serve(Behaviour(max_connections=2))
    sender = email(sink.port).open(DirectIO(), connections=10)
    gate = await send(sender, batch(200))
    await sender.close()
    assert gate.accepted() == set(range(200))
    assert len(arrived()) == 200


async def test_a_small_batch_does_not_wait_for_a_large_one(serve: Any, email: Any, batch: Any, arrived: Any) -> None:
    sink = await serve()
    sender = email(sink.port).open(DirectIO(), connections=2)
    large = asyncio.create_task(send(sender, batch(500)))
    await until(lambda: sink.accepted > 0)
    await send(sender, batch(5, to="small{}@example.org"))
    assert not large.done()
    await large
    await sender.close()
    last = max(index for index, address in enumerate(arrived()) if address.startswith("small"))
    assert last < 450


async def test_batches_of_the_same_age_do_not_run_dry_together(serve: Any, email: Any, batch: Any) -> None:
    """While one batch is let go of and the next is claimed, the other must have messages left for all connections."""
    sink, gates = await serve(), (RecordingGate(), RecordingGate())
    sender = email(sink.port).open(DirectIO(), connections=4)
    sending = [asyncio.create_task(send(sender, batch(400), gate)) for gate in gates]
    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    assert 100 < min(len(gate.settled) for gate in gates) < 200
    await asyncio.gather(*sending)
    await sender.close()


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(hang_at=Stage.GREETING),
        Behaviour(close_at=Stage.GREETING),
        Behaviour(replies={Stage.GREETING: b"554 No SMTP service here\r\n"}),
        Behaviour(replies={Stage.GREETING: b"421 4.7.0 Too many connections\r\n"}),
        Behaviour(hang_at=Stage.EHLO),
        Behaviour(close_at=Stage.EHLO),
        Behaviour(replies={Stage.EHLO: b"550 Go away\r\n"}),
    ],
    ids=["hangs", "closes", "554", "421", "hangs at EHLO", "closes at EHLO", "550 to EHLO"],
)
async def test_a_server_that_lets_nobody_in_is_down(serve: Any, email: Any, batch: Any, behaviour: Behaviour) -> None:
    sink = await serve(behaviour)
    sender = email(sink.port, connect_timeout=0.2).open(DirectIO(), connections=5)
    gate = await send(sender, batch(20))
    await sender.close()
    assert gate.settled.keys() == set(range(20))
    assert kinds(gate) == {OutcomeKind.PROVIDER_DOWN}
    assert gate.asked == []
    assert all(outcome.text for outcome in gate.settled.values())


async def test_a_server_that_comes_back_is_used_again(serve: Any, email: Any, batch: Any) -> None:
    sink = await serve()
    sender = email(sink.port).open(DirectIO(), connections=5)
    await sink.close()
    assert kinds(await send(sender, batch(5))) == {OutcomeKind.PROVIDER_DOWN}
    await serve(port=sink.port)
    assert kinds(await send(sender, batch(5))) == {OutcomeKind.ACCEPTED}
    await sender.close()


async def test_a_refused_connection_is_tried_again_but_not_forever(email: Any, batch: Any) -> None:
    io = NoNetwork()
    sender = email(25).open(io, connections=20)
    await send(sender, batch(100))
    await sender.close()
    assert io.connections == 3


async def test_closing_lets_go_of_what_is_under_way(serve: Any, email: Any, batch: Any, arrived: Any) -> None:
    sink = await serve()
    sender = email(sink.port).open(DirectIO(), connections=2)
    gate = RecordingGate()
    sending = asyncio.create_task(send(sender, batch(500), gate))
    await until(lambda: sink.accepted >= 10)
    await asyncio.wait_for(sender.close(), WAIT)
    await asyncio.wait_for(sending, WAIT)
    assert 10 <= len(gate.settled) < 500
    assert gate.handed == gate.accepted()
    assert len(arrived()) == len(gate.accepted())


async def test_closing_does_not_wait_for_a_server_that_hangs(
    serve: Any, email: Any, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.pool.GRACE", 0.1)
    sink = await serve(Behaviour(hang_at=Stage.FINAL))
    sender = email(sink.port, final_timeout=500).open(DirectIO(), connections=2)
    gate = RecordingGate()
    sending = asyncio.create_task(send(sender, batch(10), gate))
    await until(lambda: len(gate.handed) >= 1)
    await asyncio.wait_for(sender.close(), WAIT)
    await asyncio.wait_for(sending, WAIT)
    assert kinds(gate) == {OutcomeKind.UNKNOWN}


async def test_cancelling_does_not_wait_for_a_server_that_hangs(
    serve: Any, email: Any, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.email.pool.GRACE", 0.1)
    sink = await serve(Behaviour(hang_at=Stage.FINAL))
    sender = email(sink.port, final_timeout=500).open(DirectIO(), connections=2)
    gate = RecordingGate()
    sending = asyncio.create_task(send(sender, batch(10), gate))
    await until(lambda: len(gate.handed) >= 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(sending, WAIT)
    assert gate.settled == {}  # handed over, and nobody knows: the platform calls it unknown
    await asyncio.wait_for(sender.close(), WAIT)


MOODS = [
    Behaviour(),
    Behaviour(),
    Behaviour(pipelining=False),
    Behaviour(empty_data=True),
    Behaviour(goodbye_after=2),
    Behaviour(delay=0.05, delay_every=3),
    Behaviour(max_connections=1),
    *(Behaviour(close_at=stage) for stage in Stage),
    *(Behaviour(hang_at=stage) for stage in (Stage.RCPT, Stage.BODY, Stage.FINAL)),
    *(Behaviour(replies={stage: b"421 4.3.2 Going down\r\n"}) for stage in Stage if stage is not Stage.BODY),
    *(Behaviour(replies={stage: b"451 4.3.0 Not now\r\n"}) for stage in (Stage.MAIL, Stage.DATA, Stage.FINAL)),
]


class MoodySink(Sink):
    """Each connection meets another behaviour."""

    def __init__(self, chosen: random.Random, directory: Path) -> None:
        super().__init__(directory=directory)
        self._chosen = chosen

    def _session(self) -> Session:
        self.behaviour = self._chosen.choice(MOODS)
        return super()._session()


@pytest.mark.parametrize("seed", range(8))
async def test_a_moody_server_leaves_nothing_unaccounted(
    email: Any, batch: Any, arrived: Any, seed: int, tmp_path: Path
) -> None:
    """Whatever happens, what the gates were told and what the server has agree."""
    chosen = random.Random(seed)
    sink = MoodySink(chosen, tmp_path / "sink")
    await sink.start()
    channel = email(sink.port, connect_timeout=0.3, reply_timeout=0.3, final_timeout=0.3)
    sender = channel.open(DirectIO(), connections=4)
    everything = [*batch(250), *batch(50, to="bounce-{}@example.org")]
    chosen.shuffle(everything)
    for start in range(0, 300, 60):
        parts = [everything[start + place : start + 60 : 3] for place in range(3)]
        gates = [RecordingGate(refuse=set(chosen.sample(range(20), 1))) for _ in parts]
        await asyncio.gather(*(send(sender, part, gate) for part, gate in zip(parts, gates, strict=True)))
        for part, gate in zip(parts, gates, strict=True):
            _compare(part, gate, set(arrived()))
    await asyncio.wait_for(sender.close(), WAIT)
    await sink.close()
    assert len(arrived()) == len(set(arrived())), "nobody got a message twice"
    assert not any(address.startswith("bounce-") for address in arrived())


def _compare(messages: list[OutgoingMessage], gate: RecordingGate, at_server: set[str]) -> None:
    ours = [message.address for message in messages]
    assert gate.handed <= gate.settled.keys(), "what was handed over is settled"
    accepted = {ours[index] for index in gate.accepted()}
    unknown = {ours[i] for i, outcome in gate.settled.items() if outcome.kind is OutcomeKind.UNKNOWN}
    assert accepted <= at_server & set(ours) <= accepted | unknown
    held_back = {ours[index] for index in set(gate.asked) - gate.handed}
    assert not held_back & at_server
