"""What the members of a delivery's audience bring along, for the content that it sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from core.content.contents import fragments_of
from core.content.personalization import no_column
from core.content.placements import Library
from core.content.readable import Readable, ReadableEntity, columns_of, with_audience, without_event
from core.content.records import Content
from core.content.uses import find_columns_read
from core.db import Connection
from core.errors import Conflict, Invalid
from core.planning.store import deliveries as store
from core.targeting.audiences import find_audiences, get_audience, open_audience
from core.targeting.errors import ExpressionError
from core.targeting.listed import Brought, brought_along
from core.targeting.records import Audience

MOST_AUDIENCES = 20  # of one content, of which its warnings know


async def bound(conn: Connection, readable: Readable, audience_id: int) -> Readable:
    """What content may read that is sent to an audience: no event is among it. Raises NotFound (AUDIENCE_NOT_FOUND),
    ExpressionError."""
    return without_event(with_audience(readable, await _columns(conn, await get_audience(conn, audience_id))))


async def library_of(conn: Connection, content: Content) -> Library:
    """What a content may use, going by its deliveries: of columns, those that all their audiences have, and no event."""
    library = await fragments_of(conn, content)
    used = await store.audiences_of_content(conn, content.id, MOST_AUDIENCES)
    if not used:
        return library
    library = replace(library, readable=without_event(library.readable))
    try:
        found = [await _columns(conn, one) for one in await find_audiences(conn, used)]
    except (ExpressionError, Conflict):  # nobody can be asked for now, which is told where that matters
        return library
    return replace(library, readable=with_audience(library.readable, reduce(_of_both, found))) if found else library


async def find_brought(conn: Connection, audience_id: int) -> Mapping[str, Brought]:
    """The columns that the members of an audience bring along, by name. Raises as `bound`."""
    return brought_along(await open_audience(conn, await get_audience(conn, audience_id)))


async def check_columns(conn: Connection, content_id: int, audience: Audience) -> None:
    """Raises Invalid (UNKNOWN_COLUMN) where a content reads what the members of an audience do not bring along."""
    read = (await find_columns_read(conn, [content_id])).get(content_id)
    if not read:
        return
    entity = await _columns(conn, audience)
    unknown = [name for name in read if name not in entity.fields]
    if unknown:
        message, hint = no_column(unknown[0], entity)
        raise Invalid(f"{message}, which the content reads", code="UNKNOWN_COLUMN", path="content_id", hint=hint)


async def check_columns_kept(conn: Connection, audience: Audience, unsent: Mapping[int, str]) -> None:
    """That an audience still brings along what is read in deliveries to it: `unsent` are those, by id with their names.

    Raises Conflict (IN_USE) where the content of one of them reads a column that those whom it finds bring along no longer.
    """
    sends = await store.contents_of(conn, list(unsent))
    read = await find_columns_read(conn, set(sends.values()))
    if not read:
        return
    entity = await _columns(conn, audience)
    for delivery_id, content_id in sorted(sends.items()):
        gone = [name for name in read.get(content_id, ()) if name not in entity.fields]
        if gone:
            raise Conflict(
                f"the delivery {unsent[delivery_id]!r} needs the column {gone[0]!r}, which {entity.told} would lack",
                code="IN_USE", path="expression", hint="Keep those together with 'and' who are on the list that has it.",
            )  # fmt: skip


async def _columns(conn: Connection, audience: Audience) -> ReadableEntity:
    brought = brought_along(await open_audience(conn, audience))
    return columns_of({name: one.kind for name, one in brought.items()}, f"the audience {audience.name!r}")


def _of_both(one: ReadableEntity, other: ReadableEntity) -> ReadableEntity:
    """Where they are of different kinds, that of the first: of which kind a value is, only a preparation has to know."""
    return ReadableEntity(
        fields={name: found for name, found in one.fields.items() if name in other.fields}, told="one of its audiences"
    )
