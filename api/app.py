"""The API as one ASGI application: public pages in front, then GraphQL, files and probes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import Authenticator
from api.context import CHANNELS, SCHEMA, WATCHES
from api.errors import translate
from api.graphql.door import GraphQLDoor
from api.graphql.limits import Limits
from api.graphql.live import Watches
from api.graphql.present import PresentSchema
from api.graphql.schema import make_schema
from api.graphql.websocket import WebSocketDoor
from api.http import explorer
from api.http.events import EventDoor
from api.http.files import FileDoor
from api.http.health import health, metrics, ready
from api.http.tracking import PublicPages
from api.middleware import RequestIds
from api.requests import split_origins
from core.accounts.last_used import LastUsed
from core.channel_registry import ChannelRegistry
from core.config import Settings
from core.log import get_logger
from core.runtime import Runtime, open_runtime
from migrations.runner import DatabaseTooNew, DatabaseTooOld, check_schema

log = get_logger("clarion.api")

LAST_USED_SECONDS = 15.0


class App:
    """The ASGI application. Opens what it needs when the server starts it (lifespan), or when `start` is called."""

    def __init__(self, source: Settings | Runtime):
        self._source = source
        self._stack = AsyncExitStack()
        self._app: ASGIApp | None = None
        self._runtime: Runtime | None = None

    @property
    def runtime(self) -> Runtime:
        """What the requests share; there once started."""
        assert self._runtime is not None, "the application was not started"
        return self._runtime

    async def start(self) -> None:
        """Open everything. Raises what keeps the API from serving: no database, another schema version, bad keys."""
        try:
            self._runtime = await self._open_runtime()
            self._app = await self._build(self._runtime)
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Close what was opened, in reverse."""
        if self._runtime is not None:
            self._runtime.stopping.set()
        await self._stack.aclose()

    async def _open_runtime(self) -> Runtime:
        if isinstance(self._source, Runtime):
            return self._source
        if self._source.database_url is not None:
            await check_schema(self._source.database_url)
        return await self._stack.enter_async_context(open_runtime(self._source, "api"))

    async def _build(self, runtime: Runtime) -> ASGIApp:
        runtime.resources.setdefault(CHANNELS, ChannelRegistry.load())
        pages = PublicPages(runtime)
        await pages.start()
        self._stack.push_async_callback(pages.stop)
        watches = runtime.resources[WATCHES] = Watches(runtime.pool)
        self._stack.push_async_callback(watches.close)
        uses = LastUsed()
        await self._stack.enter_async_context(_Flushing(runtime, uses))
        limits = Limits(depth=runtime.settings.graphql_max_depth, cost=runtime.settings.graphql_max_cost)
        present = runtime.resources[SCHEMA] = PresentSchema(runtime, make_schema()._schema, limits)
        await present.start()
        self._stack.push_async_callback(present.stop)
        inner = _routes(runtime, Authenticator(runtime, uses))
        return pages.in_front_of(RequestIds(inner))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert self._app is not None, "the application was not started"
        await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            await self.start()
        except Exception as error:
            known = translate(error)
            if known is None and not isinstance(error, DatabaseTooNew | DatabaseTooOld):
                log.error("the API cannot start", exc_info=error)
            await send({"type": "lifespan.startup.failed", "message": _reason(known or error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _reason(error: Exception) -> str:
    """What keeps the API from starting, and what to do."""
    hint = getattr(error, "hint", None)
    return f"{error}. {hint}" if hint else str(error)


def _routes(runtime: Runtime, authenticator: Authenticator) -> ASGIApp:
    settings = runtime.settings
    graphql = GraphQLDoor(runtime, runtime.resources[SCHEMA], authenticator)
    app = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["POST"]),
            *(_explorer_routes() if settings.explorer else ()),
            WebSocketRoute("/graphql", WebSocketDoor(graphql)),
            Route("/events", EventDoor(runtime, authenticator), methods=["POST"]),
            Route("/files/{ticket}", FileDoor(runtime), methods=["GET", "PUT", "POST"]),
            Route("/health", health),
            Route("/ready", ready),
            Route("/metrics", metrics),
        ],
        exception_handlers={404: _not_found, 405: _wrong_method},
    )
    app.state.runtime = runtime
    origins = split_origins(settings.cors_origins)
    return _with_cors(app, origins) if origins else app


def _explorer_routes() -> list[Route]:
    return [
        Route("/", explorer.front_page, methods=["GET"]),
        Route("/graphql", explorer.page, methods=["GET"]),
        Route("/graphql/assets/{name}", explorer.asset, methods=["GET"]),
    ]


def _with_cors(app: ASGIApp, origins: list[str]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["authorization", "content-type", "idempotency-key", "x-request-id"],
        expose_headers=["x-request-id", "idempotent-replay"],
        max_age=600,
    )


class _Flushing:
    """Stores when tokens were last used, now and then and at the end."""

    def __init__(self, runtime: Runtime, uses: LastUsed):
        self._runtime = runtime
        self._uses = uses

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with suppress(Exception):  # the database may be gone first; the column is true to about a minute
            await self._flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LAST_USED_SECONDS)
            if self._uses.is_due(self._runtime.clock()):
                try:
                    await self._flush()
                except Exception as error:
                    log.warning("cannot store when tokens were used", reason=str(error))

    async def _flush(self) -> None:
        async with self._runtime.pool.acquire() as conn:
            await self._uses.flush(conn, self._runtime.clock())


async def _not_found(request: object, error: Exception) -> JSONResponse:
    return _problem(404, "NOT_FOUND", "there is nothing at this address", "GraphQL is at /graphql.")


async def _wrong_method(request: object, error: Exception) -> JSONResponse:
    return _problem(405, "METHOD_NOT_ALLOWED", "this address does not take that method", "Send GraphQL with POST.")


def _problem(status: int, code: str, message: str, hint: str) -> JSONResponse:
    return JSONResponse({"errors": [{"message": message, "extensions": {"code": code, "hint": hint}}]}, status)
