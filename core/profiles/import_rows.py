"""Rows of a file to values of profiles: checked and normalised, with a reason for each row refused. Pure.

Column by column, not row by row: a million rows of twenty cells leave no time for much work per cell, so each column is
read by one loop, and what repeats (countries, dates, flags) is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import compress
from typing import Any

from core.profiles.addresses import plain_email
from core.profiles.errors import BadValue
from core.profiles.fields import Field, FieldType, columns_of
from core.profiles.files.cells import BareTime, as_moment, as_written
from core.profiles.files.chunks import Chunk
from core.profiles.formulas import unescaped
from core.profiles.import_cells import Memory, compile_rule, parse_date_format
from core.profiles.import_columns import Plan
from core.profiles.import_options import ColumnRule, OnError
from core.profiles.import_quick import QUICK
from core.profiles.import_repeats import Rows, find_disputed, together
from core.profiles.phones import is_region, plain_phone
from core.profiles.values import Reading, clean

MEMORY = 50_000  # cells remembered per column
NO_RULE = ColumnRule(column="")
_NO_EMAIL = (None, None, None)
_EACH = frozenset(
    {
        FieldType.TEXT,
        FieldType.URL,
        FieldType.NUMBER,
        FieldType.DECIMAL,
        FieldType.INSTANT,
        FieldType.UUID,
        FieldType.JSON,
        FieldType.POINT,
    }
)  # types whose values hardly repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that is not stored, or a remark on one that is; `row_text` is the row as it stands in the file.

    `cells` are those of the file's columns; a row that could not be read has none.
    """

    line: int
    column: str
    code: str
    message: str
    row_text: str
    cells: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Batch:
    """What a chunk becomes: a value for each line in each of the plan's columns, and the rows refused."""

    lines: Sequence[int]
    columns: list[Sequence[Any]]
    rejects: list[Reject]
    disputed: Rows  # those of the lines that have a key or a unique value in common
    end: int  # offset behind the chunk
    end_line: int
    last: bool
    text: Callable[[int], str] = field(repr=False)  # the row on a line
    cells: Callable[[int], Sequence[str]] = field(repr=False)
    consumed: int = 0  # bytes of the file as it was uploaded


class RowReader:
    """Reads the chunks of one file."""

    def __init__(self, plan: Plan, reading: Reading):
        self.plan = plan
        self.reading = reading
        self._memos = {field.name: _Memo(field, reading) for _, field in plan.fields}
        self._regions = _Regions(reading.region)
        self._country = next((index for index, field in plan.fields if field.name == "country"), None)
        self._ruled: dict[int, Memory] = {}
        self._defaults: dict[int, Sequence[Any]] = {}  # what takes the place of a value that cannot be read
        for index, one in plan.fields:
            rule = plan.rules.get(index, NO_RULE)
            if rule is not NO_RULE or plan.options.nulls:
                self._ruled[index] = Memory(compile_rule(rule, plan.options.nulls, one))
            if rule.on_error is OnError.DEFAULT:
                value = _default(one, rule, reading)
                self._defaults[index] = (value or _NO_EMAIL) if one.type is FieldType.EMAIL else (value,)

    def read(self, chunk: Chunk) -> Batch:
        """The chunk's batch."""
        sheet = _Sheet(self.plan, chunk)
        for index, one in self.plan.fields:
            if one.type is FieldType.INSTANT or self.plan.rules.get(index, NO_RULE).date_format is not None:
                sheet.say_moments(index)
            if index in self._ruled:
                sheet.apply(index, one, self._ruled[index])
        for index, one in self.plan.fields:
            columns = self._column(sheet, index, one)
            if index in self._defaults and sheet.mended:
                columns = sheet.with_default(columns, self._defaults[index])
            sheet.mended.clear()
            sheet.columns |= zip(columns_of(one), columns, strict=True)
        rejects = [Reject(line=bad.line, column="", code=bad.code, message=bad.message, row_text=bad.text) for bad in chunk.bad]
        rejects += sheet.refuse()
        return Batch(
            lines=sheet.lines, columns=list(sheet.columns.values()), rejects=rejects,
            disputed=find_disputed(self.plan, sheet.lines, sheet.columns),
            end=chunk.end, end_line=chunk.end_line, last=chunk.last, text=chunk.text, cells=chunk.cells,
        )  # fmt: skip

    def _column(self, sheet: _Sheet, index: int, one: Field) -> list[Sequence[Any]]:
        """The values of one field, in one column or an email's three."""
        cells = sheet.cells[index]
        if one.type is FieldType.EMAIL:
            return sheet.emails(index, one, self._clean(one))
        if one.type is FieldType.PHONE:
            return [self._phones(sheet, index, one)]
        plain = sheet.plain and index not in self._ruled and index < sheet.width
        if one.type is FieldType.TEXT and plain and not one.choices and _fits(cells, one):
            return [[cell.strip() or None for cell in cells]]
        if one.type in QUICK and plain and not one.choices:
            return [sheet.quickly(index, one, QUICK[one.type], self._clean(one))]
        if one.type in _EACH and not one.choices:
            return [sheet.each(index, one, cells, self._clean(one))]
        memo = self._memos[one.name]
        values = list(map(memo.__getitem__, cells))
        return [sheet.without_bad(index, one, values) if memo.has_bad else values]

    def _phones(self, sheet: _Sheet, index: int, one: Field) -> list[Any]:
        """Numbers without a prefix are read for the row's own country, where the file has one."""
        cells = sheet.cells[index]
        default = self.reading.region
        regions = None if self._country is None else sheet.cells[self._country]

        def read(row: int) -> str | None:
            region = default if regions is None else self._regions[regions[row]]
            number: str | None = clean(one, cells[row], replace(self.reading, region=region))
            return number

        return sheet.phones(index, one, read)

    def _clean(self, one: Field) -> Callable[[str], Any]:
        reading = self.reading
        return lambda cell: clean(one, cell, reading)


