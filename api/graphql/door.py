"""POST /graphql: from a request to its answer.

The steps, in order: size, content type, token, JSON, document (parse, bounds, validation), permissions and cost; then a query
over one connection, or a mutation in one transaction.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from graphql import OperationType
from graphql.execution import ExecutionResult
from starlette.types import Receive, Scope, Send

from api.auth import Authenticator
from api.context import ConnectionLease, RequestContext, connection, lease_of
from api.errors import format_graphql_errors, format_request_errors, internal, translate
from api.graphql.execution import LeafExecutor, build_executor, run
from api.graphql.prepare import BadDocument, Documents, Prepared
from api.graphql.present import PresentSchema
from api.metrics import OPERATION_SECONDS, OPERATIONS
from api.requests import (
    ClientGone,
    bearer,
    encode_json,
    header,
    http_status,
    read_body,
    request_id,
    respond,
    respond_error,
)
from core import idempotency
from core.access import Actor
from core.errors import Invalid
from core.log import get_logger
from core.runtime import Runtime

log = get_logger("clarion.api.graphql")

OPERATION_SECONDS_MOST = 60.0  # a query or mutation that runs longer is cancelled
GRAPHQL_TYPE = b"application/graphql-response+json"
REPLAYED = ((b"idempotent-replay", b"true"),)

Answer = tuple[bytes, tuple[tuple[bytes, bytes], ...]]


class GraphQLRequest(msgspec.Struct):
    """The body of a request (GraphQL over HTTP)."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None
    extensions: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(GraphQLRequest)


