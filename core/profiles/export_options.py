"""How the file of an export is written, as people ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from core.errors import Invalid
from core.profiles.files.shape_checks import WIDEST, check_encoding, is_mark, is_separator


class ExportFormat(StrEnum):
    """What the file is."""

    CSV = "csv"
    JSON_LINES = "json_lines"
    WORKBOOK = "workbook"  # .xlsx
    PARQUET = "parquet"
    FIXED_WIDTH = "fixed_width"


class Titles(StrEnum):
    """What stands in the first line."""

    NAMES = "names"
    LABELS = "labels"
    NONE = "none"


class LineEnd(StrEnum):
    """What ends a line."""

    LF = "lf"
    CRLF = "crlf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """How a file is written. What is not said of a format counts for CSV only."""

    format: ExportFormat = ExportFormat.CSV
    titles: Titles = Titles.NAMES  # of all but JSON Lines and Parquet
    delimiter: str = ","
    quote: str = '"'
    quote_all: bool = False
    widths: tuple[int, ...] = ()  # characters of each column of fixed width
    cut: bool = False  # what is longer than its column of fixed width; else the export fails
    encoding: str = "utf-8"  # of CSV and fixed width
    line_end: LineEnd = LineEnd.LF  # of CSV and fixed width
    gzip: bool = False  # of all but workbooks and Parquet
    zip: bool = False  # as gzip
    escape_formulas: bool = True  # a ' before what a spreadsheet would compute
    refuse_empty: bool = False  # fail where there is nobody to write

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExportOptions:
        """The options as they are stored."""
        return msgspec.convert(data, cls)

    @property
    def suffix(self) -> str:
        """What the name of a file ends with."""
        return self.inner_suffix + (".gz" if self.gzip else ".zip" if self.zip else "")

    @property
    def inner_suffix(self) -> str:
        """What the name of the file within a packed one ends with."""
        return _SUFFIXES[self.format]

    @property
    def is_text(self) -> bool:
        """Whether the file is lines of cells, in any encoding."""
        return self.format in (ExportFormat.CSV, ExportFormat.FIXED_WIDTH)


_SUFFIXES = {
    ExportFormat.CSV: ".csv",
    ExportFormat.JSON_LINES: ".jsonl",
    ExportFormat.WORKBOOK: ".xlsx",
    ExportFormat.PARQUET: ".parquet",
    ExportFormat.FIXED_WIDTH: ".txt",
}
_PACKED = frozenset({ExportFormat.WORKBOOK, ExportFormat.PARQUET})


def check_export_options(options: ExportOptions, columns: int) -> None:
    """Of so many columns. Raises Invalid (BAD_DELIMITER, BAD_QUOTE, BAD_ENCODING, PACKED_TWICE, BAD_COLUMNS)."""
    delimiter, quote = options.delimiter, options.quote
    if not is_separator(delimiter) or not delimiter.isascii():
        raise Invalid(
            f"{delimiter[:20]!r} cannot separate cells", code="BAD_DELIMITER", path="options.delimiter",
            hint="Use one character, such as ',' ';' '|', a tab or a blank.",
        )  # fmt: skip
    if not is_mark(quote) or not quote.isascii() or quote == delimiter:
        raise Invalid(
            f"{quote[:20]!r} cannot be the quote", code="BAD_QUOTE", path="options.quote",
            hint="Use one character that is not the delimiter.",
        )  # fmt: skip
    check_encoding(options.encoding, "options.encoding")
    for name, wanted in (("gzip", options.gzip), ("zip", options.zip)):
        if wanted and options.format in _PACKED:
            raise Invalid(
                f"a {options.format.value} file is packed already", code="PACKED_TWICE", path=f"options.{name}",
                hint=f"Leave {name} out.",
            )  # fmt: skip
    if options.gzip and options.zip:
        raise Invalid("a file is packed once", code="PACKED_TWICE", path="options.zip", hint="Choose gzip or zip.")
    _check_widths(options, columns)


def _check_widths(options: ExportOptions, columns: int) -> None:
    widths = options.widths
    expected = columns if options.format is ExportFormat.FIXED_WIDTH else 0
    if len(widths) != expected:
        raise Invalid(
            f"there are {len(widths)} widths, and {expected} columns of fixed width", code="BAD_COLUMNS", path="options.widths",
            hint="Name the columns, and give each its number of characters; other formats have no widths.",
        )  # fmt: skip
    if any(width < 1 for width in widths) or sum(widths) > WIDEST:
        raise Invalid(
            f"columns have at least one character, and {WIDEST} together", code="BAD_COLUMNS", path="options.widths",
            hint="Give each column its number of characters.",
        )  # fmt: skip
