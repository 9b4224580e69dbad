"""Rows of one chunk that have a key or a unique value in common: who may keep the value, and what the key's row becomes. Pure.

Rows are refused before those with one key are made one, so that a row that is refused takes nobody else with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from core.profiles.import_columns import Plan
from core.profiles.records import EmptyCells


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Lines of the file with their values, by the plan's columns."""

    lines: Sequence[int]
    columns: Sequence[Sequence[Any]]


@dataclass(slots=True, kw_only=True)
class Settled:
    """One row for each key, the lines refused with the column that is to blame, and how many rows went into later ones."""

    rows: Rows
    refused: dict[int, str] = field(default_factory=dict)
    repeated: int = 0


def find_disputed(plan: Plan, lines: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> Rows:
    """The rows whose key or unique value another row of the chunk has too."""
    among: set[int] = set()
    for name in (plan.key_column, *plan.other_unique):
        among |= _find_shared(columns[name])
    chosen = [row in among for row in range(len(lines))] if among else []
    return Rows(lines=list(compress(lines, chosen)), columns=[list(compress(values, chosen)) for values in columns.values()])


def settle(plan: Plan, disputed: Rows, taken: Collection[int]) -> Settled:
    """Apply disputed rows one after the other, without the lines whose values are those of other profiles.

    A unique value stays with the key that has it first. The last row of a key stays, with what earlier ones said.
    """
    place = {name: index for index, name in enumerate(plan.staged)}
    holders: dict[tuple[str, Any], Any] = {}
    latest: dict[Any, tuple[int, list[Any]]] = {}
    settled = Settled(rows=disputed)
    for line, values in zip(disputed.lines, zip(*disputed.columns, strict=True), strict=True):
        if line in taken:
            continue
        key = values[place[plan.key_column]]
        claims = [(name, values[place[name]]) for name in plan.other_unique if values[place[name]] is not None]
        lost = next((name for name, value in claims if holders.get((name, value), key) != key), None)
        if lost is not None:
            settled.refused[line] = lost
            continue
        holders |= dict.fromkeys(claims, key)
        row, before = list(values), latest.get(key)
        if before is not None:
            settled.repeated += 1
            _carry(plan, before[1], row)
        latest[key] = (line, row)
    settled.rows = Rows(
        lines=[line for line, _ in latest.values()], columns=list(zip(*(row for _, row in latest.values()), strict=True))
    )
    return settled


def _find_shared(values: Sequence[Any]) -> set[int]:
    empty = values.count(None)
    if len(set(values)) - bool(empty) == len(values) - empty:
        return set()
    times = Counter(values)
    return {row for row, value in enumerate(values) if value is not None and times[value] > 1}


def _carry(plan: Plan, before: Sequence[Any], row: list[Any]) -> None:
    """Take over what an earlier row said and the later one does not."""
    for index, (said, name) in enumerate(zip(before, plan.staged, strict=True)):
        if plan.options.empty is EmptyCells.KEEP and row[index] is None:
            row[index] = said
        if said and name in plan.kept_refusals:
            row[index] = True
