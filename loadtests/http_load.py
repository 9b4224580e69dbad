"""A load generator for GET requests over keep-alive connections: closed loop (as fast as it goes) and open loop (by a clock).

In the open loop every request has a scheduled time, and its latency counts from there, also while it waits because the
server is slow: nothing is left out. Run as a process of its own: `python -m loadtests.http_load` with a JSON order on
standard input; the answer is one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import uvloop

TICK = 0.001  # seconds between two looks at the schedule; the finest that the loop keeps


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. `rate` None: closed loop."""

    host: str
    port: int
    paths: list[str]
    headers: str
    connections: int
    seconds: float
    warm_up: float
    rate: float | None = None
    expect: int = 302
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it, after the warm-up. Latencies in milliseconds."""

    answered: int
    errors: int  # answers that were not what was expected, connections lost
    late: int  # requests that were due and could not be made: every connection was still waiting
    rate: float
    p50: float
    p99: float
    longest: float


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._began = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, began: float) -> None:
        assert self.transport is not None
        self._began = began
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):  # no body in a redirect
            self._load.answered(self, self._began, data.startswith(self._load.expected))

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost()


class _Load:
    """A run over some connections."""

    def __init__(self, order: Order):
        self._order = order
        self._loop = asyncio.get_running_loop()
        self._requests = [_request(order, path) for path in order.paths]
        self._next = 0
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._latencies: list[float] = []
        self._errors = 0
        self._counting = False
        self._open = True
        self.expected = f"HTTP/1.1 {order.expect} ".encode()

    def answered(self, connection: _Connection, began: float, good: bool) -> None:
        if self._counting:
            self._latencies.append(self._loop.time() - began)
            self._errors += not good
        if self._order.rate is None:
            self._ask(connection, self._loop.time())
        elif self._due:
            self._ask(connection, self._due.popleft())
        else:
            self._idle.append(connection)

    def lost(self) -> None:
        if self._open:
            self._errors += 1

    def _ask(self, connection: _Connection, began: float) -> None:
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        connection.ask(request, began)

    async def run(self) -> Result:
        order = self._order
        connections = [
            (await self._loop.create_connection(lambda: _Connection(self), order.host, order.port))[1]
            for _ in range(order.connections)
        ]
        self._idle.extend(connections)
        feeder = self._closed() if order.rate is None else self._schedule(order.rate)
        task = asyncio.create_task(feeder)
        await asyncio.sleep(order.warm_up)
        self._counting, began = True, self._loop.time()
        await asyncio.sleep(order.seconds)
        self._counting, took = False, self._loop.time() - began
        late = [began + took - due for due in self._due]  # never asked in time: at least this late
        task.cancel()
        self._open = False
        for connection in connections:
            if connection.transport is not None:
                connection.transport.abort()
        return _result(self._latencies, late, self._errors, took)

    async def _closed(self) -> None:
        while self._idle:
            self._ask(self._idle.popleft(), self._loop.time())

    async def _schedule(self, rate: float) -> None:
        """Requests at random times (a Poisson process), as independent people make them."""
        chance = random.Random(self._order.seed)
        due = self._loop.time()
        while True:
            now = self._loop.time()
            while due <= now:
                if self._idle:
                    self._ask(self._idle.popleft(), due)
                else:
                    self._due.append(due)
                due += chance.expovariate(rate)
            await asyncio.sleep(TICK)


def _request(order: Order, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {order.host}:{order.port}\r\n{order.headers}\r\n".encode()


def _result(latencies: Sequence[float], late: Sequence[float], errors: int, took: float) -> Result:
    found = sorted([*latencies, *late]) or [0.0]
    return Result(
        answered=len(latencies),
        errors=errors,
        late=len(late),
        rate=len(latencies) / took,
        p50=found[len(found) // 2] * 1000,
        p99=found[min(len(found) - 1, int(len(found) * 0.99))] * 1000,
        longest=found[-1] * 1000,
    )


def main() -> None:
    """Read an order, run it, print the result."""
    order: dict[str, Any] = json.load(sys.stdin)

    async def run() -> Result:
        return await _Load(Order(**order)).run()

    print(json.dumps(asdict(uvloop.run(run()))), flush=True)


if __name__ == "__main__":
    main()
