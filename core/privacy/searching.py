"""Whether a stored file names somebody. A file is kept only if it could be read through to its end and does not.

Bytes are searched as they are, unpacked where they are packed (gzip; zip, and so workbooks), and cell by cell in Parquet. A
file that unpacks further than an import would let it was never imported, and is not unpacked further here. Runs in a thread.
"""

from __future__ import annotations

import gzip
import html
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import Invalid
from core.personal import Person
from core.privacy.words import BETWEEN_BYTES, name_bytes, number_bytes, word_bytes
from core.profiles.files.archives import open_archive
from core.profiles.files.parquet_file import column_values
from core.profiles.files.streams import check_growth

CHUNK = 1 << 20  # bytes read at once
OVERLAP = 8 << 10  # of chunks: no word is longer
CELLS = 5_000  # rows of a Parquet file at once

if TYPE_CHECKING:
    from _typeshed import SupportsRead

_MARKUP = (".xml", ".html", ".htm", ".xhtml", ".svg")
# Each part ends at the next tag at the latest, so that a chunk of nothing but beginnings takes no longer than another.
_NEXT_RUN = re.compile(
    rb"</t>\s*</r>\s*<r\b[^<>]*>\s*(?:<rPr\b[^<>]*>[^<]*(?:<(?!/?(?:rPr|r|t)\b)[^<]*)*</rPr>\s*|<rPr\b[^<>]*/>\s*)?<t\b[^<>]*>"
)
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK", b"PAR1"
_BROKEN = (
    OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, OverflowError,
    struct.error, Invalid,
)  # fmt: skip


class NotSearchable(Exception):
    """A file cannot be read through."""


class Search:
    """Looks for several people at once."""

    def __init__(self, people: list[Person]):
        self._words = [word for person in people for word in word_bytes(person)]
        self._numbers = [number for person in people for number in number_bytes(person)]
        self._names = [names for person in people for names in name_bytes(person)]

    def finds(self, path: Path) -> bool:
        """Whether a file names one of them. A file that is gone names nobody. Raises NotSearchable."""
        seen: set[tuple[int, int]] = set()
        try:
            return any(self._in(chunk, seen) for chunk in _chunks(path))
        except FileNotFoundError:
            return False
        except _BROKEN as error:
            raise NotSearchable(str(error)) from None

    def _in(self, chunk: bytes, seen: set[tuple[int, int]]) -> bool:
        small = chunk.lower()
        zeros = b"\0" in small  # without them no text of 16 bits can be there
        if any((zeros or b"\0" not in word) and word in small for word in self._words):
            return True
        if self._numbers:
            bare = chunk.translate(None, BETWEEN_BYTES)
            if any(number in bare for number in self._numbers):
                return True
        for number, names in enumerate(self._names):
            for part, spellings in enumerate(names):
                if (number, part) not in seen and any(spelling in small for spelling in spellings):
                    seen.add((number, part))
            if all((number, part) in seen for part in range(len(names))):
                return True
        return False


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked; each chunk begins with the end of the one before. Raises Invalid (UNPACKS_TOO_FAR)."""
    with path.open("rb") as file:
        start = file.read(4)
    size = path.stat().st_size
    if start == _PARQUET:
        yield from _cells(path, size)
    elif start[:2] == _ZIP:
        with open_archive(path) as archive:
            check_growth(sum(member.file_size for member in archive.infolist()), size)  # no more than that comes out
            for member in archive.infolist():
                yield member.filename.encode("utf-8", "surrogateescape")
                with archive.open(member) as opened:
                    yield from _stream(opened, markup=member.filename.endswith(_MARKUP))
    elif start[:2] == _GZIP:
        with gzip.open(path) as unpacked:
            yield from _stream(unpacked, check=lambda so_far: check_growth(so_far, size))
    else:
        with path.open("rb") as plain:
            yield from _stream(plain, packed=False)


def _stream(
    file: SupportsRead[bytes], *, packed: bool = True, markup: bool = False, check: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """`check` is told how many bytes came out so far. Raises ValueError for what is packed once more."""
    before, so_far = b"", 0
    while chunk := file.read(CHUNK):
        so_far += len(chunk)
        if check is not None:
            check(so_far)
        if packed and not before and chunk[:2] in (_GZIP, _ZIP):
            raise ValueError("packed more than once")
        yield before + chunk
        if markup and (b"&" in chunk or b"</r>" in chunk):
            yield _without_markup(before + chunk)
        before = chunk[-OVERLAP:]


def _without_markup(chunk: bytes) -> bytes:
    """What a reader of the workbook sees: a text is in one piece, whatever is set in bold in it, and no letter is a number."""
    whole = _NEXT_RUN.sub(b"", chunk).decode("utf-8", "surrogateescape")
    return html.unescape(whole).encode("utf-8", "surrogateescape")


def _cells(path: Path, size: int) -> Iterator[bytes]:
    """What cells hold; of values that repeat, each once for some thousand rows."""
    import pyarrow  # 100 MB of library: only for such a file
    import pyarrow.parquet as parquet

    so_far = 0
    with parquet.ParquetFile(path, memory_map=False) as file:
        for batch in file.iter_batches(batch_size=CELLS):
            for column in batch.columns:
                whole = pyarrow.types.is_nested(column.type) or isinstance(column.type, pyarrow.BaseExtensionType)
                values = column if whole else column.unique()
                cells = "\n".join(map(str, column_values(values))).encode()
                so_far += len(cells)
                check_growth(so_far, size)
                yield cells
