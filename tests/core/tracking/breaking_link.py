"""A way to Postgres that can be cut at the worst moment."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Cut(StrEnum):
    """What becomes of the next statement that carries the mark."""

    NEVER = "never"
    SILENCE = "nobody hears it, and nobody hangs up"
    BEFORE = "before the server hears it"
    AFTER = "after the server heard it, before the client hears the answer"


class BreakingLink:
    """Passes bytes on to a Postgres server, until it is told to lose the next statement with some bytes in it."""

    def __init__(self, url: str, mark: bytes):
        self.mark = mark
        self._parts = urlsplit(url)
        self._host = self._parts.hostname or parse_qs(self._parts.query)["host"][0]
        self.cut = Cut.NEVER
        self.cuts = 0
        self.happened = asyncio.Event()
        self.url = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> BreakingLink:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user, _, _ = self._parts.netloc.rpartition("@")
        self.url = urlunsplit(self._parts._replace(netloc=f"{user}@127.0.0.1:{port}", query=""))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self._parts.port or 5432
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(str(Path(self._host) / f".s.PGSQL.{port}"))
        return await asyncio.open_connection(self._host, port)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server, to_server = await self._connect()
        back = asyncio.create_task(self._pump(server, to_client))
        try:
            while data := await client.read(65536):
                if self.mark in data and self.cut is not Cut.NEVER:
                    await self._lose(data, to_client, to_server, back)
                    return
                to_server.write(data)
                await to_server.drain()
        except ConnectionError:
            pass
        finally:
            back.cancel()
            to_client.close()
            to_server.close()
            self._tasks.discard(task)

    async def _lose(
        self,
        data: bytes,
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        cut, self.cut = self.cut, Cut.NEVER
        self.cuts += 1
        self.happened.set()
        if cut is Cut.SILENCE:
            back.cancel()
            await asyncio.sleep(3600)
        if cut is Cut.AFTER:
            back.cancel()
            to_server.write(data)
            await to_server.drain()
        to_client.transport.abort()

    @staticmethod
    async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()
