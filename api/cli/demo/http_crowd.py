"""A few keep-alive connections that send many small requests: enough HTTP for a simulated crowd."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CONNECTIONS = 48
ANSWER_SECONDS = 60.0

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody in the crowd."""

    method: str
    url: str
    body: bytes = b""
    agent: str = BROWSER


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    location: str | None


async def visit_all(
    visits: Iterable[Visit], *, connections: int = CONNECTIONS, seen: Callable[[], None] | None = None
) -> list[Reply]:
    """Send all requests to one host over a few connections; the replies come in the order of the visits.

    `seen` is called after each. Raises OSError, asyncio.IncompleteReadError and TimeoutError when the server fails.
    """
    todo = deque(enumerate(visits))
    replies: dict[int, Reply] = {}

    async def walk(first: Visit) -> None:
        async with _connected(first.url) as (reader, writer):
            while todo:
                index, visit = todo.popleft()
                writer.write(_request(visit))
                async with asyncio.timeout(ANSWER_SECONDS):
                    replies[index] = await _read(reader, visit.method)
                if seen is not None:
                    seen()

    if todo:
        first = todo[0][1]
        async with asyncio.TaskGroup() as group:
            for _ in range(min(connections, len(todo))):
                group.create_task(walk(first))
    return [replies[index] for index in range(len(replies))]


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[_Streams]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        yield reader, writer
    finally:
        writer.close()


def _request(visit: Visit) -> bytes:
    parts = urlsplit(visit.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    head = f"{visit.method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {visit.agent}\r\n"
    if visit.body:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(visit.body)}\r\n"
    return head.encode() + b"\r\n" + visit.body


async def _read(reader: asyncio.StreamReader, method: str) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    if method != "HEAD":
        if headers.get("transfer-encoding") == "chunked":
            while await _chunk(reader):
                pass
        else:
            await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(head[0].split(" ")[1]), headers.get("location"))


async def _chunk(reader: asyncio.StreamReader) -> bool:
    size = int((await reader.readline()).strip(), 16)
    await reader.readexactly(size + 2)
    return size > 0
