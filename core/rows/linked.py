"""Following links: the rows at the end of a way, for many rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.datamodel.present import present_model
from core.db import Connection
from core.rows import store
from core.rows.listing import as_published
from core.rows.records import LinkedPage
from core.rows.refusals import link_not_found
from core.rows.shape import shape_of, shapes_of
from core.rows.ways import Way, ways_of


async def find_way(conn: Connection, entity: str, link: str) -> Way:
    """A link of an entity, or a way back. Raises NotFound (DATASET_NOT_FOUND, LINK_NOT_FOUND)."""
    model = await present_model(conn)
    ways = ways_of(model).get(entity)
    if ways is None:
        shape_of(model, entity)
    if ways is None or link not in ways:
        raise link_not_found(entity, link, list(ways or ()))
    return ways[link]


async def list_linked(
    conn: Connection, entity: str, link: str, ids: Sequence[int], *, first: int, after: int | None = None
) -> dict[int, LinkedPage]:
    """The keys of the rows that rows are linked to, lowest first, by the row that one comes from: one statement, however many.
    What is linked to a profile that is merged is read as its survivor's; a merged profile at the end is its survivor.

    Raises NotFound (DATASET_NOT_FOUND, LINK_NOT_FOUND), Stale (MODEL_CHANGED).
    """
    way = await find_way(conn, entity, link)
    async with as_published():
        found = await store.find_linked(conn, way, ids, after, first + 1)
    return {key: LinkedPage(entity=way.entity, ids=ends[:first], has_next=len(ends) > first) for key, ends in found.items()}


async def get_team_values(conn: Connection, entity: str, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """What those of the rows of a table of ours that exist have in the team's fields and links, by id and name."""
    shape = shapes_of(await present_model(conn)).get(entity)
    if shape is None:
        return {key: {} for key in ids}
    async with as_published():
        rows = await store.find_team_values(conn, shape, ids)
    return {key: {one.name: row[one.column] for one in shape.columns.values()} for key, row in rows.items()}
