"""Which namespaces name a part of the data model, or of a type of events, so that nobody hides it."""

from __future__ import annotations

from collections.abc import Sequence

from core.datamodel.physical import EVENT_PREFIX
from core.datamodel.present import present_model
from core.datamodel.records import Action, Change, Model
from core.datamodel.uses import User
from core.db import Connection
from core.errors import Invalid
from core.events.present import present_event_types
from core.events.records import EventTypes
from core.privacy.places import find_place, links_to_profiles
from core.privacy.records import Namespace
from core.privacy.store import namespaces as store


async def find_namespaces_using(conn: Connection, changes: Sequence[Change]) -> list[User]:
    """The team's namespaces by which nobody could be named any more: without their field, their dataset, or its last link to
    profiles."""
    gone = [one for one in changes if one.action is Action.HIDE and one.key is None and one.index is None]
    hidden = {(one.entity, one.field or one.link) for one in gone}
    if not hidden:
        return []
    model = await present_model(conn)
    users = []
    for one in await store.list_namespaces(conn):
        links = {(one.entity, link.name) for link in links_to_profiles(model, one.entity)}
        named = {(one.entity, None), (one.entity, one.field), *(links if links <= hidden else ())}
        if not one.built_in and (lost := named & hidden):
            users.append(User("privacy namespace", one.name, tuple(sorted(name or one.entity for _, name in lost))))
    return users


async def find_namespaces_without_events(conn: Connection, event_type: str) -> list[User]:
    """The team's namespaces over events of a type by whose field nobody can be named any more. Call it after the type was
    changed or removed, in the same transaction."""
    entity = EVENT_PREFIX + event_type
    model, types = await present_model(conn), await present_event_types(conn)
    over = [one for one in await store.list_namespaces(conn) if one.entity == entity]
    return [User("privacy namespace", one.name, (one.field,)) for one in over if not _is_there(model, types, one)]


def _is_there(model: Model, types: EventTypes, namespace: Namespace) -> bool:
    try:
        find_place(model, types, namespace.entity, namespace.field)
    except Invalid:
        return False
    return True
