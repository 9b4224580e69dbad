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
    AUTOMATIC_ID = "automatic_id"  # a random UUID that each row gets which comes later, and nobody sets (2.18)
    CREATED_BY = "created_by"  # whose request or import added the row: the name of an actor, as the audit has it (2.18)
    CHANGED_BY = "changed_by"  # and whose changed it last


# Kinds of datasets alone, whose values are written with each row.
AUDIT_KINDS = frozenset({FieldKind.CREATED_BY, FieldKind.CHANGED_BY})
# Kinds whose values nobody sets.
FILLED_KINDS = AUDIT_KINDS | {FieldKind.AUTOMATIC_ID}


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
    category: str | None = None  # the heading under which editors of questions show it
    max_length: int | None = None  # characters, of a text
    choices: tuple[Choice, ...] = ()
    personal: bool = False  # goes when the person is erased
    sensitive: bool = False  # a mark for people: health, faith, …
    searchable: bool = False  # people are found by its words (2.11)


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
class Key:
    """No two rows of an entity have the same in all of these fields (2.19). Rows that lack one of them are not compared."""

    name: str
    fields: tuple[str, ...]  # also links that have a column, and some columns of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What is often asked about, so that it is found without reading all rows (2.20)."""

    name: str
    fields: tuple[str, ...]  # as of a key


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A dataset, or what is added to a table of ours."""

    name: str
    label: str
    built_in: bool = False
    description: str = ""
    title: str | None = None  # the field by which people know a row (2.23); None: its id
    fields: tuple[DataField, ...] = ()
    links: tuple[Link, ...] = ()
    keys: tuple[Key, ...] = ()
    indexes: tuple[Index, ...] = ()

    def find(self, name: str) -> DataField | None:
        """The field of a name."""
        return next((one for one in self.fields if one.name == name), None)

    def find_link(self, name: str) -> Link | None:
        """The link of a name that its rows point by."""
        return next((one for one in self.links if one.name == name), None)

    def find_key(self, name: str) -> Key | None:
        """The unique key of a name."""
        return next((one for one in self.keys if one.name == name), None)

    def find_index(self, name: str) -> Index | None:
        """The index of a name."""
        return next((one for one in self.indexes if one.name == name), None)


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
    """One difference between what is published and the draft: of an entity itself, or of one thing of its own."""

    action: Action
    entity: str
    field: str | None = None
    link: str | None = None
    key: str | None = None
    index: str | None = None
    lost_choices: tuple[str, ...] = ()  # values that are authorised no longer
    details: tuple[str, ...] = ()  # in words: "label: 'Tier' becomes 'Level'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement of a publication."""

    sql: str
    locks: tuple[str, ...] = ()  # tables that nobody writes or even reads meanwhile: for a moment, nothing is rewritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A column or table whose data is kept though no published model shows it."""

    entity: str
    field: str | None  # None: a link, or the whole dataset
    sql_type: str | None
    link: str | None = None
    steps: tuple[Step, ...] = ()  # by which it is dropped for good


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWarning:
    """What may be published, and should be looked at before."""

    code: str
    entity: str
    fields: tuple[str, ...]
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What publishing the draft would do."""

    draft_version: int
    base_version: int
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    afterwards: tuple[str, ...]  # statements that a job runs then, which keep nobody from reading or writing
    warnings: tuple[ModelWarning, ...]


class DamageKind(StrEnum):
    """What is not in the database as a publication has left it there."""

    TABLE = "table"
    COLUMN = "column"
    TYPE = "type"  # of a column
    FILLING = "filling"  # what the database writes into new rows: numbers, times, automatic ids
    PRIMARY_KEY = "primary_key"
    REFERENCE = "reference"  # a foreign key
    KEY = "key"  # a unique index
    INDEX = "index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is missing or different, and what mends it. Neither `steps` nor `afterwards`: nobody but a person can."""

    kind: DamageKind
    entity: str
    table: str
    column: str | None = None
    name: str | None = None  # of the field, link, key or index
    message: str
    hint: str | None = None
    steps: tuple[Step, ...] = ()
    afterwards: str | None = None  # a statement that a job runs

    @property
    def is_mended(self) -> bool:
        """Whether a repair mends it."""
        return bool(self.steps or self.afterwards)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What brings the database back to the published model."""

    version: int  # of the model
    damages: tuple[Damage, ...]
    digest: str  # of all of it: what has been seen

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is run at once."""
        return tuple(step for one in self.damages for step in one.steps)

    @property
    def afterwards(self) -> tuple[str, ...]:
        """What a job runs then."""
        return tuple(one.afterwards for one in self.damages if one.afterwards is not None)


class BuildKind(StrEnum):
    """What a job builds or checks after a publication."""

    KEY = "key"  # a unique index
    INDEX = "index"
    LINK = "link"  # the index of a link's column or fields; a unique one where one row has one other
    SEARCH = "search"  # the index by which people are found by the words of searchable fields
    REFERENCE = "reference"  # that what a link's column holds is there is checked for the rows that were there before


class BuildState(StrEnum):
    """How far it is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildError:
    """Why it failed, without a value of any row."""

    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Something of the model that is not a change of the catalogue alone, and how far it is."""

    id: int
    object: str  # the name of the index, or of the table and its constraint: it says all that it is made of
    kind: BuildKind
    entity: str
    name: str  # of the key, index or link; of the search the column of its words
    statement: str  # that builds or checks it
    table: str
    columns: tuple[str, ...]  # of a unique index
    dropping: bool  # the model has it no longer
    state: BuildState
    turn: int  # grows whenever something else is asked of it: who worked on what was asked before has lost it
    error: BuildError | None
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    phase: str | None = None  # what Postgres is at, while it builds
    percent: float | None = None  # of that phase
