"""Which questions ask about a field, for the refusal to hide what is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from core.datamodel.physical import EVENT_PREFIX
from core.datamodel.present import present_model
from core.datamodel.records import Action, Change, Model
from core.datamodel.uses import SHOWN, User
from core.db import Connection
from core.targeting import external_store, run_store, store
from core.targeting.published import present_catalogue


async def find_questions_using(conn: Connection, changes: Sequence[Change]) -> list[User]:
    """The audiences and filters which ask about what would be hidden or lose values."""
    hidden = await hidden_names(conn, changes)
    found = await store.list_readers(conn, hidden, SHOWN + 1) if hidden else []
    return [User(kind, name, tuple(reads)) for kind, name, reads in found]


async def find_file_audiences_using(conn: Connection, changes: Sequence[Change]) -> list[User]:
    """The audiences of files whose rows are about to find their profiles by a field that would be hidden, and the external
    segments whose ids are its values."""
    hidden = {one.field for one in changes if one.action is Action.HIDE and one.entity == "profile" and one.field is not None}
    found = await run_store.list_by_keys(conn, sorted(hidden)) if hidden else []
    segments = await external_store.list_by_keys(conn, sorted(hidden)) if hidden else []
    return [
        *(User("file audience", name, tuple(keys)) for name, keys in found),
        *(User("external segment", name, (key,)) for name, key in segments),
    ]


async def hidden_names(conn: Connection, changes: Sequence[Change]) -> list[str]:
    """What would be hidden or lose values, as it is told among what questions and contents read."""
    gone = [one for one in changes if one.action is Action.HIDE or one.lost_choices]
    model = await present_model(conn)
    return [read for one in gone for read in _reads(one, model)]


async def find_questions_without_events(conn: Connection, event_type: str) -> list[User]:
    """The audiences and filters which ask about events of a type, or fields of theirs, that are there no longer. Call it after
    the type was changed or removed, in the same transaction."""
    found = await store.list_readers_of(conn, f"{EVENT_PREFIX}{event_type}.")
    return await events_gone(conn, event_type, found)


async def events_gone(conn: Connection, event_type: str, readers: Sequence[tuple[str, str, list[str]]]) -> list[User]:
    """Of readers of events of a type, each with its kind, name and what it reads: those which read what there is no longer."""
    name = EVENT_PREFIX + event_type
    entity = (await present_catalogue(conn)).entities.get(name)
    known = {f"{name}.*", *(f"{name}.{field}" for field in (*entity.fields, *entity.links))} if entity else set()
    gone = [(kind, reader, sorted(set(reads) - known)) for kind, reader, reads in readers]
    return [User(kind, reader, tuple(reads)) for kind, reader, reads in gone if reads]


def _reads(change: Change, model: Model) -> list[str]:
    """How what goes is told among what questions read."""
    if change.link is not None:
        entity = model.find(change.entity)
        link = entity.find_link(change.link) if entity else None
        ways = [(change.entity, change.link), *([(link.target, link.reverse_name)] if link else [])]
        return [told_name(*way) for way in ways]
    if change.field is not None:
        return [told_name(change.entity, change.field)]
    return [f"{change.entity}.*"] if change.key is None and change.index is None else []


def told_name(entity: str, name: str) -> str:
    """How a field or a link is told among what questions read."""
    return name if entity == "profile" else f"{entity}.{name}"
