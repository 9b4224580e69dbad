"""Which namespaces name a part of the data model, so that nobody hides it."""

from __future__ import annotations

from collections.abc import Sequence

from core.datamodel.present import present_model
from core.datamodel.records import Action, Change
from core.datamodel.uses import User
from core.db import Connection
from core.privacy.namespaces import links_to_profiles
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
