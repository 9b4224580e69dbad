"""What can be asked about: entities and their fields, as data naming tables and columns.

A profile's fields are those of `core.profiles.fields`, and those that a team has published. A test compares the catalogue
with the real schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType

from core.datamodel.physical import column_of
from core.datamodel.present import per_model
from core.datamodel.records import DataField, FieldKind, Model
from core.profiles.fields import FIELDS, Field, FieldType


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    ENUMERATION = "enumeration"


class Writing(Enum):
    """How a text column is kept, and so how a value is written before the two are compared."""

    FREE = "free"  # as people typed it: compared without case
    EXACT = "exact"  # compared as it is: keys and ids
    UPPER = "upper"  # kept in capitals: country codes
    EMAIL = "email"  # kept as the normalised address
    DOMAIN = "domain"  # kept as a lower-case ASCII domain
    PHONE = "phone"  # kept as E.164


class Derived(Enum):
    """Fields that are computed from their column."""

    AGE = "age"  # whole years from a birth date to the day of evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueField:
    """One field. `column` is the column that answers; `values` are an enumeration's names and what is stored for them."""

    name: str
    label: str
    kind: Kind
    column: str
    nullable: bool = True
    writing: Writing = Writing.FREE
    values: Mapping[str, int | str] = field(default_factory=lambda: MappingProxyType({}))
    derived: Derived | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Something with rows of its own; `key` is the column that identifies one."""

    name: str
    label: str
    table: str
    key: str
    fields: Mapping[str, CatalogueField]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All entities by name."""

    entities: Mapping[str, Entity]


_KINDS: Mapping[FieldType, tuple[Kind, Writing]] = {
    FieldType.TEXT: (Kind.TEXT, Writing.FREE),
    FieldType.EMAIL: (Kind.TEXT, Writing.EMAIL),
    FieldType.PHONE: (Kind.TEXT, Writing.PHONE),
    FieldType.COUNTRY: (Kind.TEXT, Writing.UPPER),
    FieldType.LANGUAGE: (Kind.TEXT, Writing.FREE),
    FieldType.TIME_ZONE: (Kind.TEXT, Writing.FREE),
    FieldType.URL: (Kind.TEXT, Writing.FREE),
    FieldType.DATE: (Kind.DATE, Writing.FREE),
    FieldType.BOOLEAN: (Kind.BOOLEAN, Writing.FREE),
    FieldType.NUMBER: (Kind.DECIMAL, Writing.FREE),
    FieldType.ENUMERATION: (Kind.ENUMERATION, Writing.FREE),
    FieldType.INTEGER: (Kind.INTEGER, Writing.FREE),
    FieldType.INSTANT: (Kind.INSTANT, Writing.FREE),
}  # an opt-in id is no business of a question
_COLUMNS = {"email": "email_key"}  # where it is not the field's name
_WRITINGS = {"email_domain": Writing.DOMAIN}

AGE = CatalogueField(name="age", label="Age in years", kind=Kind.INTEGER, column="birth_date", derived=Derived.AGE)


def _of_profile(field: Field) -> CatalogueField:
    kind, writing = _KINDS[field.type]
    choices: Iterable[IntEnum] = field.values or ()
    return CatalogueField(
        name=field.name,
        label=field.label,
        kind=kind,
        column=_COLUMNS.get(field.name, field.name),
        nullable=not field.required,
        writing=_WRITINGS.get(field.name, Writing.EXACT if field.unique else writing),
        values=MappingProxyType({value.name.lower(): value.value for value in choices}),
    )


def entity(name: str, label: str, *, table: str, key: str, fields: Iterable[CatalogueField]) -> Entity:
    """An entity with its fields by name."""
    named = MappingProxyType({field.name: field for field in fields})
    return Entity(name=name, label=label, table=table, key=key, fields=named)


PROFILE = entity(
    "profile",
    "Profile",
    table="profile",
    key="id",
    fields=(*(_of_profile(field) for field in FIELDS.values() if field.type in _KINDS), AGE),
)

CATALOGUE = Catalogue(entities=MappingProxyType({PROFILE.name: PROFILE}))

_TEAM_KINDS: Mapping[FieldKind, Kind] = {
    FieldKind.TEXT: Kind.TEXT,
    FieldKind.INTEGER: Kind.INTEGER,
    FieldKind.DECIMAL: Kind.DECIMAL,
    FieldKind.BOOLEAN: Kind.BOOLEAN,
    FieldKind.DATE: Kind.DATE,
    FieldKind.INSTANT: Kind.INSTANT,
    FieldKind.ENUMERATION: Kind.ENUMERATION,
}  # a place or a JSON has no comparison yet


@per_model
def extended(model: Model) -> Catalogue:
    """The catalogue with the fields of a published model."""
    added = model.find(PROFILE.name)
    if added is None or not added.fields:
        return CATALOGUE
    ours = (_of_team(one) for one in added.fields if one.kind in _TEAM_KINDS)
    fields = (*PROFILE.fields.values(), *ours)
    profile = entity(PROFILE.name, PROFILE.label, table=PROFILE.table, key=PROFILE.key, fields=fields)
    return Catalogue(entities=MappingProxyType({profile.name: profile}))


def _of_team(field: DataField) -> CatalogueField:
    names = {choice.name: choice.name for choice in field.choices} if field.kind is FieldKind.ENUMERATION else {}
    return CatalogueField(
        name=field.name,
        label=field.label,
        kind=_TEAM_KINDS[field.kind],
        column=column_of(field.name),
        values=MappingProxyType(names),
    )
