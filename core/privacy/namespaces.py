"""What requests name somebody by. Some are built in, teams add others."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import check_label, check_name, name_taken, not_found
from core.datamodel.physical import table_of
from core.datamodel.present import present_model
from core.datamodel.records import Link, LinkKind, Model
from core.db import Connection
from core.errors import Conflict, Invalid
from core.privacy.records import Namespace, NamespaceDraft
from core.privacy.store import namespaces as store

PROFILE = "profile"


async def create_namespace(conn: Connection, actor: Actor, draft: NamespaceDraft) -> Namespace:
    """A namespace of the team's: one of its fields of profiles, or of a dataset whose rows are linked to profiles.

    Raises Invalid (BAD_NAME, BAD_LABEL, UNKNOWN_DATASET, UNKNOWN_FIELD, NOT_LINKED), Conflict (NAME_TAKEN).
    """
    require(actor, Permission.PRIVACY)
    check_name(draft.name)
    check_label(draft.label)
    check_place(await present_model(conn), draft)
    made = await store.insert_namespace(conn, draft, actor.name)
    if made is None:
        raise name_taken("privacy namespace", draft.name)
    told = {name: getattr(draft, name) for name in ("name", "label", "entity", "field")}
    await record(conn, actor, "privacy_namespace.create", "privacy_namespace", made.id, difference({}, told))
    return made


async def delete_namespace(conn: Connection, actor: Actor, namespace_id: int) -> None:
    """Raises NotFound (PRIVACY_NAMESPACE_NOT_FOUND), Conflict (BUILT_IN, IN_USE)."""
    require(actor, Permission.PRIVACY)
    found = await store.get_namespaces(conn, [namespace_id])
    if not found:
        raise not_found("privacy namespace", namespace_id)
    if found[0].built_in:
        raise Conflict("a built-in namespace stays", code="BUILT_IN", path="id")
    try:
        async with conn.transaction():
            await store.delete_namespace(conn, namespace_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict("requests name this namespace", code="IN_USE", path="id", hint="It stays, as their record.") from None
    told = {"name": {"from": found[0].name}}
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


def check_place(model: Model, draft: NamespaceDraft) -> None:
    """Whether the published model has what a namespace names. Raises Invalid (UNKNOWN_DATASET, UNKNOWN_FIELD, NOT_LINKED)."""
    entity = model.find(draft.entity)
    if entity is None or (entity.built_in and entity.name != PROFILE):
        raise Invalid(
            f"no dataset {draft.entity[:80]!r} is published", code="UNKNOWN_DATASET", path="dataset",
            hint="Name profile, or a dataset with a link to profiles.",
        )  # fmt: skip
    if entity.find(draft.field) is None:
        known = ", ".join(one.name for one in entity.fields)
        raise Invalid(
            f"{draft.entity} has no published field {draft.field[:80]!r}", code="UNKNOWN_FIELD", path="reconciliation_field",
            hint=f"Published: {known}." if known else "Publish it first.",
        )  # fmt: skip
    if entity.name != PROFILE and not links_to_profiles(model, draft.entity):
        raise Invalid(
            f"no link leads from {draft.entity} to profiles", code="NOT_LINKED", path="dataset",
            hint="Link it, or its rows are nobody's: requests do not cover them.",
        )  # fmt: skip


def links_to_profiles(model: Model, entity: str) -> list[Link]:
    """The links of a dataset each of whose rows leads to profiles: by a column with their id, or by equal fields."""
    found = model.find(entity)
    if found is None or table_of(found) == PROFILE:
        return []
    return [one for one in found.links if one.target == PROFILE and one.kind is not LinkKind.MANY_TO_MANY]
