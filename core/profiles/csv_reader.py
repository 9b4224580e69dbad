"""Reads a delimited file in chunks of bounded memory, wherever it starts, and survives what is wrong with it.

A chunk is cut after a number of lines (later, when the last record goes on), so that it depends on the offset alone:
whoever starts again at an offset that was stored sees the same chunks. A record that cannot be read costs one line: the
line it begins on is set aside with its reason, and reading goes on with the next.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Self

from core.errors import Invalid

BLOCK = 1 << 20  # bytes read at once
LONGEST_LINE = 1 << 20  # bytes
LONGEST_RECORD = 1 << 18  # bytes of a record that spans lines
LARGEST_CHUNK = 1 << 23  # bytes, unless one record needs more
KEPT_OF_LONG_LINE = 1000  # bytes
DELIMITERS = (",", ";", "\t", "|")

_CONTROL = bytes(set(range(32)) - {9, 10, 13} | {127})
_CONTROL_AND_TAB = _CONTROL + b"\t"
_BEYOND_ASCII = re.compile("[\x80-\x9f\u2028\u2029]")
_NOT_TEXT = {
    b"\xff\xfe": ("is UTF-16", "Save it as CSV in UTF-8."),
    b"\xfe\xff": ("is UTF-16", "Save it as CSV in UTF-8."),
    b"PK\x03\x04": ("is an archive or a workbook", "Save the sheet as CSV in UTF-8."),
    b"\x1f\x8b": ("is compressed", "Unpack it first."),
}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A record that cannot be read."""

    line: int
    code: str
    message: str
    text: str


@dataclass(slots=True, kw_only=True)
class Chunk:
    """Records of the expected width, and where they stand; `plain` when no cell needs cleaning within."""

    rows: list[list[str]]
    lines: list[int]  # the line each begins on, from 1
    bad: list[BadLine]
    plain: bool
    end: int  # offset of the first byte behind
    end_line: int  # lines before it
    last: bool
    _ends: list[int] = field(repr=False)  # the line behind each row
    _texts: Sequence[str] = field(repr=False)
    _text: str = field(repr=False)  # all of them
    _first: int = field(repr=False)

    def text(self, line: int) -> str:
        """The record that begins on a line, as it stands in the file."""
        row = bisect_left(self.lines, line)
        start, stop = line - self._first, self._ends[row] - self._first
        return "".join(self._texts[start:stop]).strip("\r\n")

    def holds(self, *texts: str) -> bool:
        """Whether one of the texts stands anywhere in it."""
        return any(text in self._text for text in texts)


