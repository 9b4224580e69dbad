"""Writes the file of an export in every format, in memory that does not grow with it. Used by one thread at a time."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from core.errors import Conflict
from core.profiles.export_options import ExportFormat, ExportOptions, LineEnd, Titles
from core.profiles.fields import Field, FieldType
from core.profiles.files.cells import as_cell
from core.profiles.formulas import escaped

ROWS_OF_A_SHEET = 1_048_576  # with the titles
LONGEST_TEXT = 32_767  # characters of a cell of a workbook
EXACT = 2**53  # above, a workbook's numbers are not whole
FIRST_DAY = date(1900, 3, 1)  # of which all spreadsheets have the same idea
PACKING = 6  # of gzip and zip


class Writer(ABC):
    """One file being written: what the database gave for range after range, then the end."""

    @abstractmethod
    def write(self, data: Sequence[Any]) -> None:
        """More of it. Raises Conflict for what the format cannot hold."""

    @abstractmethod
    def close(self) -> None:
        """The file is complete, or given up."""


def open_writer(path: Path, fields: Sequence[Field], options: ExportOptions, name: str) -> Writer:
    """The writer of a new file, its titles written. `name`: what is within a zip, without what it ends with."""
    if options.format is ExportFormat.PARQUET:
        return ParquetWriter(path, fields)
    if options.format is ExportFormat.WORKBOOK:
        return WorkbookWriter(path, fields, options)
    text = TextWriter(path, options, name + options.inner_suffix)
    titles = titles_of(fields, options)
    if options.format is ExportFormat.FIXED_WIDTH:
        return FixedWidthWriter(text, fields, options)
    if titles and options.format is ExportFormat.CSV:
        line = io.StringIO()
        kind: Any = csv.QUOTE_ALL if options.quote_all else csv.QUOTE_MINIMAL
        writer = csv.writer(line, delimiter=options.delimiter, quotechar=options.quote, quoting=kind, lineterminator="\n")
        writer.writerow(map(escaped, titles) if options.escape_formulas else titles)
        text.write([line.getvalue().encode()])
    return text


def titles_of(fields: Sequence[Field], options: ExportOptions) -> list[str]:
    """What the columns are called; nothing without titles."""
    if options.titles is Titles.NONE:
        return []
    return [one.label if options.titles is Titles.LABELS else one.name for one in fields]


class TextWriter(Writer):
    """Lines as the database wrote them, in UTF-8 or what was asked for."""

    def __init__(self, path: Path, options: ExportOptions, entry: str):
        """`entry`: the name of the file within a zip."""
        self._file: BinaryIO = path.open("wb")
        self._packed: list[Any] = []  # what is between the lines and the file; the innermost first
        if options.gzip:
            self._packed = [gzip.GzipFile(filename="", mode="wb", compresslevel=PACKING, fileobj=self._file, mtime=0)]
        elif options.zip:
            archive = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=PACKING)
            self._packed = [archive.open(entry, "w", force_zip64=True), archive]
        self._out: Any = self._packed[0] if self._packed else self._file
        self._crlf = options.line_end is LineEnd.CRLF and options.is_text
        self._encoding = options.encoding
        plain = not options.is_text or codecs.lookup(options.encoding).name == "utf-8"
        self._decoder = None if plain else codecs.getincrementaldecoder("utf-8")()
        self._encoder = None if plain else codecs.getincrementalencoder(options.encoding)()

    def write(self, data: Iterable[bytes]) -> None:
        """Raises Conflict (BAD_CHARACTER)."""
        for piece in data:
            if self._crlf:
                piece = piece.replace(b"\n", b"\r\n")
            self._out.write(piece if self._decoder is None else self._encoded(piece))

    def close(self) -> None:
        """Everything is on its way to the disk."""
        for one in (*self._packed, self._file):
            one.close()

    def _encoded(self, piece: bytes) -> bytes:
        assert self._decoder is not None
        assert self._encoder is not None
        try:
            return self._encoder.encode(self._decoder.decode(piece))
        except UnicodeEncodeError as error:
            raise Conflict(
                f"U+{ord(error.object[error.start]):04X} cannot be written in {self._encoding}", code="BAD_CHARACTER",
                path="options.encoding", hint="Export in utf-8.",
            ) from None  # fmt: skip


class FixedWidthWriter(Writer):
    """Columns of so many characters each, with blanks behind what is shorter."""

    def __init__(self, text: TextWriter, fields: Sequence[Field], options: ExportOptions):
        self._text = text
        self._columns = [(one.name, width) for one, width in zip(fields, options.widths, strict=True)]
        self._cut = options.cut
        if titles := titles_of(fields, options):
            line = "".join(title[:width].ljust(width) for title, width in zip(titles, options.widths, strict=True))
            text.write([f"{line}\n".encode()])

    def write(self, data: Sequence[Sequence[str | None]]) -> None:
        """Raises Conflict (TOO_LONG, LINE_BREAK, BAD_CHARACTER)."""
        self._text.write(self._line(row) for row in data)  # one by one: a range of wide lines is large

    def close(self) -> None:
        """As the text's."""
        self._text.close()

    def _line(self, row: Sequence[str | None]) -> bytes:
        cells = [self._cell(cell or "", *column) for cell, column in zip(row, self._columns, strict=True)]
        return f"{''.join(cells)}\n".encode()

    def _cell(self, cell: str, name: str, width: int) -> str:
        if "\n" in cell or "\r" in cell:
            raise Conflict(
                f"a value of {name!r} has a line break, which a line of fixed width cannot hold", code="LINE_BREAK",
                path="options.format", hint="Export as CSV, JSON Lines, a workbook or Parquet, or without the column.",
            )  # fmt: skip
        if len(cell) > width and not self._cut:
            raise Conflict(
                f"a value of {name!r} has {len(cell)} characters: the column has {width}", code="TOO_LONG",
                path="options.widths", hint="Make the column wider, or say `cut`.",
            )  # fmt: skip
        return cell[:width].ljust(width)


