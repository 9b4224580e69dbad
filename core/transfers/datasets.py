"""Datasets as what imports go into and exports come from: their fields and links as columns of a file, and their keys."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from core.authored import not_found
from core.datamodel.keys import usable_uniques
from core.datamodel.physical import column_of, has_column, link_column, table_named, table_of
from core.datamodel.present import present_model
from core.datamodel.records import BuildKind, Entity, FieldKind, Key, Link, Model
from core.datamodel.wanted import Wanted
from core.db import Connection
from core.profiles.fields import FIELDS, Field, FieldType
from core.profiles.import_keys import OUR_KEYS, ImportKey
from core.profiles.team_fields import Fields, built_keys, field_of, import_keys, marked, team_fields_of

_ID = replace(FIELDS["id"], personal=False)
_HOUSE = {name: replace(FIELDS[name], personal=False) for name in ("id", "created_at", "updated_at")}
_NO_KEYS = frozenset({FieldKind.JSON, FieldKind.POINT})

# By what rows of ours are known, apart from profiles.
_NAMED = ImportKey(name="name", label="Name", fields=("name",), columns=("name",))
_NAME = Field(name="name", label="Name", type=FieldType.TEXT, max_length=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A link by which rows of a file point: by the number of the other row, or by one of the keys that it is known by."""

    name: str
    label: str
    column: str
    target: str  # the other entity's name
    table: str
    keys: tuple[ImportKey, ...]
    fields: Mapping[str, Field]  # of those keys, by their names there


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A dataset as a file has it."""

    entity: Entity
    model: Model
    table: str
    fields: Fields
    ways: Mapping[str, Way]

    def audited(self, kinds: Container[FieldKind]) -> tuple[str, ...]:
        """The columns of its fields of kinds that the audit fills."""
        return tuple(column_of(one.name) for one in self.entity.fields if one.kind in kinds)


async def find_sheet(conn: Connection, name: str, path: str) -> Sheet:
    """A published dataset. Raises NotFound (DATASET_NOT_FOUND)."""
    model = await present_model(conn)
    entity = model.find(name)
    if entity is None or entity.built_in:
        raise not_found("dataset", name[:80], path)
    uniques = await usable_uniques(conn, name)
    every = {**_HOUSE, **marked(team_fields_of(model, name), uniques)}
    ways = await find_ways(conn, model, entity)
    looked_up = lookups(ways.values())
    fields = Fields(
        all=MappingProxyType({**every, **looked_up}),
        settable=MappingProxyType({name: one for name, one in {**every, **looked_up}.items() if one.settable}),
        keys=MappingProxyType({"id": OUR_KEYS["id"], **import_keys(entity, _keys(entity, uniques), every)}),
        noun=f"row of {name}",
    )
    return Sheet(entity=entity, model=model, table=table_of(entity), fields=fields, ways=ways)


def columns_of_sheet(sheet: Sheet) -> dict[str, Field]:
    """What an export of whole rows has: it can be imported as it is."""
    looked_up = lookups(sheet.ways.values())
    return {name: one for name, one in sheet.fields.all.items() if name not in looked_up}


def lookup(way: Way, name: str) -> str:
    """What a column is called by which a link's other row is known, and where its values are kept meanwhile."""
    return f"{way.name}.{name}"


async def find_ways(conn: Connection, model: Model, entity: Entity) -> Mapping[str, Way]:
    """The links of an entity by which rows of a file can point, by name."""
    return {one.name: await _way(conn, model, one) for one in entity.links if has_column(one)}


def _keys(entity: Entity, uniques: Sequence[Wanted]) -> list[Key]:
    """Those of an entity that are built; an automatic id alone is one."""
    automatic = {one.name for one in uniques if one.kind is BuildKind.INDEX}
    return [*built_keys(entity, uniques), *(Key(name=name, fields=(name,)) for name in sorted(automatic))]


async def _way(conn: Connection, model: Model, link: Link) -> Way:
    """A link with what the rows that it leads to are known by."""
    target = model.find(link.target)
    fields: dict[str, Field] = {"name": _NAME}
    keys: list[ImportKey] = [_NAMED]
    if link.target == "profile":
        fields = {name: FIELDS[name] for name in OUR_KEYS if name != "id"}
        keys = [key for name, key in OUR_KEYS.items() if name != "id"]
    elif target is not None and not target.built_in:
        fields, keys = {}, []
    if target is not None:
        fields |= {one.name: field_of(one) for one in target.fields if one.kind not in _NO_KEYS}
        keys += import_keys(target, _keys(target, await usable_uniques(conn, link.target)), fields).values()
    return Way(
        name=link.name, label=link.label, column=link_column(link.name), target=link.target, table=table_named(link.target),
        keys=tuple(keys), fields=fields,
    )  # fmt: skip


def lookups(ways: Iterable[Way]) -> dict[str, Field]:
    """The columns by which a file may say which rows are meant, by name."""
    return {one.name: one for way in ways for one in _lookups(way)}


def _lookups(way: Way) -> Iterator[Field]:
    """The columns by which a file may say which row is meant. An email is compared in its own form, later."""
    for name in dict.fromkeys(name for key in way.keys for name in key.fields):
        one = way.fields[name]
        yield replace(
            one, name=lookup(way, name), label=f"{way.label}, {one.label.lower()}", settable=True, unique=False, aliases=(),
            type=FieldType.TEXT if one.type is FieldType.EMAIL else one.type, stored_as=f"{way.column}__{name}",
        )  # fmt: skip
