"""What an import's rules make of a cell before its field reads it: nulls, capitals, tables of values, dates, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.profiles.errors import BadValue, shown
from core.profiles.fields import Field, FieldType
from core.profiles.import_options import ColumnRule, OtherValues, TextCase

Transform = Callable[[str], str]

MEMORY = 50_000  # cells remembered per column
BLANKS = "\u0020\u00a0\u2009\u202f"  # stand for each other between thousands
_TOKENS: Mapping[str, str] = {
    "YYYY": "%Y", "YY": "%y", "MONTH": "%B", "MON": "%b", "MM": "%m", "DD": "%d", "HH": "%H", "MI": "%M", "SS": "%S",
}  # fmt: skip
_TOKEN = re.compile("|".join(_TOKENS) + "|[A-Za-z]+")
_TIMED = re.compile(r"%[HIMSpfzTXc]")
_TRIED = datetime(2001, 12, 31, 23, 59, 58, tzinfo=UTC)


class Memory(dict[str, str]):
    """What a column's cells become; remembered, as most repeat. Raises BadValue for a cell that becomes nothing."""

    def __init__(self, transform: Transform):
        super().__init__()
        self._transform = transform

    def __missing__(self, cell: str) -> str:
        found = self._transform(cell)
        if len(self) < MEMORY:
            self[cell] = found
        return found


def compile_rule(rule: ColumnRule, nulls: tuple[str, ...], field: Field) -> Transform:
    """One function for all that a rule says. Raises Invalid as `parse_date_format` does."""
    nothing = frozenset(text.strip() for text in (*rule.nulls, *nulls))
    steps: list[Transform] = []
    if rule.case is not TextCase.KEEP:
        steps.append(_CASES[rule.case])
    if rule.values is not None:
        steps.append(_remap(rule))
    if rule.date_format is not None:
        steps.append(_dates(rule, field))
    elif rule.time_zone is not None and field.type is FieldType.INSTANT:
        steps.append(_zoned(rule))
    if rule.decimal_mark is not None or rule.thousands_mark is not None:
        steps.append(_numbers(rule.decimal_mark or ".", rule.thousands_mark))

    def transform(cell: str) -> str:
        text = " ".join(cell.split()) if rule.collapse_blanks else cell.strip()
        if text in nothing:
            text = ""
        for step in steps:
            text = text and step(text)  # a table of values may have made nothing of it
        text = text or rule.default or ""
        if not text and rule.required:
            raise BadValue("MISSING", "is missing")
        return text

    return transform


def parse_date_format(text: str, path: str | None = None) -> str:
    """A pattern of `YYYY MM DD HH MI SS MON MONTH`, or of strptime, as strptime takes it. Raises Invalid (BAD_DATE_FORMAT)."""
    pattern = text if "%" in text else _TOKEN.sub(lambda found: _TOKENS.get(found[0], "%!"), text)
    try:
        back = datetime.strptime(_TRIED.strftime(pattern), pattern)
        good = (back.year, back.month, back.day) == (_TRIED.year, _TRIED.month, _TRIED.day)
    except (ValueError, re.error, KeyError):
        good = False
    if not good or len(text) > 60:
        raise Invalid(
            f"{text[:60]!r} does not say how a date is written", code="BAD_DATE_FORMAT", path=path,
            hint="Write it like DD/MM/YYYY or YYYY-MM-DD HH:MI:SS, or as in strptime: %d/%m/%Y.",
        )  # fmt: skip
    return pattern


def _remap(rule: ColumnRule) -> Transform:
    values = {cell.strip(): meant for cell, meant in (rule.values or {}).items()}

    def remap(text: str) -> str:
        found = values.get(text)
        if found is not None:
            return found
        if rule.other_values is OtherValues.REFUSE:
            raise BadValue("BAD_VALUE", f"{shown(text)} is not in the table of values")
        return (rule.default or "") if rule.other_values is OtherValues.DEFAULT else text

    return remap


def _dates(rule: ColumnRule, field: Field) -> Transform:
    assert rule.date_format is not None
    pattern = parse_date_format(rule.date_format)
    timed = field.type is FieldType.INSTANT or (_TIMED.search(pattern) is not None and field.type not in _DAYS)
    instant = _instants(rule)

    def read(text: str) -> str:
        try:
            found = datetime.strptime(text, pattern)
        except ValueError:
            raise BadValue("BAD_DATE", f"{shown(text)} is not written like {rule.date_format}") from None
        if not timed:
            return date.isoformat(found.date())
        return instant(text, found)

    return read


def _zoned(rule: ColumnRule) -> Transform:
    """Of ISO 8601: what is none, a day, or has an offset stays as it is for the field to read."""
    instant = _instants(rule)

    def read(text: str) -> str:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return text
        return text if found.tzinfo is not None or _is_day(text) else instant(text, found)

    return read


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _instants(rule: ColumnRule) -> Callable[[str, datetime], str]:
    """What times of a column become: in UTC, those without an offset of the rule's zone."""
    zone: tzinfo = ZoneInfo(rule.time_zone) if rule.time_zone else UTC

    def instant(text: str, found: datetime) -> str:
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone)
        try:
            meant = found.astimezone(UTC)
            skipped = meant.astimezone(found.tzinfo).replace(tzinfo=None) != found.replace(tzinfo=None)
        except OverflowError:
            raise BadValue("BAD_DATE", f"{shown(text)} is not a time of the calendar") from None
        if skipped:  # what comes twice is the first of the two, as in expressions
            raise BadValue("SKIPPED_TIME", f"{shown(text)} is a time that the clocks of {rule.time_zone} skip")
        return meant.isoformat()

    return instant


def _numbers(decimal_mark: str, thousands_mark: str | None) -> Transform:
    point = re.escape(decimal_mark)
    groups = ""
    if thousands_mark is not None:
        between = f"[{BLANKS}]" if thousands_mark in BLANKS else re.escape(thousands_mark)
        groups = rf"\d{{1,3}}(?:{between}\d{{3}})+|"
    written = re.compile(rf"([+-]?)({groups}\d*)(?:{point}(\d*))?", re.ASCII)

    def read(text: str) -> str:
        found = written.fullmatch(text)
        if found is None or not (found[2] or found[3]):
            raise BadValue("BAD_VALUE", f"{shown(text)} is not a number as the file writes them")
        whole = re.sub(r"\D", "", found[2], flags=re.ASCII) or "0"
        return f"{found[1]}{whole}.{found[3]}" if found[3] else f"{found[1]}{whole}"

    return read


_DAYS = frozenset({FieldType.DATE, FieldType.DAY})
_CASES: Mapping[TextCase, Transform] = {
    TextCase.UPPER: str.upper,
    TextCase.LOWER: str.lower,
    TextCase.CAPITALIZE: lambda text: re.sub(r"[^\W\d_]+(?:['’][^\W\d_]{1,2}\b)?", lambda word: word[0].capitalize(), text),
}
