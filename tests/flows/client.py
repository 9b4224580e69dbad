"""An outside client: GraphQL over HTTP, subscriptions over `graphql-transport-ws`, bytes by the addresses handed out.

It knows the address and a token, and nothing of the house's insides.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Refused(Exception):
    """A request was refused: `codes` says why, in the API's terms."""

    def __init__(self, errors: list[dict[str, Any]]):
        super().__init__(json.dumps(errors, indent=1))
        self.errors = errors
        self.codes = [error.get("code") or error.get("extensions", {}).get("code") for error in errors]


class Client:
    """One user of the API. Use as an async context manager."""

    def __init__(self, base_url: str, token: str):
        self.base_url = base_url
        self._token = token
        self.http = httpx.AsyncClient(timeout=30, headers={"user-agent": BROWSER}, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def ask(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run a query or mutation; returns `data`. Raises Refused."""
        response = await self.http.post(
            f"{self.base_url}/graphql",
            json={"query": document, "variables": variables},
            headers={"authorization": f"Bearer {self._token}"},
        )
        answer = response.json()
        if answer.get("errors"):
            raise Refused(answer["errors"])
        data: dict[str, Any] = answer["data"]
        return data

    async def do(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Run a document with one mutation; returns its payload. Raises Refused with its `userErrors`."""
        (payload,) = (await self.ask(document, **variables)).values()
        if payload["userErrors"]:
            raise Refused(payload["userErrors"])
        result: dict[str, Any] = payload
        return result

    async def put(self, url: str, body: bytes) -> httpx.Response:
        """Upload bytes to an address that the API handed out."""
        return await self.http.put(url, content=body)

    @asynccontextmanager
    async def subscribe(self, document: str, /, **variables: Any) -> AsyncIterator[Subscription]:
        """A running subscription; leaving the block ends it."""
        address = self.base_url.replace("http", "ws", 1) + "/graphql"
        async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as socket:
            subscription = Subscription(socket)
            await subscription.begin(self._token, document, variables)
            yield subscription


class Subscription:
    """The answers of one subscription, in order."""

    _ids = itertools.count(1)

    def __init__(self, socket: ClientConnection):
        self._socket = socket
        self._id = f"operation-{next(self._ids)}"

    async def begin(self, token: str, document: str, variables: Mapping[str, Any]) -> None:
        """Say who we are and what we want."""
        await self._send({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        assert (await self._receive())["type"] == "connection_ack"
        payload = {"query": document, "variables": variables}
        await self._send({"id": self._id, "type": "subscribe", "payload": payload})

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        """The value of the next answer's only field. Raises Refused."""
        while True:
            message = await self._receive()
            match message["type"]:
                case "ping":
                    await self._send({"type": "pong"})
                case "next":
                    if message["payload"].get("errors"):
                        raise Refused(message["payload"]["errors"])
                    (value,) = message["payload"]["data"].values()
                    return value
                case "error":
                    raise Refused(message["payload"])
                case "complete":
                    raise StopAsyncIteration

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(message))

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self._socket.recv())
        return message
