"""Rows of one chunk that have a key or a unique value in common: who may keep the value, and what the key's row becomes. Pure.

Rows are refused before those with one key are made one, so that a row that is refused takes nobody else with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from types import MappingProxyType
from typing import Any

from core.profiles.import_columns import Plan
from core.profiles.run_records import EmptyCells


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Lines of the file with their values, by the plan's columns."""

    lines: Sequence[int]
    columns: Sequence[Sequence[Any]]


@dataclass(slots=True, kw_only=True)
class Settled:
    """One row for each key, the lines refused with the columns that are to blame, and how many rows went into later ones."""

    rows: Rows
    targets: Sequence[int] | None = None  # with several keys the profile of each row, 0 for somebody new
    refused: dict[int, tuple[str, ...]] = field(default_factory=dict)
    repeated: int = 0


def find_disputed(plan: Plan, lines: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> Rows:
    """The rows whose key or unique value another row of the chunk has too."""
    among: set[int] = set()
    for names in {*plan.key_columns, *plan.other_unique}:
        among |= _find_shared(together(columns, names))
    chosen = [row in among for row in range(len(lines))] if among else []
    return Rows(lines=list(compress(lines, chosen)), columns=[list(compress(values, chosen)) for values in columns.values()])


def settle(
    plan: Plan, disputed: Rows, taken: Collection[int], found: Mapping[int, tuple[int, int]] = MappingProxyType({})
) -> Settled:
    """Apply disputed rows one after the other, without the lines whose values are those of other profiles.

    A unique value stays with the key that has it first. The last row of a key stays, with what earlier ones said. Where there
    are several keys, `found` has the profile of a line and the number of the key that found it.
    """
    place = {name: index for index, name in enumerate(plan.staged)}
    persons = _Persons(plan, place, found)
    holders: dict[tuple[tuple[str, ...], Any], Any] = {}
    latest: dict[Any, tuple[int, list[Any]]] = {}
    settled = Settled(rows=disputed)
    for line, values in zip(disputed.lines, zip(*disputed.columns, strict=True), strict=True):
        if line in taken:
            continue
        key = persons.of(line, values)
        said = [(names, _of_row(values, [place[name] for name in names])) for names in plan.other_unique]
        claims = [(names, value) for names, value in said if value is not None]
        lost = next((names for names, value in claims if holders.get((names, value), key) != key), None)
        if lost is None and line in found and key != ("profile", found[line][0]):
            by = plan.key_columns[found[line][1]]
            lost = by if by in plan.other_unique else None  # it is that of the profile that it found, not of this person
        if lost is not None:
            settled.refused[line] = lost
            continue
        holders |= dict.fromkeys(claims, key)
        persons.remember(key, values)
        row, before = list(values), latest.get(key)
        if before is not None:
            settled.repeated += 1
            _carry(plan, before[1], row)
        latest[key] = (line, row)
    if len(plan.keys) > 1:
        settled.targets = [target if kind == "profile" else 0 for kind, target in latest]
    settled.rows = Rows(
        lines=[line for line, _ in latest.values()], columns=list(zip(*(row for _, row in latest.values()), strict=True))
    )
    return settled


class _Persons:
    """Who a row is about: the key's value; with several keys the one whom the first of them finds, here or among profiles."""

    def __init__(self, plan: Plan, place: Mapping[str, int], found: Mapping[int, tuple[int, int]]):
        self._places = [[place[name] for name in names] for names in plan.key_columns]
        self._found = found
        self._known: dict[tuple[int, Any], Any] = {}  # by the number of a key, and its value

    def of(self, line: int, values: Sequence[Any]) -> Any:
        """The person of a row."""
        if len(self._places) == 1:
            return _of_row(values, self._places[0])
        target, by = self._found.get(line, (None, None))
        for number, places in enumerate(self._places):
            value = _of_row(values, places)
            person = self._known.get((number, value))
            if value is not None and person is not None:
                return person
            if by == number:
                return "profile", target
        return "line", line

    def remember(self, person: Any, values: Sequence[Any]) -> None:
        """Later rows with one of these keys are about the same."""
        if len(self._places) > 1:
            for number, places in enumerate(self._places):
                value = _of_row(values, places)
                if value is not None:
                    self._known.setdefault((number, value), person)


def together(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> Sequence[Any]:
    """The values of these columns row by row: of one column its values, of several tuples, None where one is missing."""
    if len(names) == 1:
        return columns[names[0]]
    rows = zip(*(columns[name] for name in names), strict=True)
    return [None if None in row else row for row in rows]


def _of_row(values: Sequence[Any], places: Sequence[int]) -> Any:
    """The same of one row, by the places of the columns."""
    if len(places) == 1:
        return values[places[0]]
    found = tuple(values[place] for place in places)
    return None if None in found else found


def _find_shared(values: Sequence[Any]) -> set[int]:
    empty = values.count(None)
    if len(set(values)) - bool(empty) == len(values) - empty:
        return set()
    times = Counter(values)
    return {row for row, value in enumerate(values) if value is not None and times[value] > 1}


def _carry(plan: Plan, before: Sequence[Any], row: list[Any]) -> None:
    """Take over what an earlier row said and the later one does not."""
    for index, (said, name) in enumerate(zip(before, plan.staged, strict=True)):
        if row[index] is None and (plan.options.empty is EmptyCells.KEEP or name in plan.kept_keys):
            row[index] = said
        if said and name in plan.kept_refusals:
            row[index] = True
