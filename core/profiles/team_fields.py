"""The fields of a profile in this installation: ours, and those that a team has published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from core.datamodel.columns import columns_of
from core.datamodel.keys import usable_uniques
from core.datamodel.physical import column_of, has_column, link_column
from core.datamodel.present import per_model, present_model
from core.datamodel.records import FILLED_KINDS, BuildKind, DataField, Entity, FieldKind, Key, Link, Model
from core.datamodel.wanted import Wanted
from core.db import Connection
from core.profiles.fields import FIELDS, Field, FieldType
from core.profiles.import_keys import OUR_KEYS, ImportKey

_TYPES: Mapping[FieldKind, FieldType] = MappingProxyType(
    {
        FieldKind.TEXT: FieldType.TEXT,
        FieldKind.INTEGER: FieldType.INTEGER,
        FieldKind.DECIMAL: FieldType.DECIMAL,
        FieldKind.BOOLEAN: FieldType.BOOLEAN,
        FieldKind.DATE: FieldType.DAY,
        FieldKind.INSTANT: FieldType.INSTANT,
        FieldKind.ENUMERATION: FieldType.CHOICE,
        FieldKind.AUTOMATIC_ID: FieldType.UUID,
        FieldKind.JSON: FieldType.JSON,
        FieldKind.POINT: FieldType.POINT,
        FieldKind.CREATED_BY: FieldType.TEXT,
        FieldKind.CHANGED_BY: FieldType.TEXT,
    }
)


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields by name, ours first; `settable` are those that people and files can set."""

    all: Mapping[str, Field]
    settable: Mapping[str, Field]
    keys: Mapping[str, ImportKey] = field(default_factory=lambda: OUR_KEYS)  # by which rows of a file find what is there
    noun: str = "profile"  # what has them
    needed: tuple[str, ...] = ()  # those without which a file says nothing

    @property
    def team(self) -> Mapping[str, Field]:
        """Those of the team."""
        return {name: one for name, one in self.all.items() if one.stored_as is not None}


def team_fields_of(model: Model, entity: str) -> dict[str, Field]:
    """What a published model adds to an entity, by name: its fields, and the links that have a column."""
    found = model.find(entity)
    if found is None:
        return {}
    fields = {one.name: field_of(one) for one in found.fields}
    return fields | {one.name: link_field(one) for one in found.links if has_column(one)}


@per_model
def fields_of(model: Model) -> Fields:
    """With those of a published model."""
    every = {**FIELDS, **team_fields_of(model, "profile")}
    settable = {name: one for name, one in every.items() if one.settable}
    return Fields(MappingProxyType(every), MappingProxyType(settable))


OURS = fields_of(Model())


async def fields_by_keys(conn: Connection) -> Fields:
    """Those that count in this transaction, where the ones that alone are a unique key say so, if it is really built."""
    fields, entity = await present_fields(conn), (await present_model(conn)).find("profile")
    uniques = await usable_uniques(conn, "profile")
    if not uniques or entity is None:
        return fields
    every = marked(fields.all, uniques)
    settable = {name: every[name] for name in fields.settable}
    keys = import_keys(entity, built_keys(entity, uniques), every)
    return replace(
        fields, all=MappingProxyType(every), settable=MappingProxyType(settable), keys=MappingProxyType({**keys, **OUR_KEYS})
    )


def marked(fields: Mapping[str, Field], uniques: Sequence[Wanted]) -> dict[str, Field]:
    """The fields, where those that alone are unique say so."""
    alone = {one.columns[0] for one in uniques if len(one.columns) == 1}
    return {name: replace(one, unique=True) if one.column in alone else one for name, one in fields.items()}


def built_keys(entity: Entity, uniques: Sequence[Wanted]) -> list[Key]:
    """The keys of an entity that are built."""
    names = {one.name for one in uniques if one.kind is BuildKind.KEY}
    return [key for key in entity.keys if key.name in names]


def import_keys(entity: Entity, keys: Sequence[Key], fields: Mapping[str, Field]) -> dict[str, ImportKey]:
    """Those of an entity's unique keys by which rows of a file can find its rows: all of their fields can stand in a file."""
    columns = columns_of(entity)
    return {
        key.name: ImportKey(
            name=key.name, label=" and ".join(fields[name].label for name in key.fields), fields=key.fields,
            columns=tuple(columns[name].name for name in key.fields),
            given=not all(fields[name].settable for name in key.fields),
        )
        for key in keys
        if all(name in fields for name in key.fields)
    }  # fmt: skip


async def present_fields(conn: Connection) -> Fields:
    """Those that count in this transaction."""
    return fields_of(await present_model(conn))


def field_of(one: DataField) -> Field:
    """The field by which values of a team's field are read and checked."""
    return Field(
        name=one.name,
        label=one.label,
        type=_TYPES[one.kind],
        max_length=one.max_length,
        settable=one.kind not in FILLED_KINDS,
        personal=one.personal,
        choices=tuple((choice.name, choice.label) for choice in one.choices),
        stored_as=column_of(one.name),
    )


def link_field(link: Link) -> Field:
    """The field of a link that has a column: the number of the row to which it leads."""
    return Field(
        name=link.name, label=link.label, type=FieldType.INTEGER, personal=False, stored_as=link_column(link.name),
        leads_to=link.target,
    )  # fmt: skip
