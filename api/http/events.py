"""Many business events at once.

    POST /events   application/x-ndjson (one event a line) or application/json (an array), plain or packed with gzip

The body is read in bounded pieces; each piece is committed before the next one is, and the answer comes when all are. It counts
what was stored and lists what was not. When the connection is lost in the middle whole pieces stay stored, and sending the
same body again stores the rest: events are known by their keys.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from api.auth import Authenticator
from api.errors import internal, public_path, translate
from api.http.bodies import Lines, body_pieces, gunzipped, up_to
from api.http.event_lines import LONGEST_LINE, read_array, read_lines
from api.metrics import EVENTS
from api.requests import TOO_MANY_CALLS, ClientGone, bearer, encode_json, header, request_id, respond, respond_error
from core.access import Actor, Permission, require
from core.db import transaction
from core.errors import ClarionError, Invalid, LimitReached
from core.events.reading import Batch
from core.events.recording import read_ahead, record_events
from core.events.records import OutcomeStatus, SentEvent
from core.log import get_logger
from core.runtime import Runtime

log = get_logger("clarion.api.events")

AT_ONCE = 4  # bodies that one process takes in at once
EVENTS_AT_ONCE = 5_000  # of one transaction
BYTES_AT_ONCE = 4 << 20  # … or less, where events are large
REJECTS_SHOWN = 1_000
ARRAY_BYTES = 16 << 20  # an array is read whole
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})

Line = bytes | msgspec.Raw | None


class EventDoor:
    """The ASGI endpoint of `/events`."""

    def __init__(self, runtime: Runtime, authenticator: Authenticator):
        self._runtime = runtime
        self._authenticator = authenticator
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one body in."""
        asked = request_id(scope)
        intake: _Intake | None = None
        try:
            actor = await self._authenticator.actor(bearer(header(scope, b"authorization")), asked)
            require(actor, Permission.IMPORT)
            lines = self._lines(scope, receive)
            if self._running >= AT_ONCE:
                raise LimitReached(
                    f"{AT_ONCE} bodies are being taken in", code=TOO_MANY_CALLS, hint="Send it again in a moment."
                )
            intake = _Intake(self._runtime, actor)
            self._running += 1
            try:
                await intake.take(lines)
            finally:
                self._running -= 1
            await respond(send, 200, encode_json(intake.answer()))
        except ClientGone:
            return
        except Exception as raised:
            await _refuse(send, raised, asked, intake)

    def _lines(self, scope: Scope, receive: Receive) -> AsyncIterator[Sequence[Line]]:
        """The events of the body as they stand. Raises Invalid (WRONG_CONTENT_TYPE, ENCODING_REFUSED), LimitReached."""
        kind = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
        encoding = (header(scope, b"content-encoding") or "identity").strip().lower()
        if kind not in _LINES and kind != "application/json":
            raise Invalid(
                f"{kind[:80]!r} is not taken here", code="WRONG_CONTENT_TYPE",
                hint="Send one event a line as application/x-ndjson, or an array as application/json.",
            )  # fmt: skip
        if encoding not in ("identity", "gzip"):
            raise Invalid(
                f"the content encoding {encoding[:40]!r} is not taken here", code="ENCODING_REFUSED", hint="Use gzip, or none."
            )
        pieces = body_pieces(receive)
        pieces = up_to(gunzipped(pieces) if encoding == "gzip" else pieces, self._runtime.settings.event_body_max_bytes)
        return _of_array(pieces) if kind == "application/json" else _of_lines(pieces)


