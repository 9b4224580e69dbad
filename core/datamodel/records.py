"""The data model as its team edits and publishes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FieldKind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    INTEGER = "integer"  # 64 bits
    DECIMAL = "decimal"  # as exact as written
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    ENUMERATION = "enumeration"  # one of `choices`, stored by its name
    JSON = "json"
    POINT = "point"  # a place on earth: longitude and latitude


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An authorised value (2.17). Text that stands for it is its name."""

    name: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataField:
    """A field that a team added (2.17)."""

    name: str
    label: str
    kind: FieldKind
    description: str = ""
    max_length: int | None = None  # characters, of a text
    choices: tuple[Choice, ...] = ()
    personal: bool = False  # goes when the person is erased
    sensitive: bool = False  # a mark for people: health, faith, …


class LinkKind(StrEnum):
    """How many rows there may be on either side (2.21)."""

    MANY_TO_ONE = "many_to_one"  # purchases of a profile: declared on the purchases
    ONE_TO_ONE = "one_to_one"
    MANY_TO_MANY = "many_to_many"  # through a table of pairs


class OnDelete(StrEnum):
    """What becomes of a row when the one that it is linked to goes (2.22)."""

    CLEAR = "clear"  # it stays, without a link
    DELETE = "delete"  # it belongs to the other, and goes with it, in an erasure too
    REFUSE = "refuse"  # the other stays as long as this one is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """From the rows of an entity to those of another (2.21): by a column of its own, or where fields of both are equal."""

    name: str
    label: str
    target: str  # the other entity's name
    kind: LinkKind
    reverse_name: str  # of the way back
    reverse_label: str
    on_delete: OnDelete = OnDelete.CLEAR
    source_fields: tuple[str, ...] = ()
    target_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A dataset, or what is added to a table of ours."""

    name: str
    label: str
    built_in: bool = False
    description: str = ""
    fields: tuple[DataField, ...] = ()
    links: tuple[Link, ...] = ()

    def find(self, name: str) -> DataField | None:
        """The field of a name."""
        return next((one for one in self.fields if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """All entities: those of ours, then the datasets."""

    entities: tuple[Entity, ...] = ()

    def find(self, name: str) -> Entity | None:
        """The entity of a name."""
        return next((one for one in self.entities if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The model that is being edited."""

    model: Model
    version: int  # grows with every change
    changed_by: str | None  # None: it is as published
    changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A model as it was published."""

    version: int  # 0: nothing has been published yet
    model: Model
    statements: tuple[str, ...]  # what its publication ran
    published_by: str | None
    published_at: datetime | None


class Action(StrEnum):
    """What publishing does to one thing."""

    ADD = "add"
    SHOW = "show"  # its data was hidden, and is there again
    CHANGE = "change"
    HIDE = "hide"  # it goes from the model, its data stays


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between what is published and the draft."""

    action: Action
    entity: str
    field: str | None = None
    lost_choices: tuple[str, ...] = ()  # values that are authorised no longer
    details: tuple[str, ...] = ()  # in words: "label: 'Tier' becomes 'Level'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement of a publication."""

    sql: str
    locks: tuple[str, ...] = ()  # tables that nobody reads or writes meanwhile: for a moment, nothing is rewritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A column or table whose data is kept though no published model shows it."""

    entity: str
    field: str | None  # None: the whole dataset
    sql_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What publishing the draft would do."""

    draft_version: int
    base_version: int
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
