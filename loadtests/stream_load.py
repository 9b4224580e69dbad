"""Clicks by a clock, and subscribers who wait for them: how long from the moment a click was due until each has its event.

One process plays both, so that one clock tells. Run it as a process of its own: `python -m loadtests.stream_load` with a JSON
order on standard input; the answer is one JSON line, and the exit code is 1 when a click failed or an event is missing.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

import msgspec
import uvloop

from loadtests.http_load import TICK

SUBSCRIPTION = "subscription { trackingEvents { cursor events { profileId link at url } } }"
CONNECTIONS = 64  # of those who click


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. Every path is another person's click; they are made in order."""

    host: str
    port: int
    token: str
    paths: list[str]
    people: list[str]  # the profile id behind each path, as the API spells it
    subscribers: int
    rate: float
    warm_up: float
    seconds: float
    seed: int = 1
    patience: float = 20.0  # seconds for what is still under way at the end


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it, after the warm-up. Latencies in milliseconds, over all events of all subscribers.

    An event that did not come counts with the time that was waited for it.
    """

    clicks: int
    failed: int  # clicks without a redirect; also in the warm-up
    missing: int  # events that a subscriber did not get in time
    p50: float
    p99: float
    longest: float


class _Event(msgspec.Struct):
    profileId: str


class _Batch(msgspec.Struct):
    events: list[_Event]


class _Data(msgspec.Struct):
    trackingEvents: _Batch


class _Payload(msgspec.Struct):
    data: _Data


class _Next(msgspec.Struct):
    payload: _Payload


_decoder = msgspec.json.Decoder(_Next)


class Subscriber(asyncio.Protocol):
    """A WebSocket client (RFC 6455) that reads frames and tells of each message. Just enough for a benchmark."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = bytearray()
        self._shaken = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        order = self._load.order
        lines = [
            "GET /graphql HTTP/1.1", f"Host: {order.host}:{order.port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
        ]  # fmt: skip
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        if not self._shaken:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._load.trouble(f"no WebSocket: {head[:200]!r}")
                self._transport.abort()
                return
            self._shaken, self._buffer = True, rest
            self._say({"type": "connection_init", "payload": {"authorization": f"Bearer {self._load.order.token}"}})
            self._say({"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIPTION}})
        while (frame := self._frame()) is not None:
            self._load.heard(frame)

    def _frame(self) -> bytes | None:
        """The next whole frame's payload. A server masks nothing; ours does not split messages."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 127, 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            start += wide
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return None
        text = buffer[0] & 15 == 1
        payload = bytes(buffer[start : start + size])
        del buffer[: start + size]
        return payload if text else b""

    def _say(self, message: dict[str, Any]) -> None:
        assert self._transport is not None
        text = json.dumps(message).encode()
        head = bytes([0x81, 0x80 | len(text)]) if len(text) < 126 else b"\x81\xfe" + len(text).to_bytes(2, "big")
        self._transport.write(head + b"\0\0\0\0" + text)  # masked with zeros


class _Click(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> None:
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 302"):
            self._load.redirected(self)
        elif self._transport is not None:
            self._load.trouble(f"no redirect: {data[:200]!r}")
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self)


class Load:
    """One run."""

    def __init__(self, order: Order):
        self.order = order
        self.troubles: list[str] = []  # what was said instead of what was expected
        self._idle: deque[_Click] = deque()  # longest idle first: none is closed for idling
        self._asked: set[_Click] = set()  # and not answered
        self._failed = 0
        self._loop = asyncio.get_running_loop()
        self._due: dict[str, float] = {}  # when the click of a person was due
        self._counting: set[str] = set()
        self._latencies: list[float] = []
        self._last: tuple[bytes, list[str]] = (b"", [])

    def redirected(self, click: _Click) -> None:
        """A click was answered as it should be."""
        self._asked.discard(click)
        self._idle.append(click)

    def lost(self, click: _Click) -> None:
        """A connection is no more; what was asked on it has failed."""
        if click in self._asked:
            self._asked.remove(click)
            self._failed += 1
        elif click in self._idle:
            self._idle.remove(click)

    def trouble(self, text: str) -> None:
        """Remember what was said; what it leads to is counted elsewhere."""
        self.troubles.append(text)

    def heard(self, frame: bytes) -> None:
        """A message that a subscriber got. Subscribers get equal bytes, which are read once."""
        if frame != self._last[0]:
            self._last = (frame, self._people(frame))
        now = self._loop.time()
        self._latencies += [now - self._due[person] for person in self._last[1] if person in self._counting]

    def _people(self, frame: bytes) -> list[str]:
        if b'"next"' in frame[:60]:
            return [event.profileId for event in _decoder.decode(frame).payload.data.trackingEvents.events]
        if b'"error"' in frame[:60]:
            self.trouble(frame.decode())
        return []  # a ping, or the word that all is well

    async def run(self) -> Result:
        """Subscribe, click, wait for the rest."""
        order = self.order
        transports: list[asyncio.Transport] = []
        for _ in range(order.subscribers):
            transport, _ = await self._loop.create_connection(lambda: Subscriber(self), order.host, order.port)
            transports.append(transport)
        for _ in range(CONNECTIONS):
            transport, click = await self._loop.create_connection(lambda: _Click(self), order.host, order.port)
            transports.append(transport)
            self._idle.append(click)
        await asyncio.sleep(1.0)
        await self._click()
        expected = len(self._counting) * order.subscribers
        with suppress(TimeoutError):
            async with asyncio.timeout(order.patience):
                while len(self._latencies) < expected or self._asked:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        missing = expected - len(self._latencies)
        found = sorted([*self._latencies, *[order.patience] * missing]) or [order.patience]
        failed = self._failed + len(self._asked)
        for transport in transports:
            transport.abort()
        return Result(
            clicks=len(self._counting),
            failed=failed,
            missing=missing,
            p50=found[len(found) // 2] * 1000,
            p99=found[int(len(found) * 0.99)] * 1000,
            longest=found[-1] * 1000,
        )

    async def _click(self) -> None:
        order, chance = self.order, random.Random(self.order.seed)
        began = due = self._loop.time()
        for path, person in zip(order.paths, order.people, strict=True):
            while due > self._loop.time() or not self._idle:
                if self._loop.time() > due + order.patience:
                    self.trouble("every connection still waits for its answer: no click could be made any more")
                    return
                await asyncio.sleep(TICK)
            self._due[person] = due
            if began + order.warm_up <= due:
                self._counting.add(person)
            click = self._idle.popleft()
            self._asked.add(click)
            click.ask(f"GET {path} HTTP/1.1\r\nHost: {order.host}:{order.port}\r\nUser-Agent: Firefox\r\n\r\n".encode())
            due += chance.expovariate(order.rate)
            if due > began + order.warm_up + order.seconds:
                return
        raise SystemExit("there are not enough paths")


def main() -> int:
    """Read an order, run it, print the result; 1 when something went wrong."""
    order = Order(**json.load(sys.stdin))

    async def run() -> tuple[Result, list[str]]:
        load = Load(order)
        return await load.run(), load.troubles

    result, troubles = uvloop.run(run())
    print(json.dumps(asdict(result)), flush=True)
    if result.failed or result.missing or troubles:
        print(f"not every click was answered and heard of: {result}", *troubles[:3], sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
