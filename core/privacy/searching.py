"""Whether a stored file names somebody. A file is kept only if it could be read through to its end and does not.

Bytes are searched as they are, unpacked where they are packed (gzip; zip, and so workbooks), and cell by cell in Parquet. What
cannot be read through, or unpacks without end, counts as naming them. Runs in a thread.
"""

from __future__ import annotations

import gzip
import html
import re
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.personal import Person
from core.privacy.words import name_bytes, word_bytes

CHUNK = 1 << 20  # bytes read at once
OVERLAP = 8 << 10  # of chunks: no word is longer
MOST_UNPACKED = 64 << 30  # bytes of one file
CELLS = 5_000  # rows of a Parquet file at once

if TYPE_CHECKING:
    from _typeshed import SupportsRead

_MARKUP = (".xml", ".html", ".htm", ".xhtml", ".svg")
_NEXT_RUN = re.compile(rb"</t>\s*</r>\s*<r\b[^>]*>\s*(?:<rPr\b.*?</rPr>\s*|<rPr\b[^>]*/>\s*)?<t\b[^>]*>", re.DOTALL)
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK", b"PAR1"
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError)


class Search:
    """Looks for several people at once."""

    def __init__(self, people: list[Person]):
        self._words: list[re.Pattern[bytes]] = [one for one in map(word_bytes, people) if one is not None]
        self._names = [names for person in people for names in name_bytes(person)]

    def finds(self, path: Path) -> bool:
        """Whether a file names one of them, or cannot be read through. A file that is gone names nobody."""
        seen: set[tuple[int, int]] = set()
        try:
            return any(self._in(chunk, seen) for chunk in _chunks(path))
        except FileNotFoundError:
            return False
        except _BROKEN:
            return True

    def _in(self, chunk: bytes, seen: set[tuple[int, int]]) -> bool:
        if any(word.search(chunk) for word in self._words):
            return True
        for number, names in enumerate(self._names):
            for part, pattern in enumerate(names):
                if (number, part) not in seen and pattern.search(chunk):
                    seen.add((number, part))
            if all((number, part) in seen for part in range(len(names))):
                return True
        return False


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked; each chunk begins with the end of the one before."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == _PARQUET:
        yield from _cells(path)
    elif start[:2] == _ZIP:
        with zipfile.ZipFile(path) as archive:
            left = MOST_UNPACKED
            for member in archive.infolist():
                yield member.filename.encode("utf-8", "surrogateescape")
                with archive.open(member) as opened:
                    left = yield from _stream(opened, left, markup=member.filename.endswith(_MARKUP))
    elif start[:2] == _GZIP:
        with gzip.open(path) as unpacked:
            yield from _stream(unpacked, MOST_UNPACKED)
    else:
        with path.open("rb") as plain:
            yield from _stream(plain, MOST_UNPACKED, packed=False)


def _stream(file: SupportsRead[bytes], left: int, *, packed: bool = True, markup: bool = False) -> Generator[bytes, None, int]:
    """Raises ValueError for what is packed once more, or unpacks too far. Returns how many bytes may still come."""
    before = b""
    while chunk := file.read(CHUNK):
        if packed and not before and chunk[:2] in (_GZIP, _ZIP):
            raise ValueError("packed more than once")
        left -= len(chunk)
        if left < 0:
            raise ValueError("unpacks too far")
        yield before + chunk
        if markup and (b"&" in chunk or b"</r>" in chunk):
            yield _without_markup(before + chunk)
        before = chunk[-OVERLAP:]
    return left


def _without_markup(chunk: bytes) -> bytes:
    """What a reader of the workbook sees: a text is in one piece, whatever is set in bold in it, and no letter is a number."""
    whole = _NEXT_RUN.sub(b"", chunk).decode("utf-8", "surrogateescape")
    return html.unescape(whole).encode("utf-8", "surrogateescape")


def _cells(path: Path) -> Iterator[bytes]:
    import pyarrow.parquet as parquet  # 100 MB of library: only for such a file

    with parquet.ParquetFile(path, memory_map=False) as file:
        for batch in file.iter_batches(batch_size=CELLS):
            for column in batch.columns:
                yield "\n".join(map(str, column.to_pylist())).encode()
