"""What duplicates, merges and their undoing say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class MergeRule(StrEnum):
    """Whose value of a field a merge keeps."""

    SURVIVOR = "survivor"
    OTHER = "other"  # that of one who is merged, also when it is empty
    NEWEST = "newest"  # of those who have one, whose profile was changed last
    FIRST = "first"  # of the survivor, or else of the first of the others who has one
    VALUE = "value"  # that which is given


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """The rule for one field. `profile_id`: the other; needed where several are merged. `value`: None clears the field."""

    field: str
    rule: MergeRule
    profile_id: int | None = None
    value: Any = msgspec.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Who becomes part of whom, and by which rules."""

    survivor_id: int
    other_ids: tuple[int, ...]
    default: MergeRule = MergeRule.FIRST
    rules: tuple[FieldRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedField:
    """What a field of the survivor becomes. `values` are those that people have, by their ids, the survivor first."""

    field: str
    value: Any
    profile_id: int | None  # whose it is; None: given, empty, or a refusal of any of them
    changed: bool  # for the survivor
    values: Mapping[int, Any]

    @property
    def is_conflict(self) -> bool:
        """Whether people have different values, of which only one stays."""
        return len(set(map(str, self.values.values()))) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePreview:
    """What a merge would do."""

    survivor_id: int
    other_ids: tuple[int, ...]
    brought_ids: tuple[int, ...]  # were merged into one of the others before
    fields: tuple[MergedField, ...]  # those that anybody has a value in

    @property
    def ids(self) -> tuple[int, ...]:
        """Everybody whose facts will be read as the survivor's."""
        return (self.survivor_id, *self.other_ids, *self.brought_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge that was done."""

    id: int
    survivor_id: int
    merged_ids: tuple[int, ...]
    merged_at: datetime
    merged_by: str
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What undoing a merge left as it is: fields of the survivor that were changed since, unique values that somebody else
    has by now, and links to rows that are gone, as (profile id, field)."""

    merge: Merge
    kept: tuple[str, ...]
    lost: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Profiles that a rule finds alike; of a big group not all are named."""

    rule: int  # counted from 0
    size: int
    ids: tuple[int, ...]
