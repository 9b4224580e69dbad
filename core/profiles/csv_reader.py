"""Reads a delimited file in chunks, wherever it starts, and survives what is wrong with it.

A chunk is cut after a number of lines (later, when the last record goes on), so that it depends on the offset alone:
whoever starts again at an offset that was stored sees the same chunks. A record that cannot be read costs one line: the
line it begins on is set aside with its reason, and reading goes on with the next.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

from core.errors import Invalid
from core.profiles.csv_lines import LONGEST_LINE, LineBuffer
from core.profiles.files.chunks import BadLine, Chunk
from core.profiles.files.streams import PlainStream, Stream

LONGEST_RECORD = 1 << 18  # bytes of a record that spans lines
SLICE = 500  # lines read at once: fewer new lists than make the garbage collector look
DELIMITERS = (",", ";", "\t", "|")

Reader = Any  # the csv module's, which has no public name

_NOT_TEXT = {
    b"\xff\xfe": ("is UTF-16", "Save it as CSV in UTF-8."),
    b"\xfe\xff": ("is UTF-16", "Save it as CSV in UTF-8."),
    b"PK\x03\x04": ("is an archive or a workbook", "Save the sheet as CSV in UTF-8."),
    b"\x1f\x8b": ("is compressed", "Unpack it first."),
}


class CsvFile:
    """One open file. Used by one thread at a time."""

    def __init__(
        self,
        source: Path | Stream,
        delimiter: str | None = None,
        *,
        quote: str | None = '"',
        escape: str | None = None,
        header: bool = True,
        skip_lines: int = 0,
    ):
        """Raises Invalid (EMPTY_FILE, NOT_UTF8, NOT_TEXT, BAD_HEADER)."""
        self._file: Stream = PlainStream(source) if isinstance(source, Path) else source
        self.quote, self.escape = quote, escape
        self.delimiter = delimiter or ","
        try:
            self._buffer = LineBuffer(self._file)
            self.header = self._read_header(delimiter, header, skip_lines)
            if self.delimiter == "\t":
                self._buffer.allow_tabs()
            self.skip_to(self._buffer.offset, self._buffer.first - 1)
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

    def consumed(self) -> int:
        """How many bytes of the stored file have been read."""
        return self._file.consumed(self._buffer.offset)

    def skip_to(self, position: int, lines: int) -> None:
        """Go on behind a chunk that was read before."""
        self._buffer.go_to(position, lines + 1)

    def read(self, lines: int) -> Chunk:
        """The next chunk of about so many lines; without rows and `last` at the end of the file."""
        buffer = self._buffer
        count = buffer.fill(lines)
        chunk = Chunk(columns=[[] for _ in self.header], plain=buffer.is_clean(), _first=buffer.first)
        at = 0
        while at < count:
            stop = min(at + SLICE, count)
            at = stop if self._read_slice(chunk, at, stop) else self._read_carefully(chunk, at, stop)
        chunk.marked = buffer.may_hold_marks()
        chunk._texts = buffer.texts[:at]
        buffer.drop(at)
        chunk.end, chunk.end_line = buffer.offset, buffer.first - 1
        chunk.last = buffer.at_end and not buffer.texts
        return chunk

    def _read_header(self, delimiter: str | None, named: bool, skip_lines: int) -> list[str]:
        start = self._file.read(4)
        for mark, (what, hint) in _NOT_TEXT.items():
            if start.startswith(mark):
                raise Invalid(f"the file {what}, not text", code="NOT_TEXT", path="file", hint=hint)
        buffer = self._buffer
        buffer.go_to(3 if start.startswith(b"\xef\xbb\xbf") else 0, 1)
        for _ in range(skip_lines):
            buffer.drop(buffer.fill(1))
        if not buffer.fill(1):
            hint = "Its first line names the columns." if named else "It has no row."
            raise Invalid("the file is empty", code="EMPTY_FILE", path="file", hint=hint)
        if not _is_text(buffer.texts[0]):
            hint = "Save it as CSV in UTF-8, or say its encoding."
            raise Invalid("the file is not UTF-8", code="NOT_UTF8", path=f"line {buffer.first}", hint=hint)
        self.delimiter = delimiter or find_delimiter(buffer.texts[0])
        reader = self._reader(buffer.texts[: buffer.next_long(0)])
        try:
            header: list[str] = next(reader)
        except (csv.Error, StopIteration):
            message = f"the {'header' if named else 'first row'} cannot be read: is a quote missing?"
            raise Invalid(message, code="BAD_HEADER", path=f"line {buffer.first}") from None
        if not named:
            return [str(number) for number in range(1, len(header) + 1)]
        buffer.drop(reader.line_num)
        return header

    def _reader(self, texts: list[str]) -> Reader:
        if self.quote is None:
            return csv.reader(
                texts, delimiter=self.delimiter, strict=True, quoting=csv.QUOTE_NONE, quotechar=None, escapechar=self.escape
            )
        return csv.reader(texts, delimiter=self.delimiter, strict=True, quotechar=self.quote, escapechar=self.escape)

    def _read_slice(self, chunk: Chunk, at: int, stop: int) -> bool:
        """The quick way for lines that are a good record each; False, and nothing done, when they are not."""
        buffer = self._buffer
        if buffer.long and buffer.next_long(at) < stop:
            return False
        try:
            rows = list(self._reader(buffer.texts[at:stop]))
        except csv.Error:
            return False
        if len(rows) != stop - at or set(map(len, rows)) != {len(self.header)}:
            return False
        chunk.add(rows, range(buffer.first + at, buffer.first + stop))
        return True

    def _read_carefully(self, chunk: Chunk, start: int, stop: int) -> int:
        """Read records until the slice ends or something is wrong; returns the line to go on with."""
        buffer, at, width = self._buffer, start, len(self.header)
        end = buffer.next_long(at)
        if end == at:
            return self._set_aside(chunk, at, at + 1, "TOO_LONG", f"is longer than {LONGEST_LINE} bytes")
        reader = self._reader(buffer.texts[at:end])
        rows: list[list[str]] = []
        lines: list[int] = []
        try:
            while at < stop:
                row = next(reader, None)
                if row is None:
                    break
                after = start + reader.line_num
                if len(row) == width:
                    rows.append(row)
                    lines.append(buffer.first + at)
                    self._note_extent(chunk, at, after)
                elif row:
                    self._set_aside(chunk, at, after, "WRONG_WIDTH", _width(len(row), width))
                at = after
        except csv.Error as error:
            at = self._after_error(chunk, at, str(error))
        if rows:
            chunk.add(rows, lines)
        return at

    def _note_extent(self, chunk: Chunk, at: int, after: int) -> None:
        if after - at > 1:
            chunk.plain = False
            chunk._extents[self._buffer.first + at] = after - at

    def _after_error(self, chunk: Chunk, at: int, fault: str) -> int:
        """More lines for a record that goes on, else without the line it begins on."""
        message = "has a quote in the wrong place"
        if fault == "unexpected end of data":
            if self._read_on(chunk, at):
                return at
            message = "opens a quote that is never closed"
        elif fault.startswith("field larger"):
            after = self._end_of_record(at)
            if after is not None:
                limit = f"has a cell of more than {csv.field_size_limit()} characters"
                return self._set_aside(chunk, at, after, "TOO_LONG", limit)
            if self._read_on(chunk, at):
                return at
            message = "has a cell without end: is a quote missing?"
        return self._set_aside(chunk, at, at + 1, "BROKEN_QUOTES", message)

    def _read_on(self, chunk: Chunk, at: int) -> bool:
        """Have more lines for the record that begins here; False when there are none, or it is too long already."""
        buffer = self._buffer
        if buffer.at_end or sum(buffer.sizes[at:]) >= LONGEST_RECORD:
            return False
        buffer.read_block()
        chunk.plain = chunk.plain and buffer.is_clean()
        return True

    def _end_of_record(self, at: int) -> int | None:
        """The line behind a record with a cell too large to be read; None when its quotes are wrong, or not closed soon."""
        buffer = self._buffer
        stop, size = at, 0
        while stop < buffer.next_long(at) and size < LONGEST_RECORD:
            size += buffer.sizes[stop]
            stop += 1
        texts = buffer.texts[at:stop]
        found = _record(self.delimiter, self.quote, self.escape).match("".join(texts))
        if found is None:
            return None
        return at + 1 + sum(1 for end in accumulate(map(len, texts)) if end <= found.end())

    def _set_aside(self, chunk: Chunk, at: int, after: int, code: str, message: str) -> int:
        text = "".join(self._buffer.texts[at:after]).strip("\r\n")
        chunk.bad.append(BadLine(self._buffer.first + at, code, message, text))
        return after


def find_delimiter(header: str) -> str:
    """The delimiter that a header uses most outside quotes; a comma when it uses none."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=lambda delimiter: (bare.count(delimiter), -DELIMITERS.index(delimiter)))


@cache
def _record(delimiter: str, quote: str | None, escape: str | None) -> re.Pattern[str]:
    """A record as the csv module takes it, however large: without its line end."""
    mark = re.escape(delimiter)
    taken, any_next = ("", "") if escape is None else (re.escape(escape), f"|{re.escape(escape)}[\\s\\S]")
    bare = rf"(?:[^{mark}\r\n{taken}]{any_next})*+"
    if quote is None:
        return re.compile(rf"{bare}(?:{mark}{bare})*+(?=[\r\n]|\Z)")
    sign = re.escape(quote)
    cell = rf"(?:{sign}(?:[^{sign}{taken}]|{sign}{sign}{any_next})*+{sign}|(?!{sign}){bare})"
    return re.compile(rf"{cell}(?:{mark}{cell})*+(?=[\r\n]|\Z)")


def _width(found: int, expected: int) -> str:
    return f"has {found} {'cell' if found == 1 else 'cells'}, the header {expected}"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
