"""What recipients reach: tracked links, the open pixel, the mirror page, unsubscribing.

Bare ASGI, in front of everything else: a storm of clicks pays for no router, middleware or validation. A hit is answered
only once it is committed. GET shows and POST acts; HEAD answers like GET and stores nothing. A token that is forged, altered
or made with a key that is gone gets one neutral page, whatever is wrong with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import public_pages as pages
from core.errors import NotFound, Unavailable
from core.log import get_logger
from core.public_urls import is_counted
from core.runtime import Runtime
from core.tracking.process import Tracking, open_tracking
from core.tracking.records import USER_AGENT_LENGTH, Hit, Message, TrackingKind
from core.tracking.sent import Gone
from render_ext import Token, TokenKind

RETRY_AFTER_SECONDS = 5
BODY_LIMIT = 64 * 1024  # bytes read of a form

_log = get_logger(__name__)

Header = tuple[bytes, bytes]

_ALWAYS: list[Header] = [
    (b"cache-control", b"no-store"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
_HTML: list[Header] = [
    *_ALWAYS,
    (b"content-type", b"text/html; charset=utf-8"),
]
_OURS: list[Header] = [
    *_HTML,
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
]
# What an author wrote is foreign HTML: no scripts, no forms, no origin of ours; its links may open, its pictures may load.
_MIRROR: list[Header] = [
    *_HTML,
    (
        b"content-security-policy",
        b"sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation; "
        b"default-src 'none'; img-src * data:; media-src *; font-src * data:; style-src * 'unsafe-inline'; "
        b"form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
]
_GIF: list[Header] = [*_ALWAYS, (b"content-type", b"image/gif")]


class _Answer(Exception):
    """An answer that ends the work on a request."""

    def __init__(self, status: int, headers: list[Header], body: bytes):
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


_Handler = Callable[[Scope, Receive, Send, Token], Awaitable[None]]


class PublicPages:
    """The ASGI app of everything recipients reach. Start it with the process, stop it before the pool closes."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._clock = runtime.clock
        self._prefix = urlsplit(runtime.settings.base_url).path.rstrip("/")
        self._tracking: Tracking | None = None
        self._handlers: dict[str, tuple[TokenKind, _Handler]] = {
            "c": (TokenKind.CLICK, self._click),
            "o": (TokenKind.OPEN, self._open),
            "m": (TokenKind.MIRROR, self._mirror),
            "u": (TokenKind.UNSUBSCRIBE, self._unsubscribe),
        }

    async def start(self) -> None:
        """Open the process's tracking (`core.tracking.process.tracking_of`)."""
        self._tracking = await open_tracking(self._runtime)

    async def stop(self) -> None:
        """Commit what waits and let go of the database."""
        tracking, self._tracking = self._tracking, None
        if tracking is not None:
            await tracking.close()

    def in_front_of(self, app: ASGIApp) -> ASGIApp:
        """An app that answers recipients itself and hands everything else to `app`."""

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and self._names_us(scope["path"]):
                await self(scope, receive, send)
            else:
                await app(scope, receive, send)

        return front

    def routes(self) -> list[BaseRoute]:
        """The same as routes, for an app that wants them in its own router."""
        return [Mount(f"{self._prefix}/{letter}", app=self) for letter in self._handlers]

    def _names_us(self, path: str) -> bool:
        path = path.removeprefix(self._prefix)
        return len(path) > 2 and path[2] == "/" and path[1] in self._handlers and path[0] == "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            path: str = scope["path"].removeprefix(self._prefix)
            kind, handler = self._handlers[path[1]]
            token = self._open_tracking.urls.read(path[3:])
            if token is None or token.kind != kind or not _is_possible(token):
                raise _neutral()
            await handler(scope, receive, send, token)
        except _Answer as answer:
            await _send(scope, send, answer.status, answer.headers, answer.body)
        except Gone:
            await _send(scope, send, 410, _OURS, pages.GONE)
        except NotFound:
            await _send(scope, send, 404, _OURS, pages.NOT_FOUND)
        except Unavailable:
            retry = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
            await _send(scope, send, 503, [*_OURS, retry], pages.UNAVAILABLE)

    @property
    def _open_tracking(self) -> Tracking:
        if self._tracking is None:
            raise Unavailable("the public pages are not open")
        return self._tracking

    async def _click(self, scope: Scope, receive: Receive, send: Send, token: Token) -> None:
        tracking = self._open_tracking
        reads = _reads(scope)
        target = await tracking.sent.target(token)
        if reads:
            await tracking.recorder.record(self._hit(scope, TrackingKind.CLICK, token, target.url))
        await _send(scope, send, 302, [*_ALWAYS, (b"location", target.location.encode("latin-1"))], b"")

    async def _open(self, scope: Scope, receive: Receive, send: Send, token: Token) -> None:
        if _reads(scope):
            await self._open_tracking.recorder.record(self._hit(scope, TrackingKind.OPEN, token))
        await _send(scope, send, 200, _GIF, pages.GIF)

    async def _mirror(self, scope: Scope, receive: Receive, send: Send, token: Token) -> None:
        tracking = self._open_tracking
        reads = _reads(scope)
        parts = await tracking.sent.parts(message_of(token))
        if reads and is_counted(token):
            await tracking.recorder.record(self._hit(scope, TrackingKind.MIRROR, token))
        if parts.html is not None:
            await _send(scope, send, 200, _MIRROR, parts.html.encode())
        else:
            await _send(scope, send, 200, _OURS, pages.text_page(parts.subject, parts.text or ""))

    async def _unsubscribe(self, scope: Scope, receive: Receive, send: Send, token: Token) -> None:
        unsubscriptions = self._open_tracking.unsubscriptions
        if scope["method"] != "POST":
            _reads(scope, "GET, HEAD, POST")
            page = pages.confirm_page(await unsubscriptions.offer(token.delivery_id))
            await _send(scope, send, 200, _OURS, page)
            return
        # The button of the page, or RFC 8058's List-Unsubscribe=One-Click: any form leaves what the delivery names, as the
        # token says it all, but for the one that asks for the whole channel.
        whole_channel = _asks_for_channel(await _form(receive))
        await unsubscriptions.act(self._hit(scope, TrackingKind.UNSUBSCRIBE, token), whole_channel=whole_channel)
        page = pages.unsubscribed_page(await unsubscriptions.offer(token.delivery_id), whole_channel=whole_channel)
        await _send(scope, send, 200, _OURS, page)

    def _hit(self, scope: Scope, kind: TrackingKind, token: Token, url: str | None = None) -> Hit:
        return Hit(
            at=self._clock(),
            kind=kind,
            delivery_id=token.delivery_id,
            recipient_kind=token.recipient_kind,
            recipient_id=token.recipient_id,
            occurrence=token.occurrence,
            link=token.link,
            link_occurrence=token.link_occurrence,
            url=url,
            user_agent=_user_agent(scope),
        )


