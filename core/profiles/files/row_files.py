"""Files that give rows of values, not lines of text. A place in them is a number of rows; going there is reading up to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from core.profiles.files.cells import LARGEST_CELL, typed_cell
from core.profiles.files.chunks import BadLine, Chunk, as_csv

LARGEST_CHUNK = 1 << 23  # characters of cells

KEPT_OF_BAD_ROW = 1000  # characters


class RowFile(ABC):
    """One open file. Used by one thread at a time."""

    header: list[str]

    def __init__(self) -> None:
        self._taken = 0  # rows
        self._line = 0  # of the last row
        self._source: Iterator[tuple[int, Sequence[Any]]] | None = None

    @abstractmethod
    def rows(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """All rows below the header with their numbers in the file, from 1. Raises Invalid."""

    @abstractmethod
    def consumed(self) -> int:
        """How many bytes of the stored file have been read, about."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def skip_to(self, position: int, lines: int) -> None:
        """Go on behind a chunk that was read before."""
        self._source = self.rows()
        self._taken = sum(1 for _ in islice(self._source, position))
        self._line = lines

    def read(self, lines: int) -> Chunk:
        """The next chunk of so many rows, or of as many as fit."""
        if self._source is None:
            self._source = self.rows()
        width = len(self.header)
        chunk = Chunk(columns=[[] for _ in self.header], plain=False)
        rows, numbers, size, count = [], [], 0, 0
        chunk.last = True
        for number, values in self._source:
            count += 1
            self._line = number
            cells = [value if type(value) is str else typed_cell(value) for value in values]
            cells += [""] * (width - len(cells))
            size += sum(map(len, cells))
            if fault := _fault(cells, width):
                chunk.bad.append(BadLine(number, *fault, as_csv(cells)[:KEPT_OF_BAD_ROW]))
            elif any(cells):
                rows.append(cells[:width])
                numbers.append(number)
            if count >= lines or size >= LARGEST_CHUNK:
                chunk.last = False
                break
        if rows:
            chunk.add(rows, numbers)
        self._taken += count
        chunk.end, chunk.end_line = self._taken, self._line
        return chunk


def _fault(cells: list[str], width: int) -> tuple[str, str] | None:
    if any(cells[width:]):
        return "WRONG_WIDTH", f"has {len(cells)} cells, the header {width}"
    if max(map(len, cells), default=0) > LARGEST_CELL:
        return "TOO_LONG", f"has a cell of more than {LARGEST_CELL} characters"
    return None
