"""The draft of the data model: add, change and remove fields and datasets. Nobody sees any of it before it is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import check_version, not_found
from core.datamodel.model_rules import check_model
from core.datamodel.records import DataField, Draft, Entity, FieldKind, Model
from core.datamodel.rules import DEFAULT_TEXT, check_dataset, check_field
from core.datamodel.store import model as store
from core.db import Connection
from core.errors import Invalid, NotFound


async def get_draft(conn: Connection) -> Draft:
    """The draft as it is."""
    return await store.find_draft(conn)


async def save_dataset(
    conn: Connection,
    actor: Actor,
    *,
    name: str,
    label: str,
    description: str = "",
    title: str | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> Draft:
    """Add a dataset, or change its label, description and title, which is one of its fields.

    Raises Invalid, Stale (VERSION_CHANGED).
    """
    draft = await open_draft(conn, actor, expected_version)
    old = draft.model.find(name)
    if old is not None and old.built_in:
        raise Invalid(f"{name!r} is a table of ours", code="BUILT_IN", path="name", hint="Choose another name.")
    entity = replace(old or Entity(name=name, label=label), label=label, description=description, title=title)
    check_dataset(entity)
    return await save_draft(conn, actor, draft, with_entity(draft.model, entity), now, {"dataset": name})


async def remove_dataset(
    conn: Connection, actor: Actor, name: str, *, now: datetime, expected_version: int | None = None
) -> Draft:
    """Take a dataset out of the draft. Raises NotFound, Invalid (BUILT_IN), Stale (VERSION_CHANGED)."""
    draft = await open_draft(conn, actor, expected_version)
    if entity_of(draft.model, name).built_in:
        raise Invalid(f"{name!r} is a table of ours", code="BUILT_IN", path="name", hint="Remove its fields instead.")
    left = Model(entities=tuple(one for one in draft.model.entities if one.name != name))
    return await save_draft(conn, actor, draft, left, now, {"removed": name})


async def save_field(
    conn: Connection,
    actor: Actor,
    entity_name: str,
    field: DataField,
    *,
    now: datetime,
    expected_version: int | None = None,
) -> Draft:
    """Add a field, or put it into the place of the one of its name. A text without a length may have 255 characters.

    Raises NotFound (DATASET_NOT_FOUND), Invalid, Conflict (NAME_TAKEN, KIND_FIXED, LENGTH_FIXED, HIDDEN_DATA), Stale.
    """
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    if field.kind is FieldKind.TEXT and field.max_length is None:
        field = replace(field, max_length=DEFAULT_TEXT)
    check_field(field)
    if entity.find(field.name) is None:
        fields = (*entity.fields, field)
    else:
        fields = tuple(field if one.name == field.name else one for one in entity.fields)
    told = {"field": f"{entity_name}.{field.name}"}
    return await save_draft(conn, actor, draft, with_entity(draft.model, replace(entity, fields=fields)), now, told)


async def remove_field(
    conn: Connection, actor: Actor, entity_name: str, name: str, *, now: datetime, expected_version: int | None = None
) -> Draft:
    """Take a field out of the draft. Raises NotFound (DATASET_NOT_FOUND, FIELD_NOT_FOUND), Stale (VERSION_CHANGED)."""
    draft = await open_draft(conn, actor, expected_version)
    entity = entity_of(draft.model, entity_name)
    if entity.find(name) is None:
        raise not_found("field", f"{entity_name}.{name[:80]}", "name")
    fields = tuple(one for one in entity.fields if one.name != name)
    told = {"removed": f"{entity_name}.{name}"}
    return await save_draft(conn, actor, draft, with_entity(draft.model, replace(entity, fields=fields)), now, told)


async def discard_draft(conn: Connection, actor: Actor, *, expected_version: int | None = None) -> Draft:
    """Go back to what is published. Raises Stale (VERSION_CHANGED)."""
    draft = await open_draft(conn, actor, expected_version)
    published = await store.find_published(conn)
    if draft.model == published.model:
        return draft
    await record(conn, actor, "data_model.discard", "data_model", "draft", {"version": draft.version})
    return await store.update_draft(conn, published.model, None, None)


async def open_draft(conn: Connection, actor: Actor, expected_version: int | None) -> Draft:
    """The draft, until the transaction ends nobody else's. Raises Forbidden, Stale (VERSION_CHANGED)."""
    require(actor, Permission.MODEL_DATA)
    draft = await store.lock_draft(conn)
    check_version("draft of the data model", draft.version, expected_version)
    return draft


async def save_draft(conn: Connection, actor: Actor, draft: Draft, model: Model, now: datetime, told: dict[str, Any]) -> Draft:
    """What changes nothing makes no new version; what ends up as published is nobody's change. Raises as `check_model`."""
    if model == draft.model:
        return draft
    published = (await store.find_published(conn)).model
    check_model(model, published, await store.read_tables(conn))
    await record(conn, actor, "data_model.edit", "data_model", "draft", told)
    if model == published:
        return await store.update_draft(conn, model, None, None)
    return await store.update_draft(conn, model, actor.name, now)


def entity_of(model: Model, name: str) -> Entity:
    """The entity of a name. Raises NotFound (DATASET_NOT_FOUND)."""
    found = model.find(name)
    if found is None:
        names = [one.name for one in model.entities]
        near = get_close_matches(name, names, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(names[:20])}."
        raise NotFound(f"there is no dataset {name[:80]!r}", code="DATASET_NOT_FOUND", path="dataset", hint=hint)
    return found


def with_entity(model: Model, entity: Entity) -> Model:
    """The model with an entity added, or in its old place."""
    if model.find(entity.name) is None:
        return Model(entities=(*model.entities, entity))
    return Model(entities=tuple(entity if one.name == entity.name else one for one in model.entities))
