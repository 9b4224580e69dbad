"""What a team adds to the catalogue: fields of our entities, datasets and their links, and types of events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from core.datamodel.physical import EVENT_PREFIX, column_of, link_column, pair_table, table_of
from core.datamodel.present import per_model
from core.datamodel.records import AUDIT_KINDS, DataField, FieldKind, Link, LinkKind, Model
from core.datamodel.records import Entity as DataEntity
from core.events.physical import OWN_COLUMNS, columns_of
from core.events.physical import table_of as table_of_event
from core.events.records import EventType, EventTypes
from core.targeting.catalogue import (
    CATALOGUE,
    Catalogue,
    CatalogueField,
    CatalogueLink,
    Entity,
    Kind,
    PairTable,
    Writing,
    entity,
)
from core.targeting.headings import RECORD

_KINDS: Mapping[FieldKind, Kind] = MappingProxyType(
    {
        FieldKind.TEXT: Kind.TEXT,
        FieldKind.INTEGER: Kind.INTEGER,
        FieldKind.DECIMAL: Kind.DECIMAL,
        FieldKind.BOOLEAN: Kind.BOOLEAN,
        FieldKind.DATE: Kind.DATE,
        FieldKind.INSTANT: Kind.INSTANT,
        FieldKind.ENUMERATION: Kind.ENUMERATION,
        FieldKind.POINT: Kind.POINT,
        FieldKind.JSON: Kind.JSON,
        FieldKind.AUTOMATIC_ID: Kind.UUID,
        FieldKind.CREATED_BY: Kind.TEXT,
        FieldKind.CHANGED_BY: Kind.TEXT,
    }
)


@per_model
def extended(model: Model) -> Catalogue:
    """The catalogue with what a published model adds."""
    links = _links(model)
    entities = dict(CATALOGUE.entities)
    for one in model.entities:
        ours = entities.get(one.name)
        fields = [_field(field) for field in one.fields if field.kind in _KINDS]
        if ours is None:
            entities[one.name] = _dataset(one, fields, links[one.name])
        elif fields or links[one.name]:
            entities[one.name] = _added(ours, fields, links[one.name])
    return Catalogue(entities=MappingProxyType(entities))


def with_events(catalogue: Catalogue, types: EventTypes) -> Catalogue:
    """The catalogue with business events: those of a type are an entity, and linked to whom they are about."""
    if not types.by_name:
        return catalogue
    events = [_events(one) for one in types.by_name.values()]
    ways = [
        _way(one.name, one.label, one.name, True, (("id", "profile_id"),), "profile") for one in events
    ]  # fmt: skip
    profile = _added(catalogue.entities["profile"], (), ways)
    entities = {**catalogue.entities, **{one.name: one for one in events}, profile.name: profile}
    return Catalogue(entities=MappingProxyType(entities))


def _events(one: EventType) -> Entity:
    columns = columns_of(one)
    fields = [
        replace(_field(column.field), column=column.column, nullable=name not in OWN_COLUMNS)
        for name, column in columns.items()
        if column.field.kind in _KINDS
    ]
    to_profile = _way("profile", "Profile", "profile", False, (("profile_id", "id"),), EVENT_PREFIX + one.name)
    return entity(
        EVENT_PREFIX + one.name, one.label, table=table_of_event(one.name), key="id", fields=fields, links=[to_profile],
        time="occurred_at",
    )  # fmt: skip


def _added(ours: Entity, fields: Iterable[CatalogueField], links: Iterable[CatalogueLink]) -> Entity:
    named = {field.name: field for field in fields}
    ways = {link.name: link for link in links if link.name not in ours.links}
    return replace(ours, fields=MappingProxyType({**ours.fields, **named}), links=MappingProxyType({**ours.links, **ways}))


def _dataset(one: DataEntity, fields: list[CatalogueField], links: Iterable[CatalogueLink]) -> Entity:
    house = [
        _house("id", "Number", Kind.INTEGER, unique=True),
        _house("created_at", "Created", Kind.INSTANT),
        _house("updated_at", "Changed", Kind.INSTANT),
    ]
    times = [field.name for field in fields if field.kind is Kind.INSTANT] or [
        field.name for field in fields if field.kind is Kind.DATE
    ]
    return entity(
        one.name, one.label, table=table_of(one), key="id", fields=[*house, *fields], links=links,
        time=times[0] if len(times) == 1 else None,
    )  # fmt: skip


def _house(name: str, label: str, kind: Kind, *, unique: bool = False) -> CatalogueField:
    return CatalogueField(name=name, label=label, kind=kind, column=name, nullable=False, unique=unique, category=RECORD)


def _field(field: DataField) -> CatalogueField:
    names = {choice.name: choice.name for choice in field.choices} if field.kind is FieldKind.ENUMERATION else {}
    return CatalogueField(
        name=field.name,
        label=field.label,
        kind=_KINDS[field.kind],
        column=column_of(field.name),
        values=MappingProxyType(names),
        writing=Writing.EXACT if field.kind in AUDIT_KINDS else Writing.FREE,
        category=field.category,
    )


def _links(model: Model) -> Mapping[str, list[CatalogueLink]]:
    """The ways out of each entity, there and back."""
    links: dict[str, list[CatalogueLink]] = defaultdict(list)
    for one in model.entities:
        for link in one.links:
            there, back = _both(one, link, model)
            links[one.name].append(there)
            links[link.target].append(back)
    return links


def _both(source: DataEntity, link: Link, model: Model) -> Iterator[CatalogueLink]:
    if link.kind is LinkKind.MANY_TO_MANY:
        pairs = pair_table(source, link)
        yield _way(link.name, link.label, link.target, True, (("id", "id"),), link.reverse_name,
                   PairTable(table=pairs, near="source_id", far="target_id"))  # fmt: skip
        yield _way(link.reverse_name, link.reverse_label, source.name, True, (("id", "id"),), link.name,
                   PairTable(table=pairs, near="target_id", far="source_id"))  # fmt: skip
        return
    on = _columns(source, link, model)
    back = tuple((far, near) for near, far in on)
    yield replace(_way(link.name, link.label, link.target, False, on, link.reverse_name), unique=not link.source_fields)
    way = _way(link.reverse_name, link.reverse_label, source.name, link.kind is LinkKind.MANY_TO_ONE, back, link.name)
    yield replace(way, sound=not link.source_fields)  # a foreign key sees to it


def _way(
    name: str, label: str, target: str, many: bool, on: tuple[tuple[str, str], ...], back: str, pairs: PairTable | None = None
) -> CatalogueLink:
    return CatalogueLink(name=name, label=label, target=target, many=many, on=on, back=back, pairs=pairs)


def _columns(source: DataEntity, link: Link, model: Model) -> tuple[tuple[str, str], ...]:
    if not link.source_fields:
        return ((link_column(link.name), "id"),)
    target = model.find(link.target)
    return tuple(
        (_column(source, near), _column(target, far)) for near, far in zip(link.source_fields, link.target_fields, strict=True)
    )


def _column(one: DataEntity | None, field: str) -> str:
    """The column of a team's field, or of one of ours by which rows are known."""
    if one is not None and one.find(field) is not None:
        return column_of(field)
    ours = CATALOGUE.entities.get(one.name) if one else None
    return ours.fields[field].column if ours and field in ours.fields else field
