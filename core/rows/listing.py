"""Reading rows: one, several, and pages of those that a question finds, in the order of a field."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg

from core.datamodel.present import present_model
from core.db import Connection
from core.errors import ClarionError, LimitReached, Stale
from core.rows import pages, store
from core.rows.records import Order, Reference, Row, RowPage
from core.rows.shape import Shape, shape_of, shapes_of
from core.rows.targets import Finder, Spoken
from core.targeting import audiences
from core.targeting.check import CheckedExpression, check
from core.targeting.language import Expression
from core.targeting.published import present_catalogue
from core.targeting.references import find_references

BY_ID = Order()


@asynccontextmanager
async def as_published() -> AsyncIterator[None]:
    """Reads what is published within. Raises Stale (MODEL_CHANGED) where a column or table was dropped meanwhile."""
    try:
        yield
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError):
        raise Stale(
            "the data model changed meanwhile", code="MODEL_CHANGED", hint="Read dataModel again, and repeat the question."
        ) from None


async def find_row(conn: Connection, dataset: str, reference: Reference, path: str = "row") -> Row | None:
    """A row by its id or one of its unique keys. Raises NotFound (DATASET_NOT_FOUND), Invalid (BAD_ID, UNKNOWN_KEY, …)."""
    model = await present_model(conn)
    shape, finder = shape_of(model, dataset), Finder(conn, model)
    wanted = await finder.read(Spoken(dataset, reference, path))
    async with as_published():
        found = (await finder.look_up(dataset, [wanted])).get(wanted)
        if found is None or isinstance(found, ClarionError):
            return None
        rows = await store.find_rows(conn, shape, [found])
    return shape.row(rows[0]) if rows else None


async def get_rows(conn: Connection, dataset: str, ids: Sequence[int]) -> dict[int, Row]:
    """Those of the rows that there are, by id; none of a dataset that is not published."""
    shape = _shape(shapes_of(await present_model(conn)), dataset)
    if shape is None:
        return {}
    async with as_published():
        return {found["id"]: shape.row(found) for found in await store.find_rows(conn, shape, ids)}


def _shape(shapes: Mapping[str, Shape], dataset: str) -> Shape | None:
    shape = shapes.get(dataset)
    return None if shape is None or shape.entity.built_in else shape


async def open_question(conn: Connection, dataset: str, expression: Expression) -> CheckedExpression:
    """A question about rows of a dataset, checked. Raises NotFound (DATASET_NOT_FOUND), ExpressionError."""
    shape_of(await present_model(conn), dataset)
    catalogue = await present_catalogue(conn)
    references = await find_references(conn, expression.root, catalogue)
    asked = Expression(root=references.root, text=expression.text)
    return check(asked, catalogue, entity=dataset, audiences=references.audiences)


async def list_rows(
    conn: Connection,
    dataset: str,
    *,
    where: CheckedExpression | None = None,
    order: Order = BY_ID,
    first: int,
    after: str | None = None,
    at: datetime,
    zone: ZoneInfo,
    patience: float = audiences.PATIENCE,
) -> RowPage:
    """A page of the rows for which a question holds; all of them without one.

    Raises NotFound (DATASET_NOT_FOUND), Invalid (UNKNOWN_FIELD: rows have no such order; BAD_CURSOR), LimitReached
    (QUESTION_TOO_SLOW), Stale (MODEL_CHANGED).
    """
    shape = shape_of(await present_model(conn), dataset)
    key = pages.key_of(shape, order)
    started = None if after is None else key.read_cursor(after)
    statement = pages.page_statement(shape, key, where, first + 1, started, at=at, zone=zone)
    async with as_published(), patient(patience):
        found = await store.fetch(conn, statement, patience)
    rows = [shape.row(one) for one in found[:first]]
    cursors = [key.cursor(one[key.column], one["id"]) for one in found[:first]]
    return RowPage(rows=rows, cursors=cursors, has_next=len(found) > first)


async def count_rows(
    conn: Connection, dataset: str, where: CheckedExpression | None = None, *, at: datetime, zone: ZoneInfo
) -> int:
    """How many there are. Raises NotFound (DATASET_NOT_FOUND), LimitReached (QUESTION_TOO_SLOW), Stale (MODEL_CHANGED)."""
    async with as_published(), patient(audiences.PATIENCE):
        if where is not None:
            return await audiences.count(conn, where, at=at, zone=zone)
        shape = shape_of(await present_model(conn), dataset)
        return await store.count_rows(conn, shape.table, audiences.PATIENCE)


@asynccontextmanager
async def patient(seconds: float) -> AsyncIterator[None]:
    """Raises LimitReached (QUESTION_TOO_SLOW) where what is within was given up."""
    try:
        yield
    except TimeoutError:
        raise LimitReached(
            f"the question takes longer than {seconds:g} seconds", code="QUESTION_TOO_SLOW",
            hint="Narrow it down, order by an indexed field, or publish an index of what is asked.",
        ) from None  # fmt: skip
