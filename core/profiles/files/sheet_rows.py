"""The rows of one sheet of a workbook, as they stand in its XML.

openpyxl knows workbooks, their shared texts and their formats, but keeps an element for every row it has read; here a sheet
of a million rows takes no more memory than one of ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, iterparse

LAST_COLUMN = 16_384
_SIGN = re.compile("_x([0-9A-Fa-f]{4})_")  # how workbooks write signs that XML cannot


class BadSheet(Exception):
    """The XML of a sheet is not what a sheet has."""


class _Tags:
    """The names of elements in the namespace of a sheet."""

    def __init__(self, space: str):
        self.row, self.cell, self.value = f"{space}row", f"{space}c", f"{space}v"
        # The texts of an inline string: its own, or those of its runs, without what says how they are spoken.
        self.inline = (f"{space}is/{space}t", f"{space}is/{space}r/{space}t")


class SheetRows:
    """Reads the cells of a workbook's sheets."""

    def __init__(self, texts: Sequence[str], dates: frozenset[int], spans: frozenset[int], epoch: Any):
        """`texts` are those that cells share; `dates` are the styles of days and times, `spans` those of durations."""
        from openpyxl.utils.datetime import from_excel, from_ISO8601  # only for whom brings such a file

        self._day, self._written_day = from_excel, from_ISO8601
        self._texts = texts
        self._dates = dates
        self._spans = spans
        self._epoch = epoch

    def read(self, source: BinaryIO) -> Iterator[tuple[int, list[Any]]]:
        """Rows that hold cells, with their numbers. Raises BadSheet, ParseError, and what zipfile raises."""
        last, data, tags = 0, None, _Tags("")
        for event, element in iterparse(source, ("start", "end")):
            if data is None:
                if event == "start" and element.tag.endswith("}sheetData"):
                    data, tags = element, _Tags(element.tag.removesuffix("sheetData"))
                continue
            if event == "start" or element.tag != tags.row:
                continue
            number = int(element.get("r") or last + 1)
            if number <= last:
                raise BadSheet(f"row {number} comes after row {last}")
            last = number
            values = self._row(element, tags)
            data.clear()
            if values:
                yield number, values

    def _row(self, row: Element, tags: _Tags) -> list[Any]:
        values: list[Any] = []
        for cell in row.iterfind(tags.cell):
            place = cell.get("r")
            column = len(values) + 1 if place is None else _column(place.rstrip("0123456789"))
            if not len(values) < column <= LAST_COLUMN:
                raise BadSheet(f"the cell {str(place)[:20]!r} is out of place")
            values += [None] * (column - 1 - len(values))
            values.append(self._value(cell, tags))
        return values

    def _value(self, cell: Element, tags: _Tags) -> Any:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return _signs("".join(text.text or "" for path in tags.inline for text in cell.iterfind(path)))
        text = cell.findtext(tags.value)
        if not text:
            return None
        if kind == "s":
            return _signs(self._texts[int(text)])
        if kind == "n":
            return self._number(text, int(cell.get("s", 0)))
        if kind == "b":
            return text.strip() not in ("0", "false")
        if kind == "e":
            return f"\0{text}"  # what a formula could not work out is no text that a field would take
        return self._written_day(text) if kind == "d" else _signs(text)

    def _number(self, text: str, style: int) -> Any:
        number = int(text) if text.isdecimal() and len(text) < 16 else float(text)
        if style not in self._dates:
            return number
        try:
            return self._day(number, self._epoch, timedelta=style in self._spans)
        except (OverflowError, ValueError):
            return f"\0{text}"  # no day of the calendar


def _signs(text: str) -> str:
    return _SIGN.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


@lru_cache(maxsize=LAST_COLUMN)
def _column(letters: str) -> int:
    """The number of a column: A is 1."""
    number = 0
    for letter in letters[:4].upper():
        if not "A" <= letter <= "Z":
            raise BadSheet(f"{letters[:20]!r} is no column")
        number = number * 26 + ord(letter) - 64
    return number
