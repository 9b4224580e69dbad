"""Types of events: made, changed and removed by who may model data, at once and without a draft."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import check_version, not_found
from core.datamodel.physical import column_of, sql_type
from core.datamodel.publication import LOCK_TIMEOUT_MS, changing
from core.datamodel.records import FieldKind
from core.datamodel.rules import DEFAULT_TEXT
from core.db import Connection
from core.errors import Invalid, LimitReached
from core.events.physical import alter_statements, create_statements, partitioned, table_of
from core.events.present import present_event_types
from core.events.records import EventField, EventType, EventTypeDraft
from core.events.rules import MAX_TYPES, check_columns, check_draft
from core.events.store import types as store
from core.partitions import ensure_months


async def list_event_types(conn: Connection) -> list[EventType]:
    """All, by name."""
    return list((await present_event_types(conn)).by_name.values())


async def find_event_type(conn: Connection, name: str) -> EventType | None:
    """The type of a name."""
    return (await present_event_types(conn)).find(name)


async def save_event_type(
    conn: Connection,
    actor: Actor,
    draft: EventTypeDraft,
    *,
    now: datetime,
    expected_version: int | None = None,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
) -> EventType:
    """Make a type with its table, or make the type of that name as it shall be. A text without a length has 255 characters.

    Fields that are left out are hidden, with the values that events have in them. As long as there are events, a field keeps
    its kind.

    Raises Invalid, LimitReached (TOO_MANY_EVENT_TYPES), Stale (VERSION_CHANGED), Conflict (KIND_FIXED, LENGTH_FIXED,
    HIDDEN_DATA, TABLE_BUSY).
    """
    require(actor, Permission.MODEL_DATA)
    draft = _with_lengths(draft)
    check_draft(draft)
    async with changing(conn, (), lock_timeout_ms):
        await store.hold_types(conn, alone=True)
        types = await present_event_types(conn)
        before = types.find(draft.name)
        check_version("event type", before.version if before else 0, expected_version)
        if before is not None and _said(before) == _said(draft):
            return before
        if before is None:
            if len(types.by_name) >= MAX_TYPES:
                raise LimitReached(f"there may be {MAX_TYPES} types of events", code="TOO_MANY_EVENT_TYPES")
            await _make_table(conn, draft, now)
            saved = await store.insert_type(conn, draft, actor.name, now)
        else:
            await _change_table(conn, draft, before)
            saved = await store.update_type(conn, draft, actor.name, now)
        await store.move_stamp(conn)
    action = "event_type.create" if before is None else "event_type.update"
    changes = difference(_told(before) if before else {}, _told(saved))
    await record(conn, actor, action, "event_type", saved.name, changes)
    return saved


async def remove_event_type(
    conn: Connection, actor: Actor, name: str, *, confirm: str, lock_timeout_ms: int = LOCK_TIMEOUT_MS
) -> EventType:
    """Remove a type with all its events, for good. `confirm` repeats its name.

    Raises NotFound (EVENT_TYPE_NOT_FOUND), Invalid (NOT_CONFIRMED), Conflict (TABLE_BUSY, USED_BY_SQL).
    """
    require(actor, Permission.MODEL_DATA)
    async with changing(conn, (), lock_timeout_ms):
        await store.hold_types(conn, alone=True)
        found = (await present_event_types(conn)).find(name)
        if found is None:
            raise not_found("event type", name[:80], "name")
        if confirm != name:
            raise Invalid(
                "this is not the name of what is to be removed", code="NOT_CONFIRMED", path="confirm",
                hint=f"Its events cannot be brought back. To remove them, send {name!r} as confirm.",
            )  # fmt: skip
        await store.drop_table(conn, table_of(name))
        await store.delete_type(conn, name)
        await store.move_stamp(conn)
    await record(conn, actor, "event_type.remove", "event_type", name)
    return found


async def _make_table(conn: Connection, draft: EventTypeDraft, now: datetime) -> None:
    for statement in create_statements(draft.name, draft.fields):
        await store.run(conn, statement)
    await ensure_months(conn, partitioned(draft.name), now)


async def _change_table(conn: Connection, draft: EventTypeDraft, before: EventType) -> None:
    table = table_of(draft.name)
    lying = await store.read_columns(conn, table)
    other = [one for one in draft.fields if lying.get(column_of(one.name), sql_type(one)) != sql_type(one)]
    if other:
        await store.lock_table(conn, table)
        if await store.has_events(conn, table):
            check_columns(draft, before, lying)
        else:
            for one in other:
                await store.drop_column(conn, table, column_of(one.name))
                del lying[column_of(one.name)]
    for statement in alter_statements(draft.name, draft.fields, lying):
        await store.run(conn, statement)


def _with_lengths(draft: EventTypeDraft) -> EventTypeDraft:
    """The draft, whose texts without a length may have as many characters as such texts of the data model."""
    return replace(draft, fields=tuple(_with_length(one) for one in draft.fields))


def _with_length(one: EventField) -> EventField:
    if one.kind is FieldKind.TEXT and one.max_length is None:
        return replace(one, max_length=DEFAULT_TEXT)
    return one


def _said(draft: EventTypeDraft) -> tuple[Any, ...]:
    return draft.label, draft.description, draft.fields, draft.unknown_fields, draft.retention_days


def _told(event_type: EventTypeDraft) -> dict[str, Any]:
    """For the audit log."""
    return {
        "label": event_type.label,
        "description": event_type.description,
        "fields": [f"{one.name}: {one.kind.value}{', required' if one.required else ''}" for one in event_type.fields],
        "unknown_fields": event_type.unknown_fields.value,
        "retention_days": event_type.retention_days,
    }
