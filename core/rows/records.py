"""Rows of datasets, and what becomes of those that are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from core.errors import ClarionError
from core.profiles.records import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a dataset: values by the names of its fields, and by the name of each link with a column the key it holds."""

    dataset: str
    id: int
    created_at: datetime
    updated_at: datetime
    values: Mapping[str, Any]
    links: Mapping[str, int | None]
    ends: Mapping[str, str]  # the entities to which these links lead
    title: str  # by which people know it


Reference: TypeAlias = object
"""A row as somebody speaks of it: its id as the API gave it, or an object with what it is known by: all fields of a unique key,
of a profile `external_id` or `email`, of a campaign or delivery `name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRow:
    """A row as it shall be: fields by name, and links as references; what is left out stays, None clears."""

    values: Mapping[str, Any]
    row: Reference | None = None  # the one that changes
    expected_updated_at: datetime | None = None  # refuse if somebody else has changed it since


class Mode(StrEnum):
    """What becomes of a set of rows."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"  # a row that is there by the key changes, another one is new


class RowStatus(StrEnum):
    """What became of one row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"  # it was so already
    DELETED = "deleted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """What became of the row that was sent in this place."""

    index: int
    status: RowStatus
    row: Row | None = None  # as it is now; of one that was deleted, as it was
    problems: Sequence[ClarionError] = ()  # all that is wrong with one that is rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPair:
    """A row of a link between many and many, and a row that it shall be linked to, or no longer."""

    row: Reference
    target: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcome:
    """What became of the pair that was sent in this place."""

    index: int
    changed: bool = False  # whether it was not so already
    problems: Sequence[ClarionError] = ()


class Direction(StrEnum):
    """Of an order."""

    ASCENDING = "ascending"  # rows without a value last
    DESCENDING = "descending"  # and first


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By a field, then by the number of the row."""

    field: str = "id"
    direction: Direction = Direction.ASCENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """Rows with the cursor of each."""

    rows: Sequence[Row]
    cursors: Sequence[str]
    has_next: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePage:
    """People with the cursor of each."""

    rows: Sequence[Profile]
    cursors: Sequence[str]
    has_next: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedPage:
    """Keys of rows at the end of a link, and of which entity they are."""

    entity: str
    ids: Sequence[int]
    has_next: bool
