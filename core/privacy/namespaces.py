"""What requests name somebody by. Some are built in, teams add others."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import check_label, check_name, name_taken, not_found
from core.datamodel.present import hold_model
from core.db import Connection
from core.errors import Conflict
from core.events.present import hold_event_types
from core.privacy.places import find_place
from core.privacy.records import Namespace, NamespaceDraft
from core.privacy.store import namespaces as store
from core.privacy.store import requests


async def create_namespace(conn: Connection, actor: Actor, draft: NamespaceDraft) -> Namespace:
    """A namespace of the team's: a field of profiles, devices, visitors, a type of events, or a dataset: one whose rows are
    linked to profiles, or tied to nobody.

    Raises Invalid (BAD_NAME, BAD_LABEL, UNKNOWN_DATASET, UNKNOWN_FIELD, BAD_KIND, NOT_LINKED), Conflict (NAME_TAKEN).
    """
    require(actor, Permission.PRIVACY)
    check_name(draft.name)
    check_label(draft.label)
    find_place(await hold_model(conn), await hold_event_types(conn), draft.entity, draft.field)
    made = await store.insert_namespace(conn, draft, actor.name)
    if made is None:
        raise name_taken("privacy namespace", draft.name)
    told = {name: getattr(draft, name) for name in ("name", "label", "entity", "field")}
    await record(conn, actor, "privacy_namespace.create", "privacy_namespace", made.id, difference({}, told))
    return made


async def delete_namespace(conn: Connection, actor: Actor, namespace_id: int) -> None:
    """Requests that have ended keep its name, and are not tried again.

    Raises NotFound (PRIVACY_NAMESPACE_NOT_FOUND), Conflict (BUILT_IN, IN_USE).
    """
    require(actor, Permission.PRIVACY)
    found = await store.lock_namespace(conn, namespace_id)
    if found is None:
        raise not_found("privacy namespace", namespace_id)
    if found.built_in:
        raise Conflict("a built-in namespace stays", code="BUILT_IN", path="id")
    try:
        async with conn.transaction():
            await requests.leave_namespace(conn, namespace_id)
            await store.delete_namespace(conn, namespace_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict(
            "requests that have not ended name this namespace", code="IN_USE", path="id",
            hint="Wait for them. A deletion that has failed half-way keeps it too: try it again.",
        ) from None  # fmt: skip
    told = {"name": {"from": found.name}}
    await record(conn, actor, "privacy_namespace.delete", "privacy_namespace", namespace_id, told)


async def open_namespace(conn: Connection, name: str, path: str) -> Namespace:
    """By its name. Raises NotFound (PRIVACY_NAMESPACE_NOT_FOUND)."""
    found = await store.find_by_name(conn, name)
    if found is None:
        raise not_found("privacy namespace", name[:80], path)
    return found


async def get_namespaces(conn: Connection, ids: Sequence[int]) -> list[Namespace]:
    """Those that exist."""
    return await store.get_namespaces(conn, ids)


async def list_namespaces(conn: Connection) -> list[Namespace]:
    """All of them."""
    return await store.list_namespaces(conn)
