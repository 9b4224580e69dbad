"""A WebSocket client for tests that speaks graphql-transport-ws message by message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = "graphql-transport-ws"


class Talk:
    """One connection."""

    def __init__(self, socket: ClientConnection):
        self.socket = socket

    async def say(self, **message: Any) -> None:
        """Send a message."""
        await self.socket.send(json.dumps(message))

    async def hear(self, seconds: float = 10) -> Any:
        """The next message."""
        async with asyncio.timeout(seconds):
            return json.loads(await self.socket.recv())

    async def init(self, token: str | None) -> None:
        """Say who one is."""
        payload = {} if token is None else {"authorization": f"Bearer {token}"}
        await self.say(type="connection_init", payload=payload)

    async def start(self, operation: str, query: str, *, extensions: Any = None, **variables: Any) -> None:
        """Begin an operation."""
        payload: dict[str, Any] = {"query": query, "variables": variables}
        if extensions is not None:
            payload["extensions"] = extensions
        await self.say(id=operation, type="subscribe", payload=payload)

    async def closed(self, seconds: float = 10) -> tuple[int, str]:
        """Code and reason with which the server ends the connection; what comes before is skipped."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as end:
                if end.rcvd is None:
                    raise
                return end.rcvd.code, end.rcvd.reason


@asynccontextmanager
async def talk(address: str, token: str | None = None, **options: Any) -> AsyncIterator[Talk]:
    """A connection; with a token it is initialised already."""
    options.setdefault("subprotocols", [Subprotocol(PROTOCOL)])
    async with connect(address.replace("http", "ws", 1) + "/graphql", proxy=None, **options) as socket:
        opened = Talk(socket)
        if token is not None:
            await opened.init(token)
            assert await opened.hear() == {"type": "connection_ack"}
        yield opened