def message_of(token: Token) -> Message:
    """Whose message a token is about."""
    return Message(
        delivery_id=token.delivery_id,
        recipient_kind=token.recipient_kind,
        recipient_id=token.recipient_id,
        occurrence=token.occurrence,
    )


def _is_possible(token: Token) -> bool:
    """Whether the numbers are such as the ledger can hold."""
    return token.recipient_kind < 2**15 and max(token.occurrence, token.link, token.link_occurrence) < 2**31


def _reads(scope: Scope, allowed: str = "GET, HEAD") -> bool:
    """Whether this is a GET, to be stored, or a HEAD, to be answered only."""
    method = scope["method"]
    if method == "GET":
        return True
    if method == "HEAD":
        return False
    raise _Answer(405, [*_OURS, (b"allow", allowed.encode())], pages.NOT_ALLOWED)


def _user_agent(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"user-agent":
            text: str = value.decode("latin-1")[:USER_AGENT_LENGTH]
            return text.replace("\0", "")
    return ""


def _neutral() -> _Answer:
    return _Answer(404, _OURS, pages.NOT_FOUND)


async def _form(receive: Receive) -> bytes:
    """The body of a form, to its end. Answers 413 when it has none in sight."""
    body = bytearray()
    while True:
        event: Any = await receive()
        if event["type"] == "http.disconnect":
            return bytes(body)
        body += event.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise _Answer(413, [*_OURS, (b"connection", b"close")], pages.TOO_LARGE)
        if not event.get("more_body", False):
            return bytes(body)


def _asks_for_channel(body: bytes) -> bool:
    return pages.WHOLE_CHANNEL.encode() in parse_qs(body).get(pages.SCOPE.encode(), [])


async def _send(scope: Scope, send: Send, status: int, headers: list[Header], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
