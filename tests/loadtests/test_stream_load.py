"""The load generator of the stream against a real server that forgets some clicks, on either side."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from loadtests.stream_load import CONNECTIONS, Load, Order

ROOT = Path(__file__).resolve().parents[2]
SUBSCRIBERS = 3
PATIENCE = 1.0
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Redirects clicks and tells the subscribers of them, unless the path says otherwise."""

    def __init__(self) -> None:
        self.port = 0
        self._subscribers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
                if path == "/graphql":
                    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                    self._subscribers.append(writer)
                    await reader.read()
                    break
                _, person, fate = path.split("/")
                if fate != "unheard":
                    self._tell(person)
                if fate == "wrong":
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope")
                elif fate != "never":
                    writer.write(REDIRECT)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    def _tell(self, person: str) -> None:
        message = {"type": "next", "payload": {"data": {"trackingEvents": {"events": [{"profileId": person}]}}}}
        text = json.dumps(message).encode()
        for subscriber in self._subscribers:
            subscriber.write(b"\x81" + bytes([len(text)]) + text)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """One that listens."""
    made = Server()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as listening:
        made.port = listening.sockets[0].getsockname()[1]
        yield made


def order(server: Server, fates: dict[int, str], patience: float) -> Order:
    """So many clicks that the time is over before; the fate of those with these numbers."""
    return Order(
        host="127.0.0.1", port=server.port, token="t", subscribers=SUBSCRIBERS, rate=50.0, warm_up=0.0, seconds=0.3,
        paths=[f"/p{number}/{fates.get(number, 'ok')}" for number in range(100)],
        people=[f"p{number}" for number in range(100)], patience=patience,
    )  # fmt: skip


async def test_all_is_well(server: Server) -> None:
    """Nothing is waited for."""
    load = Load(order(server, {}, 30.0))
    result = await load.run()

    assert result.clicks > 0
    assert (result.failed, result.missing, load.troubles) == (0, 0, [])


async def test_an_event_that_does_not_come_is_in_the_figures(server: Server) -> None:
    """With the time that was waited, for every subscriber."""
    result = await Load(order(server, {1: "unheard"}, PATIENCE)).run()

    assert (result.failed, result.missing) == (0, SUBSCRIBERS)
    assert result.p99 >= PATIENCE * 1000


@pytest.mark.parametrize(("fate", "troubles"), [("never", 0), ("wrong", 1)])
async def test_a_click_without_a_redirect_has_failed(server: Server, fate: str, troubles: int) -> None:
    """Even if everybody hears of it."""
    load = Load(order(server, {0: fate}, PATIENCE))
    result = await load.run()

    assert (result.failed, result.missing, len(load.troubles)) == (1, 0, troubles)


async def test_it_ends_when_no_connection_comes_free(server: Server) -> None:
    """However many clicks are still to be made."""
    given = replace(order(server, dict.fromkeys(range(100), "never"), 0.2), rate=1000.0)
    load = Load(given)
    result = await load.run()

    assert result.failed == CONNECTIONS
    assert "no click could be made any more" in load.troubles[0]


@pytest.mark.parametrize(("fates", "code"), [({}, 0), ({1: "unheard"}, 1), ({1: "never"}, 1)])
async def test_a_failure_is_in_the_exit(server: Server, fates: dict[int, str], code: int) -> None:
    """As the benchmark runs it: a process with an order, which says one line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.stream_load", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    given = order(server, fates, PATIENCE if code else 30.0)
    said, complained = await process.communicate(json.dumps(asdict(given)).encode())

    assert process.returncode == code, complained
    assert json.loads(said)["clicks"] > 0
