"""GraphQL subscriptions over WebSocket (graphql-transport-ws), as any client would hold them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from core.errors import Conflict, Unavailable

PROTOCOL = Subprotocol("graphql-transport-ws")


@asynccontextmanager
async def subscription(url: str, token: str, query: str, **variables: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The answers of one subscription, each its `data`; the server has accepted the connection when the block begins.

    Raises Unavailable when the connection fails, Conflict when the subscription does.
    """
    try:
        async with connect(
            f"ws{url.removeprefix('http')}/graphql", subprotocols=[PROTOCOL], max_size=None, proxy=None
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
            acknowledged = json.loads(await socket.recv())
            if acknowledged["type"] != "connection_ack":
                raise Unavailable(f"the subscription was answered with {acknowledged}")
            payload = {"query": query, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            async with aclosing(_answers(socket)) as answers:
                yield answers
    except (OSError, WebSocketException) as error:
        raise Unavailable(f"the subscription broke: {error}") from error


async def _answers(socket: ClientConnection) -> AsyncGenerator[dict[str, Any]]:
    async for text in socket:
        message = json.loads(text)
        match message["type"]:
            case "next":
                payload = message["payload"]
                if payload.get("errors"):
                    raise Conflict(f"the subscription failed: {payload['errors'][0]['message']}")
                yield payload["data"]
            case "error":
                raise Conflict(f"the subscription failed: {message['payload'][0]['message']}")
            case "ping":
                await socket.send('{"type": "pong"}')
            case "complete":
                return