class CsvFile:
    """One open file. Used by one thread at a time."""

    def __init__(self, path: Path, delimiter: str | None = None):
        """Raises Invalid (EMPTY_FILE, NOT_UTF8, NOT_TEXT, BAD_HEADER)."""
        self._file: BinaryIO = path.open("rb")
        self._rest = b""
        self._skipping = 0  # bytes of a line too long, so far
        self._texts: list[str] = []
        self._sizes: list[int] = []  # bytes of each
        self._long: set[int] = set()  # numbers of lines too long
        self._end_of_file = False
        self._offset = 0
        self._line = 1  # number of the first line in the buffer
        self._strange = False  # somewhere in the buffer are bytes that are not UTF-8
        try:
            self.delimiter, self.header = self._read_header(delimiter)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def skip_to(self, offset: int, lines: int) -> None:
        """Go on behind a chunk that was read before."""
        self._file.seek(offset)
        self._rest, self._texts, self._sizes, self._long = b"", [], [], set()
        self._offset, self._line, self._end_of_file, self._strange = offset, lines + 1, False, False

    def read(self, lines: int) -> Chunk:
        """The next chunk of about so many lines; without rows and `last` at the end of the file."""
        self._fill(lines)
        count = self._cut(lines)
        chunk, used = self._parse(count)
        chunk.plain = chunk.plain and not self._strange and self._is_plain(chunk._text)
        self._drop(used)
        chunk.end, chunk.end_line = self._offset, self._line - 1
        chunk.last = self._end_of_file and not self._texts
        return chunk

    def _read_header(self, delimiter: str | None) -> tuple[str, list[str]]:
        start = self._file.read(4)
        for mark, (what, hint) in _NOT_TEXT.items():
            if start.startswith(mark):
                raise Invalid(f"the file {what}, not CSV", code="NOT_TEXT", path="file", hint=hint)
        self._offset = 3 if start.startswith(b"\xef\xbb\xbf") else 0
        self._file.seek(self._offset)
        self._fill(1)
        if not self._texts:
            raise Invalid("the file is empty", code="EMPTY_FILE", path="file", hint="Its first line names the columns.")
        if self._strange and not _is_text(self._texts[0]):
            raise Invalid("the file is not UTF-8", code="NOT_UTF8", path="line 1", hint="Save it as CSV in UTF-8.")
        found = delimiter or find_delimiter(self._texts[0])
        self.delimiter, self.header = found, []
        chunk, used = self._parse(1)
        self._drop(used)
        if chunk.bad:
            raise Invalid(f"the header {chunk.bad[0].message}", code="BAD_HEADER", path="line 1")
        return found, chunk.rows[0] if chunk.rows else []

    def _fill(self, lines: int) -> None:
        """Have so many lines in the buffer, or a chunk's bytes, or the end of the file."""
        held = sum(self._sizes)
        while len(self._texts) < lines and held < LARGEST_CHUNK and not self._end_of_file:
            held += self._read_block()

    def _read_block(self) -> int:
        block = self._file.read(BLOCK)
        self._end_of_file = len(block) < BLOCK
        pieces = (self._rest + block).splitlines(keepends=True)
        # The last piece may go on in the next block; so may a line that ends with half of a CR LF.
        unfinished = bool(pieces) and not self._end_of_file and not pieces[-1].endswith(b"\n")
        self._rest = pieces.pop() if unfinished else b""
        if self._skipping and pieces:
            self._end_long_line(pieces.pop(0))
        if len(self._rest) > LONGEST_LINE:
            self._begin_long_line()
        return self._take(pieces)

    def _take(self, pieces: list[bytes]) -> int:
        sizes = list(map(len, pieces))
        if sizes and max(sizes) > LONGEST_LINE:
            first = self._line + len(self._texts)
            self._long.update(first + n for n, size in enumerate(sizes) if size > LONGEST_LINE)
            pieces = [piece[:KEPT_OF_LONG_LINE] if len(piece) > LONGEST_LINE else piece for piece in pieces]
        try:
            self._texts.extend(map(bytes.decode, pieces))
        except UnicodeDecodeError:
            self._strange = True
            del self._texts[len(self._sizes) :]
            self._texts.extend(piece.decode("utf-8", "surrogateescape") for piece in pieces)
        self._sizes.extend(sizes)
        return sum(sizes)

    def _begin_long_line(self) -> None:
        """Let go of a line that is too long while it is still coming in."""
        if not self._skipping:
            self._long_start = self._rest[:KEPT_OF_LONG_LINE]
        self._skipping += len(self._rest)
        self._rest = b""

    def _end_long_line(self, piece: bytes) -> None:
        self._long.add(self._line + len(self._texts))
        self._texts.append(self._long_start.decode("utf-8", "replace"))
        self._sizes.append(self._skipping + len(piece))
        self._skipping = 0

    def _cut(self, lines: int) -> int:
        count = min(lines, len(self._texts))
        if sum(self._sizes[:count]) <= LARGEST_CHUNK:
            return count
        return max(1, sum(1 for held in accumulate(self._sizes[:count]) if held <= LARGEST_CHUNK))

    def _parse(self, count: int) -> tuple[Chunk, int]:
        """Records that begin on the first `count` lines of the buffer, and how many lines they take."""
        chunk = Chunk(
            rows=[],
            lines=[],
            bad=[],
            plain=True,
            end=0,
            end_line=0,
            last=False,
            _ends=[],
            _texts=(),
            _text="",
            _first=self._line,
        )
        at = 0
        while at < count:
            at = self._parse_run(chunk, at, count)
        chunk._texts = self._texts[:at]
        chunk._text = "".join(chunk._texts)
        return chunk, at

    def _parse_run(self, chunk: Chunk, start: int, count: int) -> int:
        """Read records until something is wrong; returns the line to go on with."""
        at, width, first = start, len(self.header), self._line
        if first + at in self._long:
            return self._set_aside(chunk, at, "TOO_LONG", f"is longer than {LONGEST_LINE} bytes")
        stop = min((number - first for number in self._long if number - first > at), default=len(self._texts))
        reader = csv.reader(self._texts[at:stop], delimiter=self.delimiter, strict=True)
        rows, lines, ends = chunk.rows, chunk.lines, chunk._ends
        try:
            for row in reader:
                after = start + reader.line_num
                if len(row) == width or not width:
                    rows.append(row)
                    lines.append(first + at)
                    ends.append(first + after)
                elif row:
                    self._set_aside(chunk, at, "WRONG_WIDTH", _width(len(row), width), after)
                if after - at > 1:
                    chunk.plain = False
                at = after
                if at >= count:
                    return at
        except csv.Error as error:
            return self._after_error(chunk, at, str(error))
        return at

    def _after_error(self, chunk: Chunk, at: int, fault: str) -> int:
        """More lines for a record that goes on, else without the line it begins on."""
        if fault == "unexpected end of data":
            held = sum(self._sizes[at:])
            if not self._end_of_file and held < LONGEST_RECORD:
                self._read_block()
                return at
            return self._set_aside(chunk, at, "BROKEN_QUOTES", "opens a quote that is never closed")
        if fault.startswith("field larger"):
            return self._set_aside(chunk, at, "BROKEN_QUOTES", "has a cell without end: is a quote missing?")
        return self._set_aside(chunk, at, "BROKEN_QUOTES", "has a quote in the wrong place")

    def _set_aside(self, chunk: Chunk, at: int, code: str, message: str, after: int | None = None) -> int:
        after = after or at + 1
        text = "".join(self._texts[at:after]).strip("\r\n")
        chunk.bad.append(BadLine(self._line + at, code, message, text))
        return after

    def _is_plain(self, text: str) -> bool:
        """No control characters, all composed: then cells only need to be stripped."""
        forbidden = _CONTROL if self.delimiter == "\t" else _CONTROL_AND_TAB
        data = text.encode()
        if len(data.translate(None, forbidden)) != len(data):
            return False
        return text.isascii() or (_BEYOND_ASCII.search(text) is None and unicodedata.is_normalized("NFC", text))

    def _drop(self, used: int) -> None:
        self._offset += sum(self._sizes[:used])
        self._line += used
        del self._texts[:used], self._sizes[:used]
        self._long = {number for number in self._long if number >= self._line}
        if not self._texts:
            self._strange = False


def find_delimiter(header: str) -> str:
    """The delimiter that a header uses most outside quotes; a comma when it uses none."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=lambda delimiter: (bare.count(delimiter), -DELIMITERS.index(delimiter)))


def _width(found: int, expected: int) -> str:
    return f"has {found} {'cell' if found == 1 else 'cells'}, the header {expected}"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
