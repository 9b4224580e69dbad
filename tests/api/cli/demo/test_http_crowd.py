"""Many small requests over a few connections, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.cli.demo.http_crowd import BROWSER, Reply, Visit, visit_all

Seen = list[tuple[str, str, str]]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[str, Seen]]:
    """Redirects /c/, answers the rest in chunks; remembers method, path and user agent. /gone/ hangs up."""
    seen: Seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                break
            method, path, _ = head.split(" ", 2)
            length = int(head.lower().partition("content-length: ")[2].partition("\r")[0] or 0)
            await reader.readexactly(length)
            seen.append((method, path, head.partition("User-Agent: ")[2].partition("\r")[0]))
            if path.startswith("/gone/"):
                break
            if path.startswith("/c/"):
                writer.write(b"HTTP/1.1 302 Found\r\nLocation: https://x.example/\r\nContent-Length: 0\r\n\r\n")
            elif method == "HEAD":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", seen
    listening.close()


async def test_replies_come_in_the_order_of_the_visits(server: tuple[str, Seen]) -> None:
    """Whatever the connection they went over."""
    url, seen = server
    visits = [Visit("GET", f"{url}/{'c' if number % 3 else 'o'}/{number}") for number in range(200)]
    steps: list[int] = []
    replies = await visit_all(visits, connections=7, seen=lambda: steps.append(1))
    assert replies == [Reply(302, "https://x.example/") if number % 3 else Reply(200, None) for number in range(200)]
    assert len(steps) == 200
    assert {agent for _, _, agent in seen} == {BROWSER}


async def test_head_has_no_body_and_post_has_one(server: tuple[str, Seen]) -> None:
    """One connection takes them all."""
    url, seen = server
    visits = [Visit("HEAD", f"{url}/u/1"), Visit("POST", f"{url}/u/1", b"a=b", "somebody"), Visit("GET", f"{url}/u/1?x=1")]
    assert [reply.status for reply in await visit_all(visits, connections=1)] == [200, 200, 200]
    assert seen == [("HEAD", "/u/1", BROWSER), ("POST", "/u/1", "somebody"), ("GET", "/u/1?x=1", BROWSER)]


async def test_nothing_to_do() -> None:
    """No connection is made."""
    assert await visit_all([]) == []


async def test_a_server_that_hangs_up_is_an_error(server: tuple[str, Seen]) -> None:
    """A hit may have been stored: nothing is sent twice."""
    url, seen = server
    with pytest.raises(ExceptionGroup):
        await visit_all([Visit("GET", f"{url}/gone/1")])
    assert len(seen) == 1
