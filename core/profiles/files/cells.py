"""Typed values of workbooks, Parquet and JSON as the text that a cell of a CSV file would have. Pure."""

from __future__ import annotations

import csv
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

_JSON = msgspec.json.Encoder(decimal_format="number")  # numbers within stay numbers, as exact as they are
LARGEST_CELL = csv.field_size_limit()  # characters


class WrittenNumber(str):
    """A number of a JSON text, as exact as it was written."""

    __slots__ = ()


class BareTime(str):
    """A day, or a time without an offset, that was no text: whose zone it is has still to be said."""

    __slots__ = ()


def typed_cell(value: Any) -> str:
    """The same as `as_cell`, of files whose cells have types: days and times without an offset are known as such."""
    cell = as_cell(value)
    bare = isinstance(value, date) and (not isinstance(value, datetime) or value.tzinfo is None)
    return BareTime(cell) if bare else cell


def as_moment(cell: BareTime, *, utc: bool) -> str:
    """A day is its midnight; a time is of UTC or, without an offset, of whichever zone it is read in."""
    time_of_day = cell.removesuffix("Z") if "T" in cell else f"{cell}T00:00:00"
    return f"{time_of_day}Z" if utc else time_of_day


def as_written(cell: BareTime, *, pattern: str) -> str:
    """As a pattern of strptime has it; where the pattern has no place for all of it, it stays as it is."""
    found = datetime.fromisoformat(cell.removesuffix("Z"))
    try:
        text = found.strftime(pattern)
        return text if datetime.strptime(text, pattern) == found else cell
    except ValueError:
        return cell


def as_cell(value: Any) -> str:
    """Nothing is empty, days and times are ISO 8601, whole numbers have no point, lists and objects are JSON.

    A time without an offset is UTC; a time of midnight without one is a day.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, Decimal):
        return format(value, "f") if abs(value.adjusted()) < LARGEST_CELL else str(value)
    if isinstance(value, int | date | time | timedelta | UUID):
        return str(value)
    return msgspec.json.format(_JSON.encode(_plain(value)), indent=0).decode()


def _instant(value: datetime) -> str:
    if value.tzinfo is not None:
        return value.isoformat()
    if value.time() == time():
        return value.date().isoformat()
    return f"{value.isoformat()}Z"


def _plain(value: Any) -> Any:
    if isinstance(value, WrittenNumber):
        return msgspec.Raw(value.encode())
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | Decimal | str) else as_cell(value)
