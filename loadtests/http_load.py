"""A load generator for GET requests over keep-alive connections: closed loop (as fast as it goes) and open loop (by a clock).

In the open loop every request has a scheduled time, and its latency counts from there, also while it waits because the
server is slow. Nothing is left out: what is under way when the schedule ends is waited for, and what has no answer even then
has failed. Run as a process of its own: `python -m loadtests.http_load` with a JSON order on standard input; the answer is
one JSON line, and the exit code is 1 when a request failed.
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
    patience: float = 10.0  # seconds for what is still under way at the end


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the requests due after the warm-up. Latencies in milliseconds; without an answer, at least so long."""

    answered: int
    failed: int  # answers that were not what was expected, connections lost, no answer; also in the warm-up
    unanswered: int  # of the failed: no answer when patience was over
    late: int  # requests that had to wait for a connection when they were due: every one was busy
    rate: float
    p50: float
    p99: float
    longest: float


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self.due: float | None = None  # of the request under way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self.due, self._answer = due, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        expected = self._load.expected
        if self.due is None or (len(self._answer) >= len(expected) and not self._answer.startswith(expected)):
            self.close()  # a failure, and nobody knows where its body ends
        elif self._answer.endswith(b"\r\n\r\n"):  # no body in a redirect
            self._load.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


class Load:
    """A run over some connections."""

    def __init__(self, order: Order):
        self._order = order
        self._loop = asyncio.get_running_loop()
        self._requests = [_request(order, path) for path in order.paths]
        self._next = 0
        self._connections: list[_Connection] = []
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._latencies: list[float] = []
        self._failed = self._late = 0
        self._began = self._ends = self._last = 0.0  # of the time that counts; when the last answer that counts came
        self._over = False
        self.expected = f"HTTP/1.1 {order.expect} ".encode()

    def answered(self, connection: _Connection) -> None:
        """A connection has the answer that was expected, and is free."""
        now, due = self._loop.time(), connection.due
        if due is not None and due >= self._began:
            self._latencies.append(now - due)
            self._last = now
        connection.due = None
        if self._order.rate is None and now < self._ends:
            self._ask(connection, now)
        elif self._due:
            self._ask(connection, self._due.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: _Connection) -> None:
        """A connection is no more. One that idles after the schedule may go."""
        if not self._over and (connection.due is not None or self._loop.time() < self._ends):
            self._failed += 1
        connection.due = None
        if connection in self._idle:
            self._idle.remove(connection)

    async def run(self) -> Result:
        """Ask until the time is over, wait for the rest."""
        order = self._order
        for _ in range(order.connections):
            _, connection = await self._loop.create_connection(lambda: _Connection(self), order.host, order.port)
            self._connections.append(connection)
        self._idle.extend(self._connections)
        self._began = self._loop.time() + order.warm_up
        self._ends = self._began + order.seconds
        await (self._closed() if order.rate is None else self._schedule(order.rate))
        while self._waiting() and self._loop.time() < self._ends + order.patience:  # noqa: ASYNC110
            await asyncio.sleep(TICK)
        unanswered = [self._loop.time() - due for due in self._waiting()]
        self._over = True
        for connection in self._connections:
            connection.close()
        return self._result(unanswered)

    def _waiting(self) -> list[float]:
        """When the requests were due that have no answer."""
        return [one.due for one in self._connections if one.due is not None] + list(self._due)

    def _ask(self, connection: _Connection, due: float) -> None:
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        connection.ask(request, due)

    async def _closed(self) -> None:
        while self._idle:
            self._ask(self._idle.popleft(), self._loop.time())
        await asyncio.sleep(self._ends - self._loop.time())

    async def _schedule(self, rate: float) -> None:
        """Requests at random times (a Poisson process), as independent people make them."""
        chance = random.Random(self._order.seed)
        due = self._loop.time()
        while due < self._ends:
            now = self._loop.time()
            while due <= now and due < self._ends:
                if self._idle:
                    self._ask(self._idle.popleft(), due)
                else:
                    self._due.append(due)
                    self._late += due >= self._began
                due += chance.expovariate(rate)
            await asyncio.sleep(TICK)

    def _result(self, unanswered: Sequence[float]) -> Result:
        order, found = self._order, sorted([*self._latencies, *unanswered]) or [0.0]
        # In the closed loop each answer makes the next request: as many are asked in the time as are answered in it.
        took = order.seconds if order.rate is None else max(order.seconds, self._last - self._began)
        return Result(
            answered=len(self._latencies),
            failed=self._failed + len(unanswered),
            unanswered=len(unanswered),
            late=self._late,
            rate=len(self._latencies) / took,
            p50=found[len(found) // 2] * 1000,
            p99=found[min(len(found) - 1, int(len(found) * 0.99))] * 1000,
            longest=found[-1] * 1000,
        )


def _request(order: Order, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {order.host}:{order.port}\r\n{order.headers}\r\n".encode()


def main() -> int:
    """Read an order, run it, print the result; 1 when a request failed or none was answered."""
    order: dict[str, Any] = json.load(sys.stdin)

    async def run() -> Result:
        return await Load(Order(**order)).run()

    result = uvloop.run(run())
    print(json.dumps(asdict(result)), flush=True)
    if result.failed or not result.answered:
        print(f"requests failed, or none was answered: {result}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
