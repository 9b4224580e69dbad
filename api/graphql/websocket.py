"""GraphQL over WebSocket: the graphql-transport-ws protocol, for subscriptions, queries and mutations alike.

A client says who it is in `connection_init` ({"authorization": "Bearer …"}) or in the handshake's Authorization header.
Mutations go the same way as over HTTP; their idempotency key travels in the operation's `extensions`
({"idempotencyKey": "…"}).

Nothing is ever dropped in silence. A stream is read no faster than the client takes it. A client that takes nothing for
`SLOW_SECONDS` loses its operations and is told so, with an error per operation and the close code 4008, as soon as it
reads again. Streams have cursors, so it can go on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from graphql import GraphQLError, OperationType
from graphql.execution import ExecutionResult, create_source_event_stream
from starlette.types import Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_allowed_origins, normalize_origin

from api.context import ConnectionLease
from api.errors import as_dict, format_graphql_errors, format_request_errors, internal, translate
from api.graphql.door import GraphQLDoor, GraphQLRequest, key_of
from api.graphql.events import EventAnswers
from api.graphql.execution import LeafExecutor, build_executor
from api.graphql.prepare import BadDocument, Prepared
from api.metrics import SLOW_CLIENTS, SOCKETS, SUBSCRIPTIONS
from api.requests import bearer, encode_json, header, request_id, split_origins
from core.access import Actor
from core.errors import Invalid, LimitReached, Unauthenticated
from core.log import get_logger

log = get_logger("clarion.api.websocket")

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS = 10.0  # to say who one is
SLOW_SECONDS = 20.0  # a client that takes nothing for so long is too slow
LAST_WORD_SECONDS = 60.0  # how long a slow client may take to read that it was
RECHECK_SECONDS = 30.0  # how often a token is looked at again while its connection is open
OPERATIONS_MOST = 100  # of one connection at once

BAD_MESSAGE, UNAUTHORIZED, FORBIDDEN, NO_PROTOCOL = 4400, 4401, 4403, 4406
INIT_TIMEOUT, TOO_SLOW, DUPLICATE, TOO_MANY_INITS = 4408, 4008, 4409, 4429
GONE, TRY_LATER = 1006, 1013


class Close(Exception):
    """Ends the connection with a code that the client sees."""

    def __init__(self, code: int, reason: str):
        super().__init__(reason)
        self.code = code
        self.reason = reason[:120]  # a close frame holds 123 bytes


class NotStarted(Exception):
    """A subscription's resolver raised before its first event."""

    def __init__(self, errors: list[GraphQLError]):
        super().__init__()
        self.errors = errors


class Message(msgspec.Struct):
    """A message of the client."""

    type: str
    id: str | None = None
    payload: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(Message)


