"""A few keep-alive connections that send many small requests: enough HTTP for a simulated crowd."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


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


async def visit_all(visits: Iterable[Visit], *, connections: int = 16) -> list[Reply]:
    """Send all requests over a few connections; the replies come in the order of the visits."""
    todo = list(enumerate(visits))
    replies: list[Reply | None] = [None] * len(todo)
    todo.reverse()

    async def walk() -> None:
        reader = writer = None
        while todo:
            index, visit = todo.pop()
            parts = urlsplit(visit.url)
            if writer is None:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            assert reader is not None
            writer.write(_request(visit, parts.path, parts.netloc))
            replies[index] = await _read(reader, visit.method)
        if writer is not None:
            writer.close()

    await asyncio.gather(*(walk() for _ in range(min(connections, len(todo)))))
    return [reply for reply in replies if reply is not None]


def _request(visit: Visit, path: str, host: str) -> bytes:
    head = f"{visit.method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {visit.agent}\r\n"
    if visit.body:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(visit.body)}\r\n"
    return head.encode() + b"\r\n" + visit.body


async def _read(reader: asyncio.StreamReader, method: str) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    if headers.get("transfer-encoding") == "chunked" and method != "HEAD":
        while await _chunk(reader):
            pass
    elif method != "HEAD":
        await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(head[0].split(" ")[1]), headers.get("location"))


async def _chunk(reader: asyncio.StreamReader) -> bool:
    size = int((await reader.readline()).strip(), 16)
    await reader.readexactly(size + 2)
    return size > 0
