"""What surrounds every API request, as plain ASGI: its id. Tracking pages are answered before they come here."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from api.requests import REQUEST_ID, choose_request_id


class RequestIds:
    """Gives every request an id: the client's own if it sent a decent one. Logged with every line and sent back."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its id."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        chosen = choose_request_id(scope)
        scope["clarion.request_id"] = chosen

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message.setdefault("headers", [])
                message["headers"] = [*message["headers"], (REQUEST_ID, chosen.encode())]
            await send(message)

        with bound_contextvars(request_id=chosen):
            await self.app(scope, receive, send_with_id)
