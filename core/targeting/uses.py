"""Which audiences ask about a field, and the refusal to hide what is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from core.datamodel.physical import EVENT_PREFIX
from core.datamodel.present import present_model
from core.datamodel.records import Action, Change, Model
from core.db import Connection
from core.errors import Conflict
from core.targeting import store
from core.targeting.published import present_catalogue

SHOWN = 5


async def check_hidden_unused(conn: Connection, changes: Sequence[Change]) -> None:
    """Raises Conflict (FIELD_IN_USE), naming the audiences which ask about what would be hidden or lose values."""
    gone = [one for one in changes if one.action is Action.HIDE or one.lost_choices]
    model = await present_model(conn)
    hidden = [read for one in gone for read in _reads(one, model)]
    _check_none(await store.list_readers(conn, hidden, SHOWN + 1) if hidden else [])


async def check_events_unused(conn: Connection, event_type: str) -> None:
    """Raises Conflict (FIELD_IN_USE), naming the audiences which ask about events of a type, or fields of theirs, that are
    there no longer. Call it after the type was changed or removed, in the same transaction."""
    name = EVENT_PREFIX + event_type
    entity = (await present_catalogue(conn)).entities.get(name)
    known = {f"{name}.*", *(f"{name}.{field}" for field in (*entity.fields, *entity.links))} if entity else set()
    found = [(reader, sorted(set(reads) - known)) for reader, reads in await store.list_readers_of(conn, f"{name}.")]
    _check_none([(reader, gone) for reader, gone in found if gone])


def _check_none(found: Sequence[tuple[str, list[str]]]) -> None:
    if not found:
        return
    names = ", ".join(f"{name!r} ({', '.join(fields)})" for name, fields in found[:SHOWN])
    raise Conflict(
        f"audiences ask about what would be hidden or lose values: {names}{' and others' if len(found) > SHOWN else ''}",
        code="FIELD_IN_USE", hint="Change or delete those audiences first.",
    )  # fmt: skip


def _reads(change: Change, model: Model) -> list[str]:
    """How what goes is told among what questions read."""
    if change.link is not None:
        entity = model.find(change.entity)
        link = entity.find_link(change.link) if entity else None
        ways = [(change.entity, change.link), *([(link.target, link.reverse_name)] if link else [])]
        return [_told(*way) for way in ways]
    if change.field is not None:
        return [_told(change.entity, change.field)]
    return [f"{change.entity}.*"] if change.key is None and change.index is None else []


def _told(entity: str, name: str) -> str:
    return name if entity == "profile" else f"{entity}.{name}"