class Socket:
    """One connection: reads messages in its own task, runs each operation in another, writes one message at a time."""

    def __init__(self, door: GraphQLDoor, scope: Scope, receive: Receive, send: Send):
        self.door = door
        self.scope = scope
        self.receive = receive
        self._send = send
        self._writing = asyncio.Lock()
        self.request_id = request_id(scope)
        self.token: str | None = bearer(header(scope, b"authorization"))
        self.initialised = False
        self.operations: dict[str, asyncio.Task[None]] = {}
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the connection to its end."""
        await self.receive()  # websocket.connect
        if PROTOCOL not in self.scope["subprotocols"]:
            await self._send({"type": "websocket.accept"})
            await self._send({"type": "websocket.close", "code": NO_PROTOCOL, "reason": f"speak {PROTOCOL}"})
            return
        await self._send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        with SOCKETS.track_inprogress():
            try:
                await self._serve()
            except Close as close:
                await self._close(close)
            finally:
                self._broken.cancel()
                await self._end_operations()

    async def _serve(self) -> None:
        """Until the client leaves, or something ends the connection from our side."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]
        try:
            done, _ = await asyncio.wait({*tasks, self._broken}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(INIT_SECONDS) as patience:
                while (message := await self._next()) is not None:
                    await self._handle(message)
                    if self.initialised:
                        patience.reschedule(None)
        except TimeoutError:
            raise Close(INIT_TIMEOUT, "Connection initialisation timeout") from None

    async def _next(self) -> Message | None:
        event = await self.receive()
        if event["type"] == "websocket.disconnect":
            return None
        text = event.get("text")
        if text is None:
            raise Close(BAD_MESSAGE, "messages must be text")
        if len(text) > self.door.runtime.settings.graphql_max_bytes:
            raise Close(BAD_MESSAGE, "the message is too large")
        try:
            return _decoder.decode(text)
        except (msgspec.DecodeError, RecursionError):
            raise Close(BAD_MESSAGE, "this is not a message of the protocol") from None

    async def _handle(self, message: Message) -> None:
        match message.type:
            case "connection_init":
                await self._init(message.payload or {})
            case "subscribe":
                self._start(message)
            case "complete":
                self._cancel(message.id)
            case "ping":
                await self.write({"type": "pong"})
            case "pong":
                pass
            case other:
                raise Close(BAD_MESSAGE, f"unknown message type {other[:40]!r}")

    async def _init(self, payload: dict[str, Any]) -> None:
        if self.initialised:
            raise Close(TOO_MANY_INITS, "Too many initialisation requests")
        given = payload.get("authorization", payload.get("Authorization"))
        if isinstance(given, str):
            self.token = bearer(given)
        await self._authenticate()
        self.initialised = True
        await self.write({"type": "connection_ack"})

    async def _identify(self) -> Actor:
        """Who holds the token now. Raises Close (FORBIDDEN) for one that is no good."""
        try:
            return await self.door.authenticator.actor(self.token, self.request_id)
        except Unauthenticated as refusal:
            raise Close(FORBIDDEN, refusal.message) from None

    async def _authenticate(self) -> None:
        """Raises Close: FORBIDDEN for a token that is no good, TRY_LATER when nobody can say."""
        try:
            await self._identify()
        except Close:
            raise
        except Exception as raised:
            error = translate(raised)
            if error is None:
                raise
            raise Close(TRY_LATER, error.message) from None

    async def _watch(self) -> None:
        """Close the connection of a token that was revoked or has expired."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            if self.initialised:
                try:
                    await self._authenticate()
                except Close as close:
                    if close.code != TRY_LATER:
                        raise

    def _start(self, message: Message) -> None:
        if not self.initialised:
            raise Close(UNAUTHORIZED, "Unauthorized")
        if message.id is None or message.payload is None:
            raise Close(BAD_MESSAGE, "subscribe needs an id and a payload")
        if message.id in self.operations:
            raise Close(DUPLICATE, f"Subscriber for {message.id[:60]} already exists")
        full = len(self.operations) >= OPERATIONS_MOST
        self.operations[message.id] = asyncio.create_task(self._operate(message.id, message.payload, full))

    def _cancel(self, operation_id: str | None) -> None:
        task = self.operations.pop(operation_id or "", None)
        if task is not None:
            task.cancel()

    async def _operate(self, operation_id: str, payload: dict[str, Any], full: bool) -> None:
        """Run one operation to its end, and say how it ended; refuse it on a connection that is full."""
        try:
            if full:
                raise LimitReached(
                    f"a connection runs at most {OPERATIONS_MOST} operations at once", code="TOO_MANY_OPERATIONS",
                    hint="Complete some first.",
                )  # fmt: skip
            async with aclosing(self._answers(payload)) as answers:
                async for answer in answers:
                    await self.write({"id": operation_id, "type": "next", "payload": answer})
        except Close as close:
            self._break(close)
            return
        except Exception as raised:
            last: dict[str, Any] = {"id": operation_id, "type": "error", "payload": self._told(raised)}
        else:
            last = {"id": operation_id, "type": "complete"}
        if self.operations.pop(operation_id, None) is not None:
            try:
                await self.write(last)
            except Close as close:
                self._break(close)

    def _break(self, close: Close) -> None:
        """End the connection from the task of an operation."""
        if not self._broken.done():
            self._broken.set_exception(close)

    def _told(self, raised: Exception) -> list[dict[str, Any]]:
        if isinstance(raised, BadDocument):
            return format_request_errors(raised.errors)
        if isinstance(raised, NotStarted):
            return format_graphql_errors(raised.errors, self.request_id)
        error = translate(raised)
        if error is None:
            log.error("unexpected error", request_id=self.request_id, exc_info=raised)
            return [internal(self.request_id)]
        return [as_dict(error, self.request_id)]

    async def _answers(self, payload: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """What is to be sent for an operation, one by one. Raises ClarionError when it is refused as a whole."""
        try:
            request = msgspec.convert(payload, GraphQLRequest)
        except msgspec.ValidationError as error:
            raise Invalid(f"the payload is not a GraphQL request: {error}", code="BAD_JSON") from None
        actor = await self._identify()  # again: it may have been revoked since the connection was opened
        prepared = self.door.documents.prepare(request.query, request.operationName)
        variables = request.variables or {}
        prepared.check(actor, variables, self.door.documents.limits)
        if prepared.kind is not OperationType.SUBSCRIPTION:
            body, _ = await self.door.run(prepared, request, actor, self.request_id, key_of(request))
            yield msgspec.Raw(body)
            return
        with SUBSCRIPTIONS.track_inprogress():
            async with aclosing(self._stream(prepared, variables, actor)) as answers:
                async for answer in answers:
                    yield answer

    async def _stream(self, prepared: Prepared, variables: dict[str, Any], actor: Actor) -> AsyncGenerator[Any, None]:
        context = self.door.context(actor, self.request_id, ConnectionLease(self.door.runtime.pool))
        executor = build_executor(prepared, context, variables)
        if not isinstance(executor, LeafExecutor):
            raise BadDocument(list(executor))
        source: Any = create_source_event_stream(executor)
        if executor.is_awaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            raise NotStarted(source.errors or [])
        answers = EventAnswers(executor, prepared, self.request_id)
        async with aclosing(source) as events:
            async for event in events:
                yield await answers.answer(event)

    async def write(self, message: dict[str, Any]) -> None:
        """Send one message, as soon as the client has taken the ones before. Raises Close when it does not."""
        text = encode_json(message).decode()
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                async with self._writing:
                    await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise Close(TOO_SLOW, "too slow: resume from your cursor") from None
        except OSError:
            raise Close(GONE, "the client is gone") from None

    async def _close(self, close: Close) -> None:
        """Say why, if the client still listens."""
        ended = list(self.operations)
        await self._end_operations()
        if close.code == GONE:
            return
        if close.code == TOO_SLOW:
            SLOW_CLIENTS.inc()
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(LAST_WORD_SECONDS):
                if close.code == TOO_SLOW:
                    for operation_id in ended:
                        await self._send_error(operation_id, close.reason)
                await self._send({"type": "websocket.close", "code": close.code, "reason": close.reason})

    async def _send_error(self, operation_id: str, reason: str) -> None:
        error = LimitReached(reason, code="CLIENT_TOO_SLOW", hint="Read faster, or ask for fewer fields.")
        message = {"id": operation_id, "type": "error", "payload": [as_dict(error, self.request_id)]}
        await self._send({"type": "websocket.send", "text": encode_json(message).decode()})

    async def _end_operations(self) -> None:
        running, self.operations = self.operations, {}
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


class WebSocketDoor:
    """The ASGI endpoint of the WebSocket: turns pages of foreign origins away, serves the rest."""

    def __init__(self, door: GraphQLDoor):
        self.door = door
        self.origins = normalize_allowed_origins(split_origins(door.runtime.settings.websocket_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if not self.allows(header(scope, b"origin"), header(scope, b"host")):
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before accepting: the handshake gets 403
            return
        await Socket(self.door, scope, receive, send).run()

    def allows(self, origin: str | None, host: str | None) -> bool:
        """Programs send no Origin; pages must come from this server or from a listed origin."""
        if origin is None or is_same_origin(origin, host) or "*" in self.origins:
            return True
        return normalize_origin(origin) in self.origins
