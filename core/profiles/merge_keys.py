"""Unique values in merges: the survivor takes them from those who are merged, and undoing gives them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.datamodel.physical import PREFIX
from core.datamodel.present import present_model
from core.datamodel.wanted import wanted
from core.db import Connection
from core.profiles.merge_rules import Person
from core.profiles.store import merges as store

OURS = ("external_id", "crypted_id")

Columns = tuple[str, ...]


async def unique_columns(conn: Connection) -> list[Columns]:
    """The columns in which no two profiles have the same together: ours, and those of a team's keys, built or being built."""
    team = [one.columns for one in wanted(await present_model(conn)) if one.table == "profile" and one.columns]
    return [*((column,) for column in OURS), *team]


def given_up(people: Sequence[Person], changes: Mapping[str, Any], keys: Sequence[Columns]) -> dict[int, list[str]]:
    """The columns that each of the others must leave, so that only the survivor, the first, has what is in a key. Pure."""
    survivor, *others = people
    found: dict[int, list[str]] = {}
    for key in keys:
        wanted_values = [changes.get(column, survivor.columns[column]) for column in key]
        if changes.keys().isdisjoint(key) or None in wanted_values:
            continue
        for one in others:
            if [one.columns[column] for column in key] == wanted_values:
                leaving = found.setdefault(one.id, [])
                leaving += [column for column in _leaving(key, changes) if column not in leaving]
    return found


def _leaving(key: Columns, changes: Mapping[str, Any]) -> list[str]:
    """A row that lacks one column of a key is not compared. What Clarion itself reads of a profile stays."""
    able = [column for column in key if column in OURS or column.startswith(PREFIX)]
    return [column for column in able if column in changes] or able[:1]


async def take_out_lost(
    conn: Connection,
    among: Sequence[int],
    keys: Sequence[Columns],
    present: Mapping[int, Mapping[str, Any]],
    restored: Mapping[int, dict[str, Any]],
) -> list[tuple[int, str]]:
    """Take out of what is given back (by profile and column) what somebody else has by now: whom which column is lost to."""
    lost = []
    for profile_id, values in restored.items():
        for key in keys:
            back = [column for column in key if values.get(column) is not None]
            whole = [values.get(column, present[profile_id][column]) for column in key]
            if not back or None in whole or await store.find_holder(conn, key, whole, among) is None:
                continue
            for column in back:
                lost.append((profile_id, column))
                values[column] = None
    return lost
