"""What of the data model contents and fragments read, so that nobody hides it meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from core.content import store
from core.content.compile import FACTS, FrozenContent
from core.content.dynamic import audiences_of, checked, filters_of
from core.content.libraries import sources_of
from core.content.readable import AUDIENCE, Read, Readable
from core.content.records import ContentDraft
from core.datamodel.physical import EVENT_PREFIX
from core.datamodel.records import Change
from core.datamodel.uses import SHOWN, User
from core.db import Connection
from core.targeting.uses import events_gone, hidden_names, told_name

FILTER = "filter:"  # before the name of a filter, likewise
MEMBERS = "in_audience:"  # before the name of an audience that a condition asks about
COLUMN = "audience:"  # before the column of an audience, among what contents read; no entity is called so


async def find_columns_read(conn: Connection, content_ids: Collection[int]) -> dict[int, list[str]]:
    """Which columns of the audience contents read, by themselves and through fragments, by content."""
    found = await store.list_reads(conn, content_ids, COLUMN)
    return {content_id: [one.removeprefix(COLUMN) for one in reads] for content_id, reads in found.items()}


async def find_contents_using(conn: Connection, changes: Sequence[Change]) -> list[User]:
    """The contents and fragments which read what would be hidden or lose values."""
    hidden = await hidden_names(conn, changes)
    found = await store.list_readers(conn, hidden, SHOWN + 1) if hidden else []
    return [User(kind, name, tuple(reads)) for kind, name, reads in found]


async def find_contents_without_events(conn: Connection, event_type: str) -> list[User]:
    """The contents whose conditions ask about events of a type, or fields of theirs, that are there no longer."""
    return await events_gone(conn, event_type, await store.list_readers_of(conn, f"{EVENT_PREFIX}{event_type}."))


def reads_of_content(draft: ContentDraft, frozen: Iterable[FrozenContent], readable: Readable) -> list[str]:
    """What valid content reads by itself, told as questions tell it; `frozen` are its variants.

    What only its fragments read is told with those: they change without it.
    """
    found = {read.name: read for one in frozen for read in _of_program(one, readable)}
    own = [*sources_of(draft), *(one.value for one in draft.campaign_parameters.parameters)]
    told = set(reads_of_templates(found.values(), own))
    for place in draft.dynamic:
        for variant in place.variants:
            told |= reads_of_condition(variant.condition, readable)
    return sorted(told)


def reads_of_condition(condition: str, readable: Readable) -> set[str]:
    """What a valid condition reads, the filters that it calls, and the audiences that it names."""
    asked = checked(condition, readable.catalogue, readable.definitions, readable.audiences)
    called = {FILTER + name for name in filters_of(condition, readable.definitions)}
    named = {MEMBERS + name for name in audiences_of(asked)}
    return {*asked.reads, *called, *named, *(f"{entity}.*" for entity in asked.entities)}


def reads_of_templates(found: Iterable[Read], own: Collection[str]) -> list[str]:
    """What is read of the team's, where its names are written out in sources."""
    return sorted({name for read in found if _is_written(read, own) for name in _told(read)})


def _of_program(frozen: FrozenContent, readable: Readable) -> Iterator[Read]:
    paths = [("profile", *name.split(".")) for name in frozen.fields]
    paths += [(AUDIENCE, name) for name in frozen.columns]
    paths += [(root, name) for root in FACTS for name in frozen.facts.get(root, {})]
    yield from (read for path in paths if (read := readable.find(path)) is not None)


def _is_written(read: Read, sources: Collection[str]) -> bool:
    return all(any(name in source for source in sources) for name in read.name.split("."))


def _told(read: Read) -> Iterator[str]:
    entity = read.root
    for step in read.steps:
        yield told_name(entity, step.name)
        entity = step.target
        yield f"{entity}.*"
    if read.root == AUDIENCE:
        yield COLUMN + read.field.name
    elif read.field.kind is not None:
        yield told_name(entity, read.field.name)
