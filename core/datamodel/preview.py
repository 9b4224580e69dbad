"""What publishing a draft changes, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TypeAlias

from core.datamodel.physical import Tables, column_of, has_column, link_column, pair_table, table_of
from core.datamodel.records import Action, Change, Choice, DataField, Entity, Index, Key, Link, LinkKind, Model

_Thing: TypeAlias = Entity | DataField | Link | Key | Index


def changes(published: Model, draft: Model, tables: Tables) -> Iterator[Change]:
    """The differences: what comes and changes in the order of the draft, then what goes."""
    for entity in draft.entities:
        before = published.find(entity.name)
        if before is None:
            there = table_of(entity) in tables.columns
            yield Change(action=Action.SHOW if there else Action.ADD, entity=entity.name)
        elif details := _differences(before, entity, "label", "description", "title"):
            yield Change(action=Action.CHANGE, entity=entity.name, details=details)
        yield from _field_changes(entity, before, tables)
        yield from _link_changes(entity, before, tables)
        yield from _key_changes(entity, before)
    for entity in published.entities:
        after = draft.find(entity.name)
        if after is None:
            yield Change(action=Action.HIDE, entity=entity.name)
            continue
        for field in entity.fields:
            if after.find(field.name) is None:
                yield Change(action=Action.HIDE, entity=entity.name, field=field.name)
        for link in entity.links:
            if after.find_link(link.name) is None:
                yield Change(action=Action.HIDE, entity=entity.name, link=link.name)
        for key in entity.keys:
            if after.find_key(key.name) is None:
                yield Change(action=Action.HIDE, entity=entity.name, key=key.name)
        for index in entity.indexes:
            if after.find_index(index.name) is None:
                yield Change(action=Action.HIDE, entity=entity.name, index=index.name)


def _field_changes(entity: Entity, before: Entity | None, tables: Tables) -> Iterator[Change]:
    for field in entity.fields:
        old = before.find(field.name) if before else None
        if old is None:
            there = tables.type_of(table_of(entity), column_of(field.name)) is not None
            yield Change(action=Action.SHOW if there else Action.ADD, entity=entity.name, field=field.name)
        elif details := _differences(old, field, *_parts(DataField)):
            names = {choice.name for choice in field.choices}
            lost = tuple(choice.name for choice in old.choices if choice.name not in names)
            yield Change(action=Action.CHANGE, entity=entity.name, field=field.name, lost_choices=lost, details=details)


def _link_changes(entity: Entity, before: Entity | None, tables: Tables) -> Iterator[Change]:
    for link in entity.links:
        old = before.find_link(link.name) if before else None
        if old is None:
            there = _lies(entity, link, tables)
            yield Change(action=Action.SHOW if there else Action.ADD, entity=entity.name, link=link.name)
        elif details := _differences(old, link, *_parts(Link)):
            yield Change(action=Action.CHANGE, entity=entity.name, link=link.name, details=details)


def _lies(entity: Entity, link: Link, tables: Tables) -> bool:
    if link.kind is LinkKind.MANY_TO_MANY:
        return pair_table(entity, link) in tables.columns
    return has_column(link) and tables.type_of(table_of(entity), link_column(link.name)) is not None


def _key_changes(entity: Entity, before: Entity | None) -> Iterator[Change]:
    for key in entity.keys:
        old_key = before.find_key(key.name) if before else None
        if old_key is None:
            yield Change(action=Action.ADD, entity=entity.name, key=key.name)
        elif details := _differences(old_key, key, *_parts(Key)):
            yield Change(action=Action.CHANGE, entity=entity.name, key=key.name, details=details)
    for index in entity.indexes:
        old_index = before.find_index(index.name) if before else None
        if old_index is None:
            yield Change(action=Action.ADD, entity=entity.name, index=index.name)
        elif details := _differences(old_index, index, *_parts(Index)):
            yield Change(action=Action.CHANGE, entity=entity.name, index=index.name, details=details)


def _parts(kind: type[DataField | Link | Key | Index]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def _differences(before: _Thing, after: _Thing, *names: str) -> tuple[str, ...]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in names)
    return tuple(f"{name.replace('_', ' ')}: {_said(old)} becomes {_said(new)}" for name, old, new in pairs if old != new)


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(one.name if isinstance(one, Choice) else str(one) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return repr(value) if type(value) is str else str(value)
