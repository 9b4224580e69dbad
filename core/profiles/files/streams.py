"""The bytes of a file as its readers want them: unpacked, within bounds, in UTF-8.

A packed stream has no places to jump to. Whoever goes to an offset reads it again from the start; nothing is ever unpacked to
disk, so no name in an archive is a path.
"""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from core.errors import Invalid

LARGEST_UNPACKED = 1 << 36  # bytes: 64 GiB
LARGEST_RATIO = 200  # bytes for each packed one,
RATIO_FROM = 1 << 26  # … looked at once so many came out
BLOCK = 1 << 18  # bytes read at once
BAD_BYTE = "\udcff"  # stands for bytes that are no text; written as 0xff, which no UTF-8 has

Packed = zlib.error, EOFError, zipfile.BadZipFile, gzip.BadGzipFile


class Stream(Protocol):
    """Bytes that can be read on, and from another offset."""

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""

    def seek(self, offset: int) -> object:
        """Go to an offset."""

    def consumed(self, offset: int) -> int:
        """How many bytes of the stored file are behind an offset, about."""

    def close(self) -> None:
        """Let go of the file."""


class PlainStream:
    """A file as it is."""

    def __init__(self, path: Path):
        self._file = path.open("rb")
        self.read = self._file.read
        self.seek = self._file.seek
        self.close = self._file.close

    def consumed(self, offset: int) -> int:
        """The offset: nothing is packed."""
        return offset


class TextStream:
    """A text, as a file in UTF-8 would give it."""

    def __init__(self, text: str):
        self._bytes = BytesIO(text.encode())
        self.read = self._bytes.read
        self.seek = self._bytes.seek
        self.close = self._bytes.close

    def consumed(self, offset: int) -> int:
        """The offset: nothing is packed."""
        return offset


class PackedStream:
    """What comes out of a packed file, within bounds."""

    def __init__(self, path: Path, unpack: Callable[[BinaryIO], BinaryIO]):
        self._file = path.open("rb")
        self._size = path.stat().st_size
        self._unpack = unpack
        try:
            self._source = unpack(self._file)
        except BaseException:
            self._file.close()
            raise
        self._at = 0

    def read(self, size: int) -> bytes:
        """Raises Invalid (BROKEN_ARCHIVE, UNPACKS_TOO_FAR)."""
        pieces = []
        try:
            while size > 0 and (piece := self._source.read(min(size, BLOCK))):
                pieces.append(piece)
                size -= len(piece)
                self._at += len(piece)
                check_growth(self._at, self._size)
        except Packed as error:
            raise Invalid(
                f"the file is damaged: unpacking it fails after {self._at} bytes ({_first_line(error)})",
                code="BROKEN_ARCHIVE", path="file", hint="Upload it again; what came before was read.",
            ) from None  # fmt: skip
        return b"".join(pieces)

    def seek(self, offset: int) -> None:
        """Read up to an offset, from the start if it lies behind."""
        if offset < self._at:
            self._source.close()
            self._file.seek(0)
            self._source = self._unpack(self._file)
            self._at = 0
        while self._at < offset and self.read(min(BLOCK, offset - self._at)):
            pass

    def consumed(self, offset: int) -> int:
        """Bytes of the packed file that were read."""
        return self._size if self._file.closed else min(self._file.tell(), self._size)

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()
        self._file.close()


class DecodedStream:
    """A stream of another encoding, in UTF-8. Bytes that are no text stay none, so that only their row is refused."""

    def __init__(self, source: Stream, encoding: str):
        self._source = source
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="clarion-mark")
        self._ready = b""
        self._at = 0
        self._ended = False
        self.consumed = source.consumed
        self.close = source.close

    def read(self, size: int) -> bytes:
        """Raises Invalid as the source does."""
        pieces, held = [self._ready], len(self._ready)
        while held < size and not self._ended:
            block = self._source.read(BLOCK)
            self._ended = len(block) < BLOCK
            piece = self._decoder.decode(block, final=self._ended).encode("utf-8", "surrogateescape")
            pieces.append(piece)
            held += len(piece)
        data = b"".join(pieces)
        self._ready = data[size:]
        self._at += min(size, len(data))
        return data[:size]

    def seek(self, offset: int) -> None:
        """Read up to an offset of what comes out."""
        if offset < self._at:
            self._source.seek(0)
            self._decoder.reset()
            self._ready, self._at, self._ended = b"", 0, False
        while self._at < offset and self.read(min(BLOCK, offset - self._at)):
            pass


def check_growth(unpacked: int, packed: int) -> None:
    """Whether so many bytes may come out of so many. Raises Invalid (UNPACKS_TOO_FAR)."""
    if unpacked > LARGEST_UNPACKED or (unpacked > RATIO_FROM and unpacked > LARGEST_RATIO * packed):
        raise Invalid(
            f"the file unpacks to more than {unpacked} bytes from {packed}", code="UNPACKS_TOO_FAR", path="file",
            hint=f"Packed files may grow {LARGEST_RATIO} times and to {LARGEST_UNPACKED >> 30} GiB. Upload it unpacked.",
        )  # fmt: skip


def unpack_gzip(file: BinaryIO) -> BinaryIO:
    """The content of a gzip file."""
    return gzip.GzipFile(fileobj=file, mode="rb")  # type: ignore[return-value]


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return BAD_BYTE, error.end


codecs.register_error("clarion-mark", _mark)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
