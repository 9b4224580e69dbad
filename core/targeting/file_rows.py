"""What the columns of an audience's file are, and what its rows say. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

import msgspec

from core.errors import Invalid
from core.profiles.errors import BadValue
from core.profiles.fields import Field, FieldType
from core.profiles.files.chunks import Chunk
from core.profiles.formulas import unescaped
from core.profiles.values import Reading, clean
from core.targeting.catalogue import Kind
from core.targeting.member_columns import KINDS, check_columns, check_number, label_of, names_of
from core.targeting.records import FileColumn, FileOptions, MemberColumn

LONGEST = 4_000  # characters of a cell
_TYPES = {
    Kind.TEXT: FieldType.TEXT, Kind.INTEGER: FieldType.INTEGER, Kind.DECIMAL: FieldType.DECIMAL,
    Kind.BOOLEAN: FieldType.BOOLEAN, Kind.DATE: FieldType.DAY, Kind.INSTANT: FieldType.INSTANT,
}  # fmt: skip
_READING = Reading(region="ZZ", today=date(2000, 1, 1))  # no value of these kinds depends on it


@dataclass(frozen=True, slots=True)
class FilePlan:
    """The columns that are kept, with where they stand in a row and how their cells are read."""

    columns: tuple[MemberColumn, ...]
    places: tuple[int, ...]
    fields: tuple[Field, ...]
    unescape: bool


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is left out; nothing of its cells is told, for they are personal."""

    line: int
    column: str
    code: str


@dataclass(frozen=True, slots=True)
class ReadRows:
    """The rows of a chunk as JSON objects, and those that are left out."""

    lines: list[int]
    data: list[str]
    bad: list[BadRow]


def check_file_columns(columns: Sequence[FileColumn], path: str = "columns") -> None:
    """Raises Invalid (TOO_MANY_COLUMNS, DUPLICATE_COLUMN, BAD_COLUMN)."""
    check_number(len(columns), path)
    twice = [title for title, times in Counter(one.column.strip() for one in columns).items() if times > 1]
    if twice:
        raise Invalid(f"the column {twice[0][:80]!r} is named twice", code="DUPLICATE_COLUMN", path=path)
    for number, one in enumerate(columns):
        if one.kind not in KINDS:
            raise Invalid(
                f"a column cannot hold values of the kind {one.kind.value}", code="BAD_COLUMN", path=f"{path}.{number}.kind",
                hint="Keep it as a text.",
            )  # fmt: skip


def plan_file(header: Sequence[str], options: FileOptions) -> FilePlan:
    """Raises Invalid (UNKNOWN_COLUMN, TOO_MANY_COLUMNS, BAD_COLUMN, DUPLICATE_COLUMN)."""
    titles = [title.strip() for title in header]
    said = {one.column.strip(): one for one in options.columns}
    for title in said:
        if title not in titles:
            near = get_close_matches(title, titles, 1)
            raise Invalid(
                f"the file has no column {title[:80]!r}", code="UNKNOWN_COLUMN", path="line 1",
                hint=f"Did you mean {near[0]!r}?" if near else None,
            )  # fmt: skip
    kept = [index for index, title in enumerate(titles) if title not in said or said[title].keep]
    check_number(len(kept), "line 1")
    names = names_of(titles[index] for index in kept)
    columns = []
    for index, name in zip(kept, names, strict=True):
        told = said.get(titles[index], FileColumn(column=titles[index]))
        columns.append(
            MemberColumn(name=told.name or name, label=label_of(titles[index], name), kind=told.kind, personal=told.personal)
        )
    check_columns(columns, "line 1")
    fields = tuple(Field(name=one.name, label=one.label, type=_TYPES[one.kind], max_length=LONGEST) for one in columns)
    return FilePlan(tuple(columns), tuple(kept), fields, options.unescape_formulas)


def read_rows(plan: FilePlan, chunk: Chunk) -> ReadRows:
    """What a chunk says. A row without any value is passed over, one with a cell that its column cannot hold is left out."""
    found = ReadRows([], [], [BadRow(bad.line, "", bad.code) for bad in chunk.bad])
    columns = [chunk.columns[place] for place in plan.places]
    for row, line in enumerate(chunk.lines):
        data: dict[str, Any] = {}
        for field, cells in zip(plan.fields, columns, strict=True):
            cell = cells[row]
            if not cell:
                continue
            try:
                value = clean(field, unescaped(cell) if plan.unescape else cell, _READING)
            except BadValue as error:
                found.bad.append(BadRow(line, field.name, error.code))
                break
            if value is not None:
                data[field.name] = value
        else:
            if data:
                found.lines.append(line)
                found.data.append(msgspec.json.encode(data).decode())
    return found


def as_text(value: Any) -> str | None:
    """A value of a row as the text of a cell; None for nothing."""
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    return str(value)
