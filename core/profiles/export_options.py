"""How the file of an export is written, as people ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from core.errors import Invalid
from core.profiles.files.shape_checks import check_encoding, is_mark


class ExportFormat(StrEnum):
    """What the file is."""

    CSV = "csv"
    JSON_LINES = "json_lines"
    WORKBOOK = "workbook"  # .xlsx
    PARQUET = "parquet"


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
    titles: Titles = Titles.NAMES  # of CSV and workbooks
    delimiter: str = ","
    quote_all: bool = False
    encoding: str = "utf-8"
    line_end: LineEnd = LineEnd.LF
    gzip: bool = False  # of CSV and JSON Lines
    escape_formulas: bool = True  # a ' before what a spreadsheet would compute
    refuse_empty: bool = False  # fail where there is nobody to write

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExportOptions:
        """The options as they are stored."""
        return msgspec.convert(data, cls)

    @property
    def suffix(self) -> str:
        """What the name of a file ends with."""
        return _SUFFIXES[self.format] + (".gz" if self.gzip else "")


_SUFFIXES = {
    ExportFormat.CSV: ".csv",
    ExportFormat.JSON_LINES: ".jsonl",
    ExportFormat.WORKBOOK: ".xlsx",
    ExportFormat.PARQUET: ".parquet",
}
_PACKED = frozenset({ExportFormat.WORKBOOK, ExportFormat.PARQUET})


def check_export_options(options: ExportOptions) -> None:
    """Raises Invalid (BAD_DELIMITER, BAD_ENCODING, PACKED_TWICE)."""
    delimiter = options.delimiter
    if not is_mark(delimiter) or not delimiter.isascii() or delimiter in "\"'.":
        raise Invalid(
            f"{delimiter[:20]!r} cannot separate cells", code="BAD_DELIMITER", path="options.delimiter",
            hint="Use one character, such as ',' ';' '|' or a tab.",
        )  # fmt: skip
    check_encoding(options.encoding, "options.encoding")
    if options.gzip and options.format in _PACKED:
        raise Invalid(
            f"a {options.format.value} file is packed already", code="PACKED_TWICE", path="options.gzip", hint="Leave gzip out."
        )