class _Intake:
    """One body on its way in. While a portion is being stored the next one is read."""

    def __init__(self, runtime: Runtime, actor: Actor):
        self._runtime = runtime
        self._actor = actor
        self._counts: Counter[OutcomeStatus] = Counter()
        self._taken = 0
        self._rejects: list[dict[str, Any]] = []
        self._storing: asyncio.Task[None] | None = None

    async def take(self, portions: AsyncIterator[Sequence[Line]]) -> None:
        """Store everything. Whatever happens, what was begun is ended: nothing goes on after this."""
        try:
            async for portion in portions:
                read = await asyncio.to_thread(read_lines, portion)
                batch = await self._read_ahead([one for one in read if isinstance(one, SentEvent)])
                await self._stored()
                self._storing = asyncio.create_task(self._store(self._taken, read, batch))
                self._taken += len(portion)
            await self._stored()
        finally:
            with suppress(Exception):
                await asyncio.shield(self._stored())

    async def _stored(self) -> None:
        task, self._storing = self._storing, None
        if task is not None:
            await task

    async def _read_ahead(self, sent: Sequence[SentEvent]) -> Batch:
        async with self._runtime.pool.acquire() as conn:
            return await read_ahead(conn, sent, self._runtime.clock())

    async def _store(self, start: int, read: Sequence[SentEvent | ClarionError], batch: Batch) -> None:
        """Commit a portion, then count it."""
        places = [place for place, one in enumerate(read) if isinstance(one, SentEvent)]
        async with transaction(self._runtime.pool) as conn:
            outcomes = await record_events(conn, self._actor, batch, self._runtime.clock())
        errors = {place: one for place, one in enumerate(read) if isinstance(one, ClarionError)}
        counts = Counter(one.status for one in outcomes)
        counts[OutcomeStatus.REJECTED] += len(errors)
        errors |= {place: one.error for place, one in zip(places, outcomes, strict=True) if one.error is not None}
        self._counts += counts
        for status, count in counts.items():
            EVENTS.labels(status.value).inc(count)
        for place in sorted(errors)[: REJECTS_SHOWN - len(self._rejects)]:
            self._rejects.append(_reject(start + place, errors[place]))

    def answer(self) -> dict[str, Any]:
        """What became of the events whose portions are stored."""
        counts = {status.value: self._counts[status] for status in OutcomeStatus}
        hidden = self._counts[OutcomeStatus.REJECTED] - len(self._rejects)
        return {"received": sum(counts.values()), **counts, "rejects": self._rejects, "rejectsNotShown": hidden}


def _reject(index: int, error: ClarionError) -> dict[str, Any]:
    told = {"code": error.code, "message": error.message, "path": public_path(error.path), "hint": error.hint}
    return {"index": index, **{name: value for name, value in told.items() if value is not None}}


async def _refuse(send: Send, raised: Exception, asked: str, intake: _Intake | None) -> None:
    """The error, with what was stored before it."""
    done = intake.answer() if intake is not None else {}
    error = translate(raised)
    if error is not None:
        status = 415 if error.code in ("WRONG_CONTENT_TYPE", "ENCODING_REFUSED") else None
        await respond_error(send, error, asked, status=status, more=done)
        return
    log.error("unexpected error", request_id=asked, exc_info=raised)
    await respond(send, 500, encode_json({"errors": [internal(asked)], **done}))


async def _of_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[Sequence[Line]]:
    """Lines in portions. Empty ones count for nothing."""
    lines = Lines(LONGEST_LINE)
    portion: list[Line] = []
    size = 0
    async for piece in pieces:
        for line in lines.feed(piece):
            if line is None or line.strip():
                portion.append(line)
                size += len(line or b"")
            if len(portion) >= EVENTS_AT_ONCE or size >= BYTES_AT_ONCE:
                yield portion
                portion, size = [], 0
    portion += [line for line in lines.end() if line is None or line.strip()]
    if portion:
        yield portion


async def _of_array(pieces: AsyncIterator[bytes]) -> AsyncIterator[Sequence[Line]]:
    """The elements of an array in portions. Raises Invalid (BAD_JSON), LimitReached (BODY_TOO_LARGE)."""
    body = b""
    async for piece in pieces:
        body += piece
        if len(body) > ARRAY_BYTES:
            raise LimitReached(
                f"an array may have {ARRAY_BYTES} bytes", code="BODY_TOO_LARGE",
                hint="Send one event a line as application/x-ndjson: there is no such bound for lines.",
            )  # fmt: skip
    elements = await asyncio.to_thread(read_array, body)
    for start in range(0, len(elements), EVENTS_AT_ONCE):
        yield elements[start : start + EVENTS_AT_ONCE]
