"""Bytes in and out, by the one-time addresses that GraphQL hands out.

    PUT /files/{ticket}   (or POST) the raw bytes of an upload, streamed to disk
    GET /files/{ticket}   the bytes of a file

A ticket is used up when a transfer is complete, not when it begins: after a dropped connection the same address works
again until it expires. Of two uploads to one address the first to be complete wins, the other gets 409. An upload is
written beside its place and moved there whole, so no reader ever sees half a file.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from api.errors import internal, translate
from api.http.bodies import PIECE, body_pieces
from api.metrics import TRANSFERRED
from api.requests import ClientGone, encode_json, header, request_id, respond, respond_error
from core.content import attachments
from core.db import Connection, transaction
from core.errors import Invalid, LimitReached, NotFound, Unavailable
from core.files import FileKind, StoredFile, check_kept, complete_file, redeem_ticket
from core.log import get_logger
from core.runtime import Runtime

log = get_logger("clarion.api.files")

STALL_SECONDS = 60.0  # an upload that sends nothing for so long is given up


class FileDoor:
    """The ASGI endpoint of `/files/{ticket}`."""

    def __init__(self, runtime: Runtime):
        self.runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take or give one file."""
        asked = request_id(scope)
        ticket: str = scope["path_params"]["ticket"]
        try:
            if scope["method"] in ("PUT", "POST"):
                size = await self.upload(ticket, scope, receive)
                await respond(send, 201, encode_json({"size": size}))
            else:
                await self.download(ticket, scope["method"] == "HEAD", send)
        except ClientGone:
            return
        except Exception as raised:
            error = translate(raised)
            if error is not None:
                status = 413 if error.code == "FILE_TOO_LARGE" else None
                await respond_error(send, error, asked, status=status)
                return
            log.error("unexpected error", request_id=asked, exc_info=raised)
            await respond(send, 500, encode_json({"errors": [internal(asked)]}))

    async def upload(self, ticket: str, scope: Scope, receive: Receive) -> int:
        """Store the body; returns its size in bytes.

        Raises NotFound, Conflict, Invalid, LimitReached (FILE_TOO_LARGE, UPLOAD_STALLED), Unavailable (STORAGE_FULL).
        """
        _check_plain(scope)
        file = await self._look(ticket, "write")
        limit = self.runtime.settings.upload_max_bytes
        if file.kind is FileKind.ATTACHMENT:
            limit = min(limit, attachments.LARGEST)
        declared = header(scope, b"content-length")
        if declared is not None and declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit, file.kind)
        try:
            async with self.runtime.files.part(file.location) as part:
                size = await self._receive(part, receive, limit, file.kind)
                async with transaction(self.runtime.pool) as conn:
                    await redeem_ticket(conn, ticket, "write", self.runtime.clock())
                    await complete_file(conn, file.id, size, self.runtime.clock())
                    await asyncio.to_thread(part.replace, self.runtime.files.path(file))
        except OSError as error:
            raise _storage_problem(error) from error
        TRANSFERRED.labels("received").inc(size)
        return size

    async def _receive(self, part: Path, receive: Receive, limit: int, kind: FileKind) -> int:
        size = 0
        handle = await asyncio.to_thread(_create, part)
        try:
            async for piece in body_pieces(receive, STALL_SECONDS):
                size += len(piece)
                if size > limit:
                    raise _too_large(limit, kind)
                await asyncio.to_thread(handle.write, piece)
            await asyncio.to_thread(_sync, handle)
        finally:
            await asyncio.to_thread(handle.close)
        return size

    async def download(self, ticket: str, head: bool, send: Send) -> None:
        """Send a file. Raises NotFound, Conflict. Once it is open it comes whole, whatever sweep removes it meanwhile."""
        file = await self._look(ticket, "read")
        check_kept(file)
        path = self.runtime.files.path(file)
        try:
            handle = await asyncio.to_thread(path.open, "rb")
        except FileNotFoundError:
            raise NotFound("the file is gone", code="FILE_GONE", hint="Make it again.") from None
        try:
            size = os.fstat(handle.fileno()).st_size
            await send({"type": "http.response.start", "status": 200, "headers": _file_headers(file, size)})
            await self._send_rest(handle, ticket, head, send)
        except Exception as error:  # too late for another answer: the client sees that bytes are missing
            log.warning("a download broke off", file_id=file.id, reason=repr(error))
            raise ClientGone from error
        finally:
            await asyncio.to_thread(handle.close)
        if not head:
            TRANSFERRED.labels("sent").inc(size)

    async def _send_rest(self, handle: IO[bytes], ticket: str, head: bool, send: Send) -> None:
        """The bytes. The ticket is used up before the last frame: who has seen the end cannot ask again."""
        if not head:
            while piece := await asyncio.to_thread(handle.read, PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            async with transaction(self.runtime.pool) as conn:
                await redeem_ticket(conn, ticket, "read", self.runtime.clock())
        await send({"type": "http.response.body", "body": b""})

    async def _look(self, ticket: str, purpose: str) -> StoredFile:
        """The file of a ticket that could be redeemed now, without redeeming it."""
        found: StoredFile | None = None
        with suppress(_OnlyLooked):
            async with transaction(self.runtime.pool) as conn:
                found = await self._redeemable(conn, ticket, purpose)
                raise _OnlyLooked
        assert found is not None
        return found

    async def _redeemable(self, conn: Connection, ticket: str, purpose: str) -> StoredFile:
        return await redeem_ticket(conn, ticket, purpose, self.runtime.clock())


class _OnlyLooked(Exception):
    """Rolls the look back."""


def _create(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync(handle: IO[bytes]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def _check_plain(scope: Scope) -> None:
    kind = (header(scope, b"content-type") or "").lower()
    if kind.startswith("multipart/"):
        raise Invalid(
            "send the file's bytes alone, not a form", code="FORM_REFUSED",
            hint="With curl: curl -T people.csv ADDRESS",
        )  # fmt: skip
    if (header(scope, b"content-encoding") or "identity").lower() != "identity":
        raise Invalid(
            "send the file's bytes without a content encoding", code="ENCODING_REFUSED", hint="Do not compress the body."
        )


def _too_large(limit: int, kind: FileKind) -> LimitReached:
    several = "Send it in several files, or raise CLARION_UPLOAD_MAX_BYTES."
    return LimitReached(
        f"the file is larger than {limit} bytes", code="FILE_TOO_LARGE",
        hint="Link to large files instead." if kind is FileKind.ATTACHMENT else several,
    )  # fmt: skip


def _storage_problem(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("there is no space left for files", code="STORAGE_FULL", hint="Free some space and send it again.")
    return error


def _file_headers(file: StoredFile, size: int) -> list[tuple[bytes, bytes]]:
    name = quote(file.name, safe="")
    kind = b"text/csv; charset=utf-8" if file.name.endswith(".csv") else b"application/octet-stream"
    return [
        (b"content-type", kind),
        (b"content-length", str(size).encode()),
        (b"content-disposition", f"attachment; filename*=UTF-8''{name}".encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
    ]
