"""Request bodies that are too large to be held whole: in pieces, unpacked, in lines. Memory is bounded whatever comes."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from starlette.types import Receive

from api.requests import ClientGone
from core.errors import Invalid, LimitReached

PIECE = 1 << 20  # bytes
STALL_SECONDS = 60.0  # a body that brings nothing for so long is given up
_GZIP = 16 + zlib.MAX_WBITS


async def body_pieces(receive: Receive, stall_seconds: float = STALL_SECONDS) -> AsyncIterator[bytes]:
    """The body in pieces of about `PIECE` bytes. Raises ClientGone, LimitReached (UPLOAD_STALLED)."""
    waiting: list[bytes] = []
    held = 0
    while True:
        try:
            async with asyncio.timeout(stall_seconds):
                message = await receive()
        except TimeoutError:
            raise LimitReached(
                f"nothing came for {stall_seconds:.0f} seconds", code="UPLOAD_STALLED", hint="Send it again."
            ) from None
        if message["type"] != "http.request":
            raise ClientGone
        body = message.get("body", b"")
        waiting.append(body)
        held += len(body)
        last = not message.get("more_body", False)
        if held >= PIECE or (last and held):
            yield b"".join(waiting)
            waiting, held = [], 0
        if last:
            return


async def gunzipped(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What was packed with gzip, in pieces of up to `PIECE` bytes. Raises Invalid (BAD_GZIP)."""
    unpacker = zlib.decompressobj(_GZIP)
    begun = False
    async for piece in pieces:
        while piece:
            if unpacker.eof:  # several may stand one after the other
                unpacker = zlib.decompressobj(_GZIP)
            begun = True
            try:
                # Aside: a small piece may become much, and the loop serves others.
                unpacked = await asyncio.to_thread(unpacker.decompress, piece, PIECE)
            except zlib.error as error:
                raise _bad_gzip(str(error)) from None
            if unpacked:
                yield unpacked
            piece = unpacker.unconsumed_tail or unpacker.unused_data
    if begun and not unpacker.eof:
        raise _bad_gzip("it ends too early")


def _bad_gzip(reason: str) -> Invalid:
    return Invalid(f"the body is not what gzip packs: {reason}", code="BAD_GZIP", hint="Pack it with gzip, or send it plain.")


async def up_to(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The same pieces. Raises LimitReached (BODY_TOO_LARGE) once they are more than `limit` bytes together."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise LimitReached(
                f"the body is larger than {limit} bytes, unpacked", code="BODY_TOO_LARGE", hint="Send it in several bodies."
            )
        yield piece


class Lines:
    """Cuts pieces into lines. One that is longer than `longest` bytes is passed on as None, and never held."""

    def __init__(self, longest: int):
        self._longest = longest
        self._rest = b""
        self._skipping = False

    def feed(self, piece: bytes) -> list[bytes | None]:
        """The lines that end in this piece, without their ends."""
        *lines, rest = (self._rest + piece).split(b"\n")
        found: list[bytes | None] = [line if len(line) <= self._longest else None for line in lines]
        if self._skipping and found:
            found[0] = None
            self._skipping = False
        if self._skipping or len(rest) > self._longest:
            self._skipping, rest = True, b""
        self._rest = rest
        return found

    def end(self) -> list[bytes | None]:
        """The last line, where nothing ends it."""
        if self._skipping:
            return [None]
        return [self._rest] if self._rest else []