class WorkbookWriter(Writer):
    """A sheet, and another of the same titles whenever one is full."""

    def __init__(self, path: Path, fields: Sequence[Field], options: ExportOptions):
        import xlsxwriter  # only for whom wants such a file

        self._book = xlsxwriter.Workbook(
            str(path),
            {"constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False, "tmpdir": str(path.parent)},
        )
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._titles = titles_of(fields, options)
        self._sheets = 0
        self._add_sheet()

    def write(self, data: Sequence[Sequence[Any]]) -> None:
        """Raises Conflict (TOO_LONG)."""
        for row in data:
            if self._row == ROWS_OF_A_SHEET:
                self._add_sheet()
            for column, value in enumerate(row):
                if value is not None:
                    self._put(column, value)
            self._row += 1

    def close(self) -> None:
        """The sheets are packed into their file."""
        self._book.close()

    def _add_sheet(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet("Profiles" if self._sheets == 1 else f"Profiles {self._sheets}")
        for column, title in enumerate(self._titles):
            self._sheet.write_string(0, column, title)
        self._row = 1 if self._titles else 0

    def _put(self, column: int, value: Any) -> None:
        if isinstance(value, bool):
            self._sheet.write_boolean(self._row, column, value)
        elif isinstance(value, int | float) and abs(value) <= EXACT and float(f"{value:.16G}") == value:  # as it is written
            self._sheet.write_number(self._row, column, value)
        elif isinstance(value, date) and not isinstance(value, datetime) and value >= FIRST_DAY:
            self._sheet.write_datetime(self._row, column, value, self._day)
        else:
            text = as_cell(value)
            if len(text) > LONGEST_TEXT:
                raise Conflict(
                    f"a text has {len(text)} characters: a cell of a workbook holds {LONGEST_TEXT}", code="TOO_LONG",
                    path="options.format", hint="Export as CSV, JSON Lines or Parquet, or without the column.",
                )  # fmt: skip
            self._sheet.write_string(self._row, column, text)


class ParquetWriter(Writer):
    """A row group for each range."""

    def __init__(self, path: Path, fields: Sequence[Field]):
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        self._schema = arrow.schema([(one.name, _arrow_type(one)) for one in fields])
        self._make = arrow.Table.from_arrays
        self._array = arrow.array
        self._out = parquet.ParquetWriter(str(path), self._schema, compression="zstd")

    def write(self, data: Sequence[Sequence[Any]]) -> None:
        """A group of rows."""
        if not data:
            return
        columns = zip(*data, strict=True)
        arrays = [self._array(_plain(values), one.type) for values, one in zip(columns, self._schema, strict=True)]
        self._out.write_table(self._make(arrays, schema=self._schema))

    def close(self) -> None:
        """What the file holds is written behind its rows."""
        self._out.close()


def _plain(values: Sequence[Any]) -> Sequence[Any]:
    """Of what Parquet has no kind for, the text."""
    first = next((value for value in values if value is not None), None)
    if isinstance(first, Decimal | UUID):  # a column has values of one kind
        return [value if value is None else as_cell(value) for value in values]
    return values


def _arrow_type(field: Field) -> Any:
    import pyarrow as arrow

    kinds = {
        FieldType.BOOLEAN: arrow.bool_(),
        FieldType.INTEGER: arrow.int64(),
        FieldType.NUMBER: arrow.float64(),
        FieldType.DATE: arrow.date32(),
        FieldType.DAY: arrow.date32(),
        FieldType.INSTANT: arrow.timestamp("us", "UTC"),
    }
    return kinds.get(field.type, arrow.string())
