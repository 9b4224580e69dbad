"""Which rows of a set the database has refused, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from core.datamodel.records import BuildKind, Key, Model
from core.datamodel.refusals import Refused, refusal
from core.datamodel.wanted import Wanted, wanted
from core.db import Connection
from core.errors import ClarionError, Conflict
from core.rows import store
from core.rows.reading import as_sent
from core.rows.shape import Column, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What is written of a row: a new one, or what changes of one that is there."""

    id: int | None
    values: Mapping[str, Any]
    before: Mapping[str, Any] | None = None

    def get(self, name: str) -> Any:
        """What the row has under this name afterwards."""
        if name in self.values or self.before is None:
            return self.values.get(name)
        return self.before[name]


async def refused_by(
    conn: Connection,
    model: Model,
    shape: Shape,
    error: Refused,
    writes: Mapping[int, Write],
    upserted: Key | None,
    place: Callable[[int], str],
) -> dict[int, ClarionError]:
    """The rows that a unique key keeps out, by their place. Those that an upsert is to find by the key are not among them: they
    are there now.

    Raises the refusal where it is of no single row, and an error that has nothing to do with a model.
    """
    found = await refusal(conn, error)
    index = _index(model, shape, error)
    if index is None or not isinstance(found, Conflict):
        raise found or error
    columns = _columns(shape, index)
    if len(columns) < len(index.columns):
        raise found  # it is made of our columns too, which are not known beforehand
    if upserted is not None and index.kind is BuildKind.KEY and set(upserted.fields) == {one.name for one in columns}:
        return {}
    rows = {n: (one.id, tuple(_stored(column, one) for column in columns)) for n, one in writes.items()}
    whole = {n: row for n, row in rows.items() if None not in row[1]}
    taken = await store.find_taken(conn, shape.table, columns, whole) if whole else set()
    first: dict[Sequence[Any], int] = {}
    for n, (_, values) in whole.items():
        if n not in taken and first.setdefault(values, n) != n:
            taken.add(n)
    return {n: _of_row(found, columns, place(n)) for n in taken}


def _index(model: Model, shape: Shape, error: Refused) -> Wanted | None:
    """The unique index that was violated."""
    if not isinstance(error, asyncpg.UniqueViolationError):
        return None
    return next((one for one in wanted(model) if one.object == error.constraint_name and one.table == shape.table), None)


def _columns(shape: Shape, index: Wanted) -> list[Column]:
    by_column = {one.column: one for one in shape.columns.values()}
    return [by_column[name] for name in index.columns if name in by_column]


def _stored(column: Column, write: Write) -> Any:
    return as_sent(column.field, write.get(column.name))


def _of_row(found: Conflict, columns: Sequence[Column], place: str) -> Conflict:
    name = f".{columns[0].name}" if len(columns) == 1 else ""
    return Conflict(found.message, code=found.code, path=f"{place}values{name}", hint=found.hint)
