"""What every reader of a file gives: rows in chunks, with their lines and the place behind them."""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BadLine:
    """A record that cannot be read."""

    line: int
    code: str
    message: str
    text: str


@dataclass(slots=True, kw_only=True)
class Chunk:
    """Records of the expected width by column, and where they stand; `plain`: no cell needs cleaning within.

    `marked`: a cell may be one that an export escaped.
    """

    columns: list[list[str]]
    lines: list[int] = field(default_factory=list)  # the line each record begins on, from 1
    bad: list[BadLine] = field(default_factory=list)
    plain: bool = True
    marked: bool = False
    end: int = 0  # the place behind, as the reader counts: the offset of a byte, or rows
    end_line: int = 0  # lines before it
    last: bool = False
    _texts: Sequence[str] | None = field(default=None, repr=False)  # None: there are no lines of text
    _first: int = field(default=1, repr=False)
    _extents: dict[int, int] = field(default_factory=dict, repr=False)  # lines of a record, where more than one

    @property
    def rows(self) -> list[list[str]]:
        """The records one by one."""
        return [list(row) for row in zip(*self.columns, strict=True)]

    def add(self, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
        """Take records in."""
        for column, cells in zip(self.columns, zip(*rows, strict=True), strict=True):
            column += cells
        self.lines += lines

    def text(self, line: int) -> str:
        """The record that begins on a line, as it stands in the file; of a file without text, as CSV."""
        if self._texts is None:
            return as_csv(self.cells(line))
        start = line - self._first
        return "".join(self._texts[start : start + self._extents.get(line, 1)]).strip("\r\n")

    def cells(self, line: int) -> list[str]:
        """The cells of the record that begins on a line; none of one that could not be read."""
        row = bisect_left(self.lines, line)
        if row == len(self.lines) or self.lines[row] != line:
            return []
        return [column[row] for column in self.columns]


class PeopleFile(Protocol):
    """An open file. Used by one thread at a time."""

    @property
    def header(self) -> list[str]:
        """What its columns are called."""

    def read(self, lines: int) -> Chunk:
        """The next chunk of about so many lines; `last` at the end of the file. Raises Invalid when it cannot go on."""

    def skip_to(self, position: int, lines: int) -> None:
        """Go on behind a chunk that was read before."""

    def consumed(self) -> int:
        """How many bytes of the stored file have been read, about."""

    def close(self) -> None:
        """Let go of the file."""


def as_csv(cells: Sequence[object], delimiter: str = ",") -> str:
    """A row of CSV without its end."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return out.getvalue()
