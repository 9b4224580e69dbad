"""Files in which a line is a row: JSON Lines, and columns of fixed width."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate

from core.errors import Invalid
from core.profiles.csv_lines import LONGEST_LINE, LineBuffer
from core.profiles.files.cells import LARGEST_CELL, WrittenNumber, as_cell
from core.profiles.files.chunks import BadLine, Chunk
from core.profiles.files.streams import Stream
from core.profiles.import_options import FixedColumn

LINES_FOR_NAMES = 1000  # that are looked at for the keys of a JSON Lines file
MOST_COLUMNS = 5000


class _BadRow(Exception):
    """A row that cannot be read: code and message."""


class LineFile(ABC):
    """One open file. Used by one thread at a time."""

    def __init__(self, source: Stream, skip_lines: int):
        self._file = source
        self._buffer = LineBuffer(source)
        try:
            self.header: list[str] = self._begin(skip_lines)
        except BaseException:
            source.close()
            raise

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
        """The next chunk of so many lines."""
        buffer = self._buffer
        count = buffer.fill(lines)
        texts = buffer.texts[:count]
        chunk = Chunk(
            columns=[[] for _ in self.header], plain=self.keeps_plain and buffer.is_clean(),
            _texts=texts, _first=buffer.first,
        )  # fmt: skip
        rows, numbers = [], []
        for number, text in enumerate(texts, start=buffer.first):
            if text.isspace():
                continue
            try:
                if number in buffer.long:
                    raise _BadRow("TOO_LONG", f"is longer than {LONGEST_LINE} bytes")
                rows.append(self._cells(text))
                numbers.append(number)
            except _BadRow as error:
                code, message = error.args
                chunk.bad.append(BadLine(number, code, message, text.strip("\r\n")))
        if rows:
            chunk.add(rows, numbers)
        buffer.drop(count)
        chunk.end, chunk.end_line = buffer.offset, buffer.first - 1
        chunk.last = buffer.at_end and not buffer.texts
        return chunk

    keeps_plain = True  # a cell holds nothing that its line does not

    @abstractmethod
    def _cells(self, text: str) -> Sequence[str]:
        """The row of a line. Raises _BadRow."""

    @abstractmethod
    def _columns(self) -> list[str]:
        """What the columns are called; the lines from the first row on are in the buffer afterwards, or are read again."""

    def _begin(self, skip_lines: int) -> list[str]:
        start = self._file.read(3)
        self._buffer.go_to(3 if start == b"\xef\xbb\xbf" else 0, 1)
        for _ in range(skip_lines):
            self._buffer.drop(self._buffer.fill(1))
        header = self._columns()
        self.skip_to(self._buffer.offset, self._buffer.first - 1)
        return header


class JsonLinesFile(LineFile):
    """An object a line; its columns are the keys of the first lines."""

    keeps_plain = False  # "\u0000" is a clean line, but no clean cell

    def __init__(self, source: Stream, *, skip_lines: int = 0, ignore_others: bool = False):
        """Raises Invalid (EMPTY_FILE, NOT_JSON_LINES). `ignore_others`: keys that appear later are left out."""
        self._ignore_others = ignore_others
        super().__init__(source, skip_lines)

    def _columns(self) -> list[str]:
        buffer = self._buffer
        count = buffer.fill(LINES_FOR_NAMES)
        keys: dict[str, None] = {}
        for text in buffer.texts[:count]:
            try:
                keys |= dict.fromkeys(_parse(text))
            except _BadRow:
                continue  # it is refused when its turn comes
        if not count:
            raise Invalid("the file is empty", code="EMPTY_FILE", path="file")
        if not keys or len(keys) > MOST_COLUMNS:
            raise Invalid(
                f"none of the first {count} lines is an object with keys" if not keys else f"there are {len(keys)} keys",
                code="NOT_JSON_LINES", path=f"line {buffer.first}",
                hint='Write an object a line: {"email": "ann@mail.example"}.',
            )  # fmt: skip
        self._places = {key: place for place, key in enumerate(keys)}
        return list(keys)

    def _cells(self, text: str) -> Sequence[str]:
        cells = [""] * len(self._places)
        places = self._places
        for key, value in _parse(text).items():
            place = places.get(key)
            if place is not None:
                cell = value if type(value) is str else as_cell(value)
                if len(cell) > LARGEST_CELL:
                    raise _BadRow("TOO_LONG", f"has a cell of more than {LARGEST_CELL} characters")
                cells[place] = cell
            elif not self._ignore_others:
                raise _BadRow("UNKNOWN_KEY", f"has a key {key[:80]!r}, which none of the first {LINES_FOR_NAMES} lines has")
        return cells


class FixedWidthFile(LineFile):
    """Columns by their number of characters."""

    def __init__(self, source: Stream, columns: Sequence[FixedColumn], *, header: bool, skip_lines: int = 0):
        """`header`: the first line holds titles, and is left out: the columns are called as they were declared."""
        ends = list(accumulate(one.width for one in columns))
        self._slices = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        self._names = [one.name for one in columns]
        super().__init__(source, skip_lines + header)

    def _columns(self) -> list[str]:
        return self._names

    def _cells(self, text: str) -> Sequence[str]:
        line, width = text.rstrip("\r\n"), self._slices[-1].stop
        if len(line) > width and line[width:].strip():
            raise _BadRow("WRONG_WIDTH", f"has {len(line)} characters, the columns {width}")
        return [line[place].strip() for place in self._slices]


def _parse(text: str) -> dict[str, object]:
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=WrittenNumber, parse_int=WrittenNumber)
    except RecursionError:
        raise _BadRow("BROKEN_JSON", "is nested too deep") from None
    except ValueError as error:
        raise _BadRow("BROKEN_JSON", f"is not JSON: {str(error).splitlines()[0][:100]}") from None
    if not isinstance(found, dict):
        raise _BadRow("BROKEN_JSON", "is not an object")
    return found


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
