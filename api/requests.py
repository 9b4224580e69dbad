"""Small parts of HTTP that several endpoints share: headers, bounded bodies, answers, request ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from api.errors import as_dict, told
from core.errors import ClarionError, LimitReached
from core.ids import random_name

JSON_TYPE = b"application/json"
REQUEST_ID = b"x-request-id"
TOO_MANY_CALLS = "TOO_MANY_CALLS"  # the code of what will be taken in a moment

encode_json = msgspec.json.encode

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ClientGone(Exception):
    """The connection was lost before the request was complete."""


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name (lower case)."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def request_id(scope: Scope) -> str:
    """The id that the middleware gave to this request."""
    found: str | None = scope.get("clarion.request_id")
    return found if found is not None else choose_request_id(scope)


def choose_request_id(scope: Scope) -> str:
    """The client's own id if it is a decent one, else a fresh one."""
    given = header(scope, REQUEST_ID)
    return given if given is not None and _REQUEST_ID.fullmatch(given) else random_name(12)


def bearer(value: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header (RFC 6750)."""
    scheme, _, token = (value or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def split_origins(text: str) -> list[str]:
    """Origins of a setting, separated by commas."""
    return [origin.strip().rstrip("/") for origin in text.split(",") if origin.strip()]


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises LimitReached (BODY_TOO_LARGE), ClientGone."""
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(limit: int) -> LimitReached:
    return LimitReached(
        f"the request body is larger than {limit} bytes",
        code="BODY_TOO_LARGE",
        hint="Send less at once; files go to the upload addresses that the API hands out.",
    )


async def respond(
    send: Send, status: int, body: bytes, *, kind: bytes = JSON_TYPE, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send a whole answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", kind),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def respond_error(
    send: Send, error: ClarionError, request_id: str, *, status: int | None = None, more: Mapping[str, Any] | None = None
) -> None:
    """Answer with one error of the tree, in the shape of GraphQL's errors; `more` stands beside it."""
    chosen = status or http_status(error)
    headers: list[tuple[bytes, bytes]] = []
    if chosen == 401:
        headers.append((b"www-authenticate", b'Bearer realm="clarion"'))
    if chosen == 503 or error.code == TOO_MANY_CALLS:
        headers.append((b"retry-after", b"5"))
    body: dict[str, Any] = {"errors": [as_dict(error, request_id)], **(more or {})}
    await respond(send, chosen, encode_json(body), headers=tuple(headers))


def http_status(error: ClarionError) -> int:
    """The status of an error outside GraphQL."""
    return 413 if error.code == "BODY_TOO_LARGE" else told(error).status
