"""Workbooks (.xlsx): the rows of one sheet, read one after the other. What formulas came to is read, never the formulas."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from core.errors import Invalid
from core.profiles.files.archives import UNREADABLE
from core.profiles.files.row_files import RowFile
from core.profiles.files.sheet_rows import BadSheet, SheetRows
from core.profiles.files.streams import Packed, check_growth
from core.profiles.import_options import FileShape

LARGEST_PART = 1 << 24  # bytes of a part that is read as a whole
LARGEST_TEXTS = 1 << 28  # bytes of the texts that cells share: they are in memory
LARGEST_SHEET = 1 << 34  # bytes
START = 1 << 16  # bytes of a part in which it may declare entities
SHEETS_SHOWN = 5


class WorkbookFile(RowFile):
    """One open sheet. Used by one thread at a time."""

    def __init__(self, path: Path, shape: FileShape):
        """Raises Invalid (BROKEN_WORKBOOK, UNPACKS_TOO_FAR, NO_SHEET, EMPTY_FILE)."""
        super().__init__()
        self._shape = shape
        self._size = path.stat().st_size
        _check_parts(path)
        self._file = path.open("rb")
        try:
            self._sheet = self._open_sheet()
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def rows(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """All rows below the header with the numbers that the sheet shows. Raises Invalid (BROKEN_WORKBOOK)."""
        first = self._shape.skip_lines + self._shape.header + 1
        last = 0
        for sheet in (self._sheet, *self._further_sheets()):
            before = last
            for number, row in self._numbered(first, sheet):
                last = before + number
                yield last, row

    def _further_sheets(self) -> Iterator[Any]:
        """Those behind the first with the same titles: an export too long for one sheet. Their rows are numbered on."""
        if self._shape.sheet is None and self._shape.header:
            for sheet in self._book.worksheets[1:]:
                if self._titles(sheet) != self.header:
                    return
                yield sheet

    def consumed(self) -> int:
        """How far it has come in the file, about."""
        return min(self._size, self._file.tell())

    def close(self) -> None:
        """Let go of the file."""
        self._book.close()
        self._file.close()

    def _open_sheet(self) -> Any:
        import openpyxl  # only for whom brings such a file

        try:
            self._book = openpyxl.load_workbook(self._file, read_only=True, data_only=True, keep_links=False)
            names = [sheet.title for sheet in self._book.worksheets]
        except Exception as error:  # of all kinds: the library takes what it reads on trust
            raise _broken(error) from None
        name = self._shape.sheet or (names[0] if names else "")
        if name not in names:
            raise Invalid(
                f"the workbook has no sheet {name[:80]!r}", code="NO_SHEET", path="options.file.sheet",
                hint=f"It has {', '.join(map(repr, names[:SHEETS_SHOWN])) or 'none'}.",
            )  # fmt: skip
        return self._book[name]

    def _read_header(self) -> list[str]:
        first = self._shape.skip_lines + 1
        titles = self._titles(self._sheet)
        if not titles:
            raise Invalid(f"row {first} of the sheet is empty", code="EMPTY_FILE", path=f"line {first}")
        if self._shape.header:
            return titles
        return [str(number) for number in range(1, len(titles) + 1)]

    def _titles(self, sheet: Any) -> list[str]:
        """What the columns are called: the first row without what is empty behind."""
        first = self._shape.skip_lines + 1
        number, row = next(self._numbered(first, sheet), (0, ()))
        titles = ["" if value is None else str(value) for value in row] if number == first else []
        while titles and not titles[-1].strip():
            titles.pop()
        return titles

    def _numbered(self, first: int, sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
        """Rows from a number on. What openpyxl keeps to itself is asked of it, so that memory stays bounded."""
        book = self._book
        reader = SheetRows(sheet._shared_strings, frozenset(book._date_formats), frozenset(book._timedelta_formats), book.epoch)
        try:
            with sheet._get_source() as source:
                for number, row in reader.read(source):
                    if number >= first:
                        yield number, row
        except (BadSheet, ParseError, *Packed, ValueError, IndexError, OSError) as error:
            raise _broken(error) from None


def _check_parts(path: Path) -> None:
    """Nothing is unpacked before its size is known, here and by `zipfile` no further, and no part may declare entities."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            limit = LARGEST_PART
            if part.filename.startswith("xl/worksheets/"):
                limit = LARGEST_SHEET
            elif part.filename.lower() == "xl/sharedstrings.xml":
                limit = LARGEST_TEXTS
            elif not part.filename.endswith((".xml", ".rels")):
                continue  # pictures and the like, which are not read
            if part.file_size > limit:
                raise Invalid(
                    f"{part.filename[:80]!r} in the workbook unpacks to {part.file_size} bytes", code="UNPACKS_TOO_FAR",
                    path="file", hint="Save the sheet as CSV.",
                )  # fmt: skip
            check_growth(part.file_size, min(part.compress_size, size))  # it may claim more than there is
            try:
                with archive.open(part) as file:
                    start = file.read(START)
            except (*Packed, *UNREADABLE) as error:
                raise _broken(error) from None
            if b"<!" in start.replace(b"\0", b"").replace(b"<!--", b"").replace(b"<![CDATA[", b""):
                raise Invalid(
                    f"{part.filename[:80]!r} in the workbook declares entities", code="BROKEN_WORKBOOK", path="file",
                    hint="Save it anew with a spreadsheet program.",
                )  # fmt: skip


def _broken(error: BaseException) -> Invalid:
    what = (str(error).splitlines() or [type(error).__name__])[0][:150]
    return Invalid(f"the workbook cannot be read: {what}", code="BROKEN_WORKBOOK", path="file", hint="Save it anew as .xlsx.")
