"""How the file of an import is read and what its cells mean, as people declare it. `import_checks` says what is possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FileFormat(StrEnum):
    """What a file is, once it is unpacked."""

    DELIMITED = "delimited"
    FIXED_WIDTH = "fixed_width"
    JSON_LINES = "json_lines"
    WORKBOOK = "workbook"  # .xlsx
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedColumn:
    """A column of a file of fixed width."""

    name: str
    width: int  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class FileShape:
    """How bytes become rows."""

    format: FileFormat | None = None  # None: found by the first bytes
    encoding: str | None = None  # None: by the byte order mark, else UTF-8
    quote: str | None = '"'  # None: no cell is quoted
    escape: str | None = None  # what takes the next character as it is
    header: bool = True  # of delimited, fixed and workbook files; without, columns are called 1, 2, 3, …
    skip_lines: int = 0  # before the header
    fixed_columns: tuple[FixedColumn, ...] = ()
    entry: str | None = None  # of an archive; None: the first
    sheet: str | None = None  # of a workbook; None: the first


class TextCase(StrEnum):
    """What becomes of capitals."""

    KEEP = "keep"
    UPPER = "upper"
    LOWER = "lower"
    CAPITALIZE = "capitalize"  # the first letter of each word


class OtherValues(StrEnum):
    """What becomes of a cell that the table of values does not have."""

    KEEP = "keep"
    REFUSE = "refuse"
    DEFAULT = "default"


class OnError(StrEnum):
    """What a cell that its field does not take costs."""

    REFUSE_ROW = "refuse_row"
    EMPTY_CELL = "empty_cell"  # the cell counts as empty
    DEFAULT = "default"


class ImportMode(StrEnum):
    """What is done with a row (feature map 7.42)."""

    INSERT_OR_UPDATE = "insert_or_update"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class TargetKind(StrEnum):
    """What an import writes into."""

    PROFILES = "profiles"
    DATASET = "dataset"
    SUBSCRIPTIONS = "subscriptions"
    QUARANTINE = "quarantine"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTarget:
    """What an import writes into, and what a kind of it needs to know."""

    kind: TargetKind = TargetKind.PROFILES
    dataset: str | None = None  # its name
    service_id: int | None = None  # of subscriptions; None: the column `service` names it
    origin: str = ""  # of subscriptions whose row does not say
    confirmed: bool = False  # of subscriptions: they are not asked again
    address_kind: str | None = None  # of quarantine; None: the column `kind` says it
    audience_id: int | None = None  # the list; None: one is made
    list_name: str | None = None  # of one that is made; None: that of the file and the time
    replace: bool = False  # of a list: who is not in the file is on it no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """What is done to the cells of a column before its field reads them, in the order of these lines."""

    column: str  # as the header calls it
    collapse_blanks: bool = False  # blanks at the ends go in any case
    nulls: tuple[str, ...] = ()  # texts that stand for nothing
    case: TextCase = TextCase.KEEP
    values: Mapping[str, str] | None = None  # cell → what it stands for
    other_values: OtherValues = OtherValues.KEEP
    date_format: str | None = None  # DD/MM/YYYY, or as in strptime: %d/%m/%Y
    time_zone: str | None = None  # of times without an offset; None: UTC
    decimal_mark: str | None = None
    thousands_mark: str | None = None
    default: str | None = None  # of an empty cell
    required: bool = False  # an empty cell refuses the row
    on_error: OnError = OnError.REFUSE_ROW
