"""A file of refused rows that comes back corrected: read like the file it is from, without what we wrote before the cells."""

from __future__ import annotations

import re

from core.profiles.csv_reader import CsvFile
from core.profiles.files.chunks import Chunk
from core.profiles.files.streams import Stream
from core.profiles.formulas import unescaped

HEADER = ("line", "column", "code", "reason", "row")  # then the columns of the import's file
_START = re.compile(rb'(?:\xef\xbb\xbf)?"?line"?([,;\t])"?column"?\1"?code"?\1"?reason"?\1"?row"?\1')
LOOKED_AT = 60  # bytes


def find_corrected(start: bytes) -> str | None:
    """The delimiter of a file of refused rows, by its first bytes; None for any other file."""
    found = _START.match(start)
    return found[1].decode() if found else None


class CorrectedFile:
    """One open file. Used by one thread at a time."""

    def __init__(self, source: Stream, delimiter: str):
        """Raises Invalid as CsvFile does."""
        self._file = CsvFile(source, delimiter)
        self.delimiter = delimiter
        self.header = [unescaped(title) for title in self._file.header[len(HEADER) :]]
        self.skip_to = self._file.skip_to
        self.consumed = self._file.consumed
        self.close = self._file.close

    def read(self, lines: int) -> Chunk:
        """The next chunk; its cells are as they stood in the first file."""
        chunk = self._file.read(lines)
        chunk.columns = chunk.columns[len(HEADER) :]
        if chunk.marked:
            chunk.columns = [[unescaped(cell) for cell in column] for column in chunk.columns]
        return chunk