class _Sheet:
    """A chunk being read: its cells by column, what they became, and what is wrong with which row."""

    def __init__(self, plan: Plan, chunk: Chunk):
        self.plan = plan
        self.chunk = chunk
        self.plain = chunk.plain
        self.lines: Sequence[int] = chunk.lines
        self.width = len(chunk.columns)
        self.cells: list[Sequence[str]] = list(chunk.columns)
        self.mended: set[int] = set()  # rows whose value of the present field could not be read, and need not
        self.columns: dict[str, Sequence[Any]] = {}
        self.faults: dict[int, tuple[str, str, str]] = {}  # by row: column, code, message
        if plan.options.unescape_formulas and chunk.marked:
            self.cells = [[unescaped(cell) for cell in column] for column in self.cells]
        self.cells += [[cell] * len(chunk.lines) for cell in plan.constants]

    def say_moments(self, index: int) -> None:
        """Write out what days and times without an offset of a typed column mean, also for rows that are refused: their file
        has no types. Texts that a rule knows stay; a rule that says how dates are written gets them written so."""
        rule = self.plan.rules.get(index, NO_RULE)
        cells = self.cells[index]
        if index >= self.width or not any(type(cell) is BareTime for cell in cells):
            return
        known = {text.strip() for text in (*rule.nulls, *self.plan.options.nulls, *(rule.values or ()))}
        if rule.date_format is None:
            say = partial(as_moment, utc=rule.time_zone is None)
        else:
            say = partial(as_written, pattern=parse_date_format(rule.date_format))
        said = [say(cell) if type(cell) is BareTime and cell not in known else cell for cell in cells]
        self.cells[index] = self.chunk.columns[index] = said

    def apply(self, index: int, one: Field, memory: Memory) -> None:
        """Let a rule make of the cells of a column what it says."""
        cells = self.cells[index]
        try:
            self.cells[index] = list(map(memory.__getitem__, cells))
            return
        except BadValue:
            pass  # one of them; now one by one
        rule = self.plan.rules.get(index, NO_RULE)
        instead = rule.default or "" if rule.on_error is OnError.DEFAULT else ""
        self.cells[index] = [cell or instead for cell in self.each(index, one, cells, memory.__getitem__)]

    def with_default(self, columns: Sequence[Sequence[Any]], default: Sequence[Any]) -> list[Sequence[Any]]:
        """Columns of the present field with the default where a value could not be read."""
        return [
            [instead if row in self.mended else value for row, value in enumerate(values)]
            for values, instead in zip(columns, default, strict=True)
        ]

    def each(self, index: int, one: Field, cells: Iterable[Any], read: Callable[[Any], Any]) -> list[Any]:
        """Read cell by cell."""
        values = []
        for row, cell in enumerate(cells):
            try:
                values.append(read(cell))
            except BadValue as error:
                values.append(None)
                self._blame(row, index, one, error)
        return values

    def quickly(self, index: int, one: Field, quick: Callable[[str], Any], read: Callable[[str], Any]) -> list[Any]:
        """What is plain to see at once; `read` is for the rest."""
        cells = self.cells[index]
        values = list(map(quick, cells))
        for row in [row for row, value in enumerate(values) if value is None and cells[row]]:
            try:
                values[row] = read(cells[row])
            except BadValue as error:
                self._blame(row, index, one, error)
        return values

    def emails(self, index: int, one: Field, read: Callable[[str], Any]) -> list[Sequence[Any]]:
        """The three columns of an email; `read` is for the rare ones."""
        addresses: list[str | None] = []
        keys: list[str | None] = []
        domains: list[str | None] = []
        for row, cell in enumerate(self.cells[index]):
            try:
                address, key, domain = (cell and plain_email(cell)) or read(cell) or _NO_EMAIL
            except BadValue as error:
                self._blame(row, index, one, error)
                address, key, domain = _NO_EMAIL
            addresses.append(address)
            keys.append(key)
            domains.append(domain)
        return [addresses, keys, domains]

    def phones(self, index: int, one: Field, read: Callable[[int], str | None]) -> list[str | None]:
        """Numbers; `read` is for the rare ones, by their row."""
        numbers: list[str | None] = []
        for row, cell in enumerate(self.cells[index]):
            try:
                numbers.append((plain_phone(cell) or read(row)) if cell.strip() else None)
            except BadValue as error:
                self._blame(row, index, one, error)
                numbers.append(None)
        return numbers

    def without_bad(self, index: int, one: Field, values: list[Any]) -> list[Any]:
        """Put None in the place of faults among remembered values."""
        for row, value in enumerate(values):
            if type(value) is BadValue:
                values[row] = None
                self._blame(row, index, one, value)
        return values

    def refuse(self) -> list[Reject]:
        """Take out the rows that something is wrong with."""
        for row in self._without_key():
            if row not in self.faults:
                labels = " and ".join(key.label for key in self.plan.keys)
                verb = "is" if len(self.plan.keys) == 1 else "are"
                self.faults[row] = (self.plan.keys[0].fields[0], "NO_KEY", f"{labels} {verb} missing")
        if not self.faults:
            return []
        chunk, cells = self.chunk, self.chunk.columns
        refused = [
            Reject(
                line=self.lines[row], column=column, code=code, message=message, row_text=chunk.text(self.lines[row]),
                cells=[column[row] for column in cells],
            )
            for row, (column, code, message) in sorted(self.faults.items())
        ]  # fmt: skip
        self._keep([row not in self.faults for row in range(len(self.lines))])
        return refused

    def _without_key(self) -> Sequence[int]:
        columns = [together(self.columns, names) for names in self.plan.key_columns]
        if None not in columns[0]:
            return ()
        return [row for row, keys in enumerate(zip(*columns, strict=True)) if not any(key is not None for key in keys)]

    def _keep(self, kept: Sequence[bool]) -> None:
        self.lines = list(compress(self.lines, kept))
        self.columns = {name: list(compress(values, kept)) for name, values in self.columns.items()}

    def _blame(self, row: int, index: int, one: Field, error: BadValue) -> None:
        if self.plan.rules.get(index, NO_RULE).on_error is not OnError.REFUSE_ROW and error.code != "MISSING":
            self.mended.add(row)
            return
        place = self.plan.header[index]
        self.faults.setdefault(row, (place, error.code, f"{one.label} {error.message}"))


def _default(one: Field, rule: ColumnRule, reading: Reading) -> Any:
    try:
        return clean(one, rule.default, reading)
    except BadValue as error:
        raise error.at(f"options.columns.{rule.column[:80]}.default", one.label) from None


class _Memo(dict[str, Any]):
    """Cells of one column met before: the value, or the BadValue that it is."""

    def __init__(self, one: Field, reading: Reading):
        super().__init__()
        self.one = one
        self.reading = reading
        self.has_bad = False

    def __missing__(self, cell: str) -> Any:
        value: Any
        try:
            value = clean(self.one, cell, self.reading)
        except BadValue as error:
            value, self.has_bad = error, True
        if len(self) < MEMORY:
            self[cell] = value
        return value


class _Regions(dict[str, str]):
    """The countries whose numbering plans apply, by the cells of the country column."""

    def __init__(self, default: str):
        super().__init__()
        self.default = default

    def __missing__(self, cell: str) -> str:
        code = cell.strip().upper()
        region = code if is_region(code) else self.default
        if len(self) < MEMORY:
            self[cell] = region
        return region


def _fits(cells: Sequence[str], one: Field) -> bool:
    return one.max_length is None or not cells or max(map(len, cells)) <= one.max_length
