"""The pager channel against a paging service of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from clarion_pager import PagerChannel  # type: ignore[import-not-found]

from channels.contract.conformance import ChannelConformance, Subject


class TestPager(ChannelConformance):
    @pytest_asyncio.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        pages: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                pages.append(line.split()[2].decode())
                writer.write(b"OK %d\n" % len(pages))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield Subject(
            channel=PagerChannel,
            config={"host": "127.0.0.1", "port": port},
            parts={"text": "Hello {{ name }}, you are number {{ number }}."},
            arrived=lambda: list(pages),
            address=lambda number: f"+3612345{number:04}",
        )
        server.close()
        await server.wait_closed()
