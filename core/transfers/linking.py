"""The rows to which those of a chunk are linked: found by what the file says of them, and held until it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress
from typing import Any

from core.db import Connection
from core.errors import Invalid
from core.profiles.addresses import parse_email
from core.profiles.errors import BadValue
from core.profiles.fields import SQL_TYPES, Field, FieldType, columns_of
from core.profiles.import_columns import Plan
from core.profiles.import_keys import ImportKey
from core.profiles.import_repeats import find_disputed
from core.profiles.import_rows import Batch, Reject
from core.profiles.import_target import Stored, Target
from core.profiles.table_target import reject
from core.transfers.datasets import Way, lookup
from core.transfers.store import links as store

_NOT_THERE = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A link as a file says it: by the number of the other row, or by a key of it."""

    way: Way
    key: ImportKey | None  # None: by its number
    places: tuple[int, ...]  # of the columns among those that are read, as the key has them
    title: str  # of the first column


@dataclass(slots=True)
class _Outcome:
    """What became of the links of a batch."""

    refused: dict[int, Reject] = field(default_factory=dict)  # by line
    remarks: list[Reject] = field(default_factory=list)


class Linker:
    """Puts the numbers of other rows into the place of what a file says of them."""

    def __init__(self, read: Plan, ways: Mapping[str, Way], keys: Sequence[ImportKey]):
        """`read`: the plan of the file; `keys`: the import's as the table has them. Raises Invalid (BAD_LINK_COLUMNS)."""
        self._found = [one for one in (_find(read, way) for way in ways.values()) if one is not None]
        self._read = read
        by_way = {one.way.name: one for one in self._found}
        fields: dict[str, tuple[int, Field]] = {}
        for index, one in read.fields:
            name, dot, _ = one.name.partition(".")
            column = replace(one, name=name, type=FieldType.INTEGER, stored_as=by_way[name].way.column) if dot else one
            fields.setdefault(name, (index, column))
        self.plan = replace(read, fields=tuple(fields.values()), keys=tuple(keys))

    async def link(self, conn: Connection, batch: Batch) -> tuple[Batch, list[Reject], list[Reject]]:
        """The batch as the table takes it, its rows without what they would be linked to, and remarks."""
        if not self._found:
            return batch, [], []
        said = dict(zip(self._read.staged, batch.columns, strict=True))
        columns = {name: said[name] for name in self.plan.staged if name in said}
        outcome = _Outcome()
        for one in self._found:
            columns[one.way.column] = await self._resolve(conn, one, batch, outcome)
        ordered = {name: columns[name] for name in self.plan.staged}
        kept = [line not in outcome.refused for line in batch.lines]
        lines = list(compress(batch.lines, kept))
        ordered = {name: list(compress(values, kept)) for name, values in ordered.items()}
        linked = replace(
            batch, lines=lines, columns=list(ordered.values()), disputed=find_disputed(self.plan, lines, ordered)
        )  # fmt: skip
        return linked, list(outcome.refused.values()), outcome.remarks

    async def _resolve(self, conn: Connection, one: Found, batch: Batch, outcome: _Outcome) -> list[int | None]:
        """The numbers for one link, row by row."""
        rows = list(zip(*(batch.columns[place] for place in one.places), strict=True))
        wanted = dict.fromkeys(row for row in rows if None not in row)
        found = await _look_up(conn, one, list(wanted))
        there = await store.hold(conn, one.way.table, sorted({row for row, _ in found.values()})) if found else set()
        numbers: list[int | None] = []
        for line, row in zip(batch.lines, rows, strict=True):
            number, times = found.get(row, (None, 0))
            numbers.append(number if number in there else None)
            if any(part is not None for part in row) and numbers[-1] is None:
                outcome.refused.setdefault(line, _missing(batch, line, one))
            elif times > 1:
                message = f"several {one.way.target}s have this: {number}, the oldest, was taken"
                outcome.remarks.append(reject(batch, line, one.title, "AMBIGUOUS", message))
        return numbers


class LinkedTarget:
    """A target that is handed rows whose links are found."""

    def __init__(self, linker: Linker, inner: Target):
        self._linker = linker
        self._inner = inner

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """As the target within, with what became of the links."""
        linked, refused, remarks = await self._linker.link(conn, batch)
        stored = await self._inner.store(conn, linked, now) if linked.lines else Stored()
        written = replace(stored.written, ambiguous=stored.written.ambiguous + len({one.line for one in remarks}))
        return replace(stored, written=written, refused=[*refused, *stored.refused], remarks=[*remarks, *stored.remarks])

    async def end(self, conn: Connection, now: datetime) -> None:
        """As the target within."""
        await self._inner.end(conn, now)


def _find(plan: Plan, way: Way) -> Found | None:
    """How a file says a link, if it does."""
    places = _places(plan)
    by_number = places.get(way.name)
    parts = {name.removeprefix(f"{way.name}."): at for name, at in places.items() if name.startswith(f"{way.name}.")}
    if by_number is not None and not parts:
        return Found(way=way, key=None, places=(by_number[0],), title=plan.header[by_number[1]])
    if not parts:
        return None
    key = next((one for one in way.keys if set(one.fields) == set(parts)), None)
    if key is None or by_number is not None:
        ways = "; ".join(", ".join(lookup(way, name) for name in one.fields) for one in way.keys)
        raise Invalid(
            f"the columns {', '.join(lookup(way, name) for name in parts)} do not say which {way.target} is meant",
            code="BAD_LINK_COLUMNS", path=f"line 1, column {min(index for _, index in parts.values()) + 1}",
            hint=f"Have its number, as {way.name}, or one of: {ways[:500]}.",
        )  # fmt: skip
    ordered = [parts[name] for name in key.fields]
    return Found(way=way, key=key, places=tuple(place for place, _ in ordered), title=plan.header[ordered[0][1]])


def _places(plan: Plan) -> dict[str, tuple[int, int]]:
    """The fields that are read: the place of each one's first column among the values, and its number in the file."""
    found, place = {}, 0
    for index, one in plan.fields:
        found[one.name] = place, index
        place += len(columns_of(one))
    return found


async def _look_up(
    conn: Connection, one: Found, wanted: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], tuple[int, int]]:  # fmt: skip
    """The rows that are meant, and how many are."""
    if not wanted:
        return {}
    if one.key is None:
        return {row: (row[0], 1) for row in wanted}
    fields = [one.way.fields[name] for name in one.key.fields]
    compared = [tuple(_compared(part, of) for part, of in zip(row, fields, strict=True)) for row in wanted]
    types = [SQL_TYPES.get(of.type, "text") for of in fields]
    numbers = await store.find_by_key(conn, one.way.table, one.key.columns, types, list(zip(*compared, strict=True)))
    return {wanted[place]: found for place, found in numbers.items()}


def _compared(value: Any, of: Field) -> Any:
    """A value in the form in which its column is compared; what is no address is nobody's."""
    if of.type is not FieldType.EMAIL:
        return value
    try:
        return parse_email(value).key
    except BadValue:
        return None


def _missing(batch: Batch, line: int, one: Found) -> Reject:
    what = "number" if one.key is None else one.key.label.lower()
    return reject(batch, line, one.title, "NOT_FOUND", f"no {one.way.target} has this {what}")