class GraphQLDoor:
    """The ASGI endpoint."""

    def __init__(self, runtime: Runtime, present: PresentSchema, authenticator: Authenticator):
        self.runtime = runtime
        self.present = present
        self.authenticator = authenticator

    @property
    def documents(self) -> Documents:
        """Prepared operations of the schema as it is now."""
        return self.present.documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong becomes an answer too."""
        asked = request_id(scope)
        try:
            kind = GRAPHQL_TYPE if GRAPHQL_TYPE.decode() in (header(scope, b"accept") or "") else b"application/json"
            body, headers = await self.answer(scope, receive, asked)
            await respond(send, 200, body, kind=kind, headers=headers)
        except ClientGone:
            return
        except BadDocument as error:
            await respond(send, 400, encode_json({"errors": format_request_errors(error.errors)}))
        except Exception as raised:
            await self._refuse(send, raised, asked)

    async def _refuse(self, send: Send, raised: Exception, asked: str) -> None:
        error = translate(raised)
        if error is None:
            log.error("unexpected error", request_id=asked, exc_info=raised)
            await respond(send, 500, encode_json({"errors": [internal(asked)]}))
            return
        # The request as a whole is refused: a document that is too large or too deep is a bad request, not a busy server.
        status = http_status(error)
        await respond_error(send, error, asked, status=400 if status in (404, 429) else status)

    async def answer(self, scope: Scope, receive: Receive, asked: str) -> Answer:
        """The bytes of the answer. Raises ClarionError for a request that is refused as a whole."""
        if (header(scope, b"content-type") or "").partition(";")[0].strip().lower() != "application/json":
            raise Invalid(
                "the content type must be application/json", code="BAD_CONTENT_TYPE",
                hint="Send POST with Content-Type: application/json.",
            )  # fmt: skip
        body = await read_body(scope, receive, self.runtime.settings.graphql_max_bytes)
        actor = await self.authenticator.actor(bearer(header(scope, b"authorization")), asked)
        request = decode_request(body)
        prepared = self.documents.prepare(request.query, request.operationName)
        prepared.check(actor, request.variables or {}, self.documents.limits)
        if prepared.kind is OperationType.SUBSCRIPTION:
            raise Invalid(
                "subscriptions are not answered over HTTP", code="USE_WEBSOCKET",
                hint="Open a WebSocket to this address with the sub-protocol graphql-transport-ws.",
            )  # fmt: skip
        return await self.run(prepared, request, actor, asked, header(scope, b"idempotency-key"))

    async def run(self, prepared: Prepared, request: GraphQLRequest, actor: Actor, asked: str, key: str | None) -> Answer:
        """Run a query or mutation that was let in."""
        started = time.perf_counter()
        async with asyncio.timeout(OPERATION_SECONDS_MOST):
            if prepared.kind is OperationType.MUTATION:
                answer = await self.mutate(prepared, request, actor, asked, key)
            else:
                answer = await self.query(prepared, request, actor, asked), ()
        OPERATION_SECONDS.labels(prepared.kind.value).observe(time.perf_counter() - started)
        return answer

    def context(self, actor: Actor, asked: str, lease: ConnectionLease) -> RequestContext:
        """What the resolvers of one request see."""
        return RequestContext(
            runtime=self.runtime,
            actor=actor,
            request_id=asked,
            now=self.runtime.clock(),
            lease=lease,
            forget_tokens=self.authenticator.forget_all,
        )

    async def query(self, prepared: Prepared, request: GraphQLRequest, actor: Actor, asked: str) -> bytes:
        """Run a query over one connection, taken when the first resolver needs it."""
        context = self.context(actor, asked, lease_of(self.runtime))
        result = await self._execute(prepared, request, context)
        return self._encode(prepared, result, asked)

    async def mutate(self, prepared: Prepared, request: GraphQLRequest, actor: Actor, asked: str, key: str | None) -> Answer:
        """Run a mutation in one transaction; keep the answer in it when the client sent an idempotency key.

        A refused mutation leaves nothing: alone, it rolls the transaction back; beside others, its savepoint. Any entry in
        `errors` rolls everything back, the key included, so that the request may be sent again.
        """
        if key is not None:
            idempotency.check_key(key)
        try:
            async with connection(self.runtime.pool) as conn, conn.transaction():
                if key is not None:
                    stored = await idempotency.claim(conn, self.runtime.keyring, actor.name, key, canonical(request))
                    if stored is not None:
                        return stored, REPLAYED
                context = self.context(actor, asked, ConnectionLease(self.runtime.pool, conn))
                context.savepoints = key is not None or prepared.analysis.root_fields > 1
                result = await self._execute(prepared, request, context)
                if result.errors:
                    result = ExecutionResult(None, result.errors)
                body = self._encode(prepared, result, asked)
                if result.errors or context.failed:
                    raise _RolledBack(body)
                if key is not None:
                    await idempotency.keep_answer(conn, self.runtime.keyring, actor.name, key, body)
        except _RolledBack as rolled_back:
            return rolled_back.body, ()
        for act in context.after_commit:
            act()
        return body, ()

    async def _execute(self, prepared: Prepared, request: GraphQLRequest, context: RequestContext) -> ExecutionResult:
        executor = build_executor(prepared, context, request.variables or {})
        if isinstance(executor, LeafExecutor):
            return await run(executor)
        raise BadDocument(list(executor))

    def _encode(self, prepared: Prepared, result: ExecutionResult, asked: str) -> bytes:
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = format_graphql_errors(result.errors, asked)
        OPERATIONS.labels(prepared.kind.value, "error" if result.errors else "ok").inc()
        return encode_json(answer)


class _RolledBack(Exception):
    """Leaves the transaction without committing it; carries the answer out."""

    def __init__(self, body: bytes):
        super().__init__()
        self.body = body


def decode_request(body: bytes) -> GraphQLRequest:
    """Raises Invalid (BAD_JSON, BATCH_REFUSED)."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if body.lstrip()[:1] == b"[":
            raise Invalid(
                "several operations in one request are not taken", code="BATCH_REFUSED",
                hint="Put the fields into one operation, or send several requests.",
            ) from None  # fmt: skip
        raise Invalid(
            f"the body is not a GraphQL request: {error}", code="BAD_JSON",
            hint='Send {"query": "…", "variables": {…}}.',
        ) from None  # fmt: skip
    except RecursionError:
        raise Invalid("the body nests too deeply", code="BAD_JSON", hint="Send flatter variables.") from None


def key_of(request: GraphQLRequest) -> str | None:
    """The idempotency key among its extensions, where a WebSocket puts it. Raises Invalid (BAD_IDEMPOTENCY_KEY)."""
    key = (request.extensions or {}).get("idempotencyKey")
    if key is None or isinstance(key, str):
        return key
    raise Invalid(
        "an idempotency key is a string", code="BAD_IDEMPOTENCY_KEY", path="extensions.idempotencyKey",
        hint="Send a fresh UUID with each new request.",
    )  # fmt: skip


def canonical(request: GraphQLRequest) -> bytes:
    """The same bytes for the same request, however its JSON was spelled."""
    return msgspec.json.encode([request.query, request.operationName, request.variables or {}], order="sorted")
