"""Unique keys and indexes: in the draft, and which can be relied on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core.access import Actor
from core.authored import not_found
from core.datamodel.drafts import entity_of, open_draft, save_draft, with_entity
from core.datamodel.index_rules import check_index
from core.datamodel.physical import table_of
from core.datamodel.present import present_model
from core.datamodel.records import Draft, Entity, Index, Key, Model
from core.datamodel.searchable import SEARCHED, Words, words_of
from core.datamodel.store import builds as store
from core.datamodel.wanted import Wanted, key_object, search_object, wanted
from core.db import Connection


async def usable_keys(conn: Connection, entity_name: str) -> tuple[Key, ...]:
    """The published keys of an entity that are really built: no two of its rows have the same in their fields.

    A key that is published but not here may still fail. Empty for an entity that is not published.
    """
    entity = (await present_model(conn)).find(entity_name)
    if entity is None or not entity.keys:
        return ()
    objects = {key_object(entity, key): key for key in entity.keys}
    built = await store.list_usable(conn, list(objects))
    return tuple(key for name, key in objects.items() if name in built)


async def usable_uniques(conn: Connection, entity_name: str) -> tuple[Wanted, ...]:
    """The unique indexes of an entity's own table that are really built: of keys, automatic ids and links to one alone."""
    model = await present_model(conn)
    entity = model.find(entity_name)
    if entity is None:
        return ()
    asked = [one for one in wanted(model) if one.entity == entity_name and one.columns and one.table == table_of(entity)]
    built = await store.list_usable(conn, [one.object for one in asked])
    return tuple(one for one in asked if one.object in built)


async def usable_words(conn: Connection, model: Model) -> Words | None:
    """The words of people's searchable fields; None: no field is searchable, or the index of their words is not built."""
    entity = model.find(SEARCHED)
    words = None if entity is None else words_of(entity)
    if entity is None or words is None:
        return None
    return words if await store.list_usable(conn, [search_object(entity, words)]) else None


async def save_key(
    conn: Connection,
    actor: Actor,
    entity_name: str,
    key: Key,
    *,
    now: datetime,
    expected_version: int | None = None,
) -> Draft:
    """Add a unique key, or put it into the place of the one of its name: then another one is built.

    Raises NotFound (DATASET_NOT_FOUND), Invalid, Conflict (NAME_TAKEN, DUPLICATE_INDEX), Stale (VERSION_CHANGED).
    """
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    check_index(key)
    if entity.find_key(key.name) is None:
        keys = (*entity.keys, key)
    else:
        keys = tuple(key if one.name == key.name else one for one in entity.keys)
    return await _save(conn, actor, draft, replace(entity, keys=keys), {"key": f"{entity_name}.{key.name}"}, now)


async def remove_key(
    conn: Connection, actor: Actor, entity_name: str, name: str, *, now: datetime, expected_version: int | None = None
) -> Draft:
    """Take a key out of the draft. Raises NotFound (DATASET_NOT_FOUND, KEY_NOT_FOUND), Stale (VERSION_CHANGED)."""
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    if entity.find_key(name) is None:
        raise not_found("key", f"{entity_name}.{name[:80]}", "name")
    keys = tuple(one for one in entity.keys if one.name != name)
    return await _save(conn, actor, draft, replace(entity, keys=keys), {"removed": f"{entity_name}.{name}"}, now)


async def save_index(
    conn: Connection,
    actor: Actor,
    entity_name: str,
    index: Index,
    *,
    now: datetime,
    expected_version: int | None = None,
) -> Draft:
    """Add an index, or put it into the place of the one of its name. Raises as `save_key`."""
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    check_index(index)
    if entity.find_index(index.name) is None:
        indexes = (*entity.indexes, index)
    else:
        indexes = tuple(index if one.name == index.name else one for one in entity.indexes)
    return await _save(conn, actor, draft, replace(entity, indexes=indexes), {"index": f"{entity_name}.{index.name}"}, now)


async def remove_index(
    conn: Connection, actor: Actor, entity_name: str, name: str, *, now: datetime, expected_version: int | None = None
) -> Draft:
    """Take an index out of the draft. Raises NotFound (DATASET_NOT_FOUND, INDEX_NOT_FOUND), Stale (VERSION_CHANGED)."""
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    if entity.find_index(name) is None:
        raise not_found("index", f"{entity_name}.{name[:80]}", "name")
    indexes = tuple(one for one in entity.indexes if one.name != name)
    return await _save(conn, actor, draft, replace(entity, indexes=indexes), {"removed": f"{entity_name}.{name}"}, now)


async def _save(conn: Connection, actor: Actor, draft: Draft, entity: Entity, told: dict[str, str], now: datetime) -> Draft:
    return await save_draft(conn, actor, draft, with_entity(draft.model, entity), now, told)
