"""The lines of a file in bounded memory: a buffer that is filled by blocks and drained from its start.

A line that is too long is let go while it is still coming in; its beginning stays, marked. Bytes that are not UTF-8 become
halves of surrogate pairs, which nothing accepts as text later.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import Protocol

from core.profiles.formulas import MARK

BLOCK = 1 << 20  # bytes read at once
LONGEST_LINE = 1 << 20  # bytes
LARGEST_CHUNK = 1 << 23  # bytes, unless one line is longer
KEPT_OF_LONG_LINE = 1000  # bytes

_CONTROL = bytes(set(range(32)) - set(b"\t\n\r") | {127})
_BEYOND_ASCII = re.compile("[\x80-\x9f\u2028\u2029]")


class Bytes(Protocol):
    """What lines are made of."""

    def read(self, size: int, /) -> bytes:
        """So many bytes; fewer only at the end."""

    def seek(self, offset: int, /) -> object:
        """Go to an offset."""


class LineBuffer:
    """Lines with their ends, from a position of the file on."""

    def __init__(self, file: Bytes):
        self.texts: list[str] = []
        self.sizes: list[int] = []  # bytes of each
        self.first = 1  # the number of the first line in the buffer
        self.offset = 0  # of its first byte
        self.at_end = False  # all of the file is in the buffer
        self.long: set[int] = set()  # numbers of lines too long
        self.forbidden = _CONTROL + b"\t"
        self._file = file
        self._rest = b""
        self._long_start = b""
        self._long_size = 0  # bytes of a line too long, so far
        self._unclean_until = 0  # number of the line behind the last block with something unclean
        self._marked_until = 0  # … behind the last block with a mark

    def go_to(self, offset: int, line: int) -> None:
        """Begin anew at an offset, where the line of this number begins."""
        self._file.seek(offset)
        self.texts, self.sizes, self.long = [], [], set()
        self.first, self.offset, self.at_end = line, offset, False
        self._rest, self._long_size, self._unclean_until, self._marked_until = b"", 0, 0, 0

    def allow_tabs(self) -> None:
        """A tab stands between cells, not in them."""
        self.forbidden = _CONTROL

    def fill(self, lines: int) -> int:
        """Have so many lines, or a chunk's bytes, or all there are; returns how many to take, whatever was in before."""
        held = sum(self.sizes)
        while len(self.texts) < lines and held < LARGEST_CHUNK and not self.at_end:
            held += self.read_block()
        count = min(lines, len(self.texts))
        if sum(self.sizes[:count]) <= LARGEST_CHUNK:
            return count
        return max(1, sum(1 for size in accumulate(self.sizes[:count]) if size <= LARGEST_CHUNK))

    def read_block(self) -> int:
        """Take another block in; returns the bytes of the lines that came with it."""
        block = self._file.read(BLOCK)
        self.at_end = len(block) < BLOCK
        data = self._rest + block
        pieces = data.splitlines(keepends=True)
        # The last piece may go on in the next block; so may a line that ends with half of a CR LF.
        unfinished = bool(pieces) and not self.at_end and not pieces[-1].endswith(b"\n")
        self._rest = pieces.pop() if unfinished else b""
        if self._long_size and pieces:
            self._end_long_line(pieces.pop(0))
        elif self._long_size and self.at_end:  # the file ends with the block before
            self._end_long_line(b"")
        if len(self._rest) > LONGEST_LINE:
            self._begin_long_line()
        size = self._take(pieces)
        if not self._is_clean(data):
            self._unclean_until = self.first + len(self.texts)
        if MARK.search(data):
            self._marked_until = self.first + len(self.texts)
        return size

    def drop(self, count: int) -> None:
        """Let go of lines that are done with."""
        self.offset += sum(self.sizes[:count])
        self.first += count
        del self.texts[:count], self.sizes[:count]
        self.long = {number for number in self.long if number >= self.first}

    def is_clean(self) -> bool:
        """Whether the buffer's first lines hold no control characters, no bad bytes and only composed characters."""
        return self.first >= self._unclean_until

    def may_hold_marks(self) -> bool:
        """Whether something that an export escaped may be in the buffer."""
        return self.first < self._marked_until

    def next_long(self, at: int) -> int:
        """The first line too long at or behind a place in the buffer, or the buffer's end."""
        return min((number - self.first for number in self.long if number - self.first >= at), default=len(self.texts))

    def _take(self, pieces: list[bytes]) -> int:
        sizes = list(map(len, pieces))
        if sizes and max(sizes) > LONGEST_LINE:
            first = self.first + len(self.texts)
            self.long.update(first + n for n, size in enumerate(sizes) if size > LONGEST_LINE)
            pieces = [piece[:KEPT_OF_LONG_LINE] if len(piece) > LONGEST_LINE else piece for piece in pieces]
        try:
            self.texts += list(map(bytes.decode, pieces))
        except UnicodeDecodeError:
            self.texts += [piece.decode("utf-8", "surrogateescape") for piece in pieces]
        self.sizes += sizes
        return sum(sizes)

    def _begin_long_line(self) -> None:
        if not self._long_size:
            self._long_start = self._rest[:KEPT_OF_LONG_LINE]
        end = b"\r" if self._rest.endswith(b"\r") else b""  # stays: it ends the line, with a LF that may follow or without
        self._long_size += len(self._rest) - len(end)
        self._rest = end

    def _end_long_line(self, piece: bytes) -> None:
        self.long.add(self.first + len(self.texts))
        self.texts.append(self._long_start.decode("utf-8", "replace"))
        self.sizes.append(self._long_size + len(piece))
        self._long_size = 0

    def _is_clean(self, data: bytes) -> bool:
        if len(data.translate(None, self.forbidden)) != len(data):
            return False
        if data.isascii():
            return True
        try:
            text = data[: len(data) - len(self._rest)].decode()
        except UnicodeDecodeError:
            return False
        return _BEYOND_ASCII.search(text) is None and unicodedata.is_normalized("NFC", text)
