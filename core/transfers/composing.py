"""Exports of any dimension whose columns are fields or expressions, one statement for each range of rows.

They stand here and not beside the plain exports of `core.profiles`, because a column is an expression of targeting; the runner,
the formats and the audit are those of plain exports, which are handed this source. All ranges see one snapshot: nothing but
the range is in memory, and a COPY that breaks off holds nobody up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Select, any_, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from core.authored import not_found
from core.db import Connection
from core.profiles.export_ranges import ExportSource, Fetched, Range, choose, next_chosen, next_of_all
from core.profiles.export_runner import known_fields, open_profiles
from core.profiles.fields import Field, FieldType
from core.profiles.run_records import ExportRun
from core.profiles.store import exports as profile_store
from core.profiles.team_fields import present_fields
from core.profiles.titles import told_apart
from core.runtime import Runtime
from core.targeting.audiences import get_audience
from core.targeting.catalogue import Catalogue, Entity, Kind
from core.targeting.check import CheckedExpression, CheckedValue, check, check_value
from core.targeting.compiled import Plan
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression
from core.targeting.language import Field as Named
from core.targeting.linked import entity_table
from core.targeting.plans import cheaper, cheaper_of, ranks_everybody
from core.targeting.published import present_catalogue
from core.targeting.references import find_references
from core.targeting.sql import Statement, compile_statement, population, predicate, present, value
from core.transfers.datasets import columns_of_sheet, find_sheet
from core.transfers.store import export_rows as store

_AFTER, _LAST, _CHOSEN = object(), object(), object()  # stand in a statement for what a range is
_TYPES: Mapping[Kind, FieldType] = MappingProxyType(
    {
        Kind.TEXT: FieldType.TEXT, Kind.INTEGER: FieldType.INTEGER, Kind.DECIMAL: FieldType.DECIMAL,
        Kind.BOOLEAN: FieldType.BOOLEAN, Kind.DATE: FieldType.DAY, Kind.INSTANT: FieldType.INSTANT,
        Kind.ENUMERATION: FieldType.TEXT, Kind.POINT: FieldType.POINT, Kind.UUID: FieldType.UUID,
        Kind.JSON: FieldType.JSON,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """What a row of an export is: an entity that questions know, and which of its columns go out as they are."""

    entity: Entity
    catalogue: Catalogue
    stored: Mapping[str, Field]  # columns of its table
    read: Mapping[str, Field]  # what a file of it may have when it comes back
    named: tuple[str, ...]  # what else it has: fields that only questions read

    @property
    def columns(self) -> tuple[str, ...]:
        """All that an export has where nobody chooses."""
        return (*self.stored, *self.named)


async def find_dimension(conn: Connection, name: str) -> Dimension:
    """Raises NotFound (DIMENSION_NOT_FOUND)."""
    catalogue = await present_catalogue(conn)
    entity = catalogue.entities.get(name)
    if entity is None:
        raise not_found("dimension", name[:80], "dimension")
    stored: Mapping[str, Field] = {}
    read: Mapping[str, Field] = {}
    if name == "profile":
        stored = read = (await present_fields(conn)).all
    elif entity.table == f"x_{name}":
        sheet = await find_sheet(conn, name, "dimension")
        stored, read = columns_of_sheet(sheet), sheet.fields.all
    named = tuple(one for one in entity.fields if one not in stored and name != "profile")
    return Dimension(entity=entity, catalogue=catalogue, stored=stored, read=read, named=named)


async def open_question(conn: Connection, dimension: Dimension, expression: Expression) -> CheckedExpression:
    """A question about rows of a dimension. Raises ExpressionError."""
    references = await find_references(conn, expression.root, dimension.catalogue)
    asked = Expression(root=references.root, text=expression.text)
    return check(asked, dimension.catalogue, entity=dimension.entity.name, audiences=references.audiences)


async def open_value(conn: Connection, dimension: Dimension, expression: Expression) -> CheckedValue:
    """An expression that computes a column. Raises ExpressionError."""
    references = await find_references(conn, expression.root, dimension.catalogue)
    asked = Expression(root=references.root, text=expression.text)
    return check_value(asked, dimension.catalogue, entity=dimension.entity.name, audiences=references.audiences)


async def open_source(conn: Connection, runtime: Runtime, run: ExportRun) -> ExportSource:
    """Where the rows of an export come from. Raises NotFound (DIMENSION_NOT_FOUND, AUDIENCE_NOT_FOUND), Conflict (FIELD_GONE),
    ExpressionError."""
    if run.dimension == "profile" and not run.computed:
        return await open_profiles(conn, runtime, run)
    dimension, now = await find_dimension(conn, run.dimension), runtime.clock()
    question = None
    if run.audience_id is not None:
        question = await open_question(conn, dimension, read_stored((await get_audience(conn, run.audience_id)).expression))
    elif run.expression is not None:
        question = await open_question(conn, dimension, read_stored(run.expression))
    computed = {name: one for name in run.columns if (one := await _computed(conn, dimension, run, name)) is not None}
    columns = [_column(dimension, run, name, f"c{number}", computed.get(name), now) for number, name in enumerate(run.columns)]
    fields = told_apart([one for one, _ in columns], dimension.read)
    columns = [(one, sql) for one, (_, sql) in zip(fields, columns, strict=True)]
    if not is_numbered(dimension.entity):
        return _Numbered(run, dimension, columns, question, now)
    source = _AtOnce if any(map(ranks_everybody, computed.values())) else _Ranges
    return source(run, dimension, columns, question, now)


def is_numbered(entity: Entity) -> bool:
    """Whether rows have a number of their own: that of a message or a subscription is one of what they belong to."""
    return entity.key not in {near for link in entity.links.values() if not link.many for near, _ in link.on}


async def _computed(conn: Connection, dimension: Dimension, run: ExportRun, name: str) -> CheckedValue | None:
    """What computes a column; None of one that goes out as it is. Raises ExpressionError."""
    if name in run.computed:
        return await open_value(conn, dimension, read_stored(run.computed[name]))
    if name in dimension.named:
        return await open_value(conn, dimension, Expression(root=Named((name,)), text=name))
    return None


def _column(
    dimension: Dimension, run: ExportRun, name: str, as_: str, checked: CheckedValue | None, now: datetime
) -> tuple[Field, ColumnElement[Any]]:
    """One column as the writer takes it, and its SQL. Raises Conflict (FIELD_GONE)."""
    if checked is None:
        (one,) = known_fields([name], dimension.stored)
        own: ColumnElement[Any] = literal_column(f"{dimension.entity.table}.{one.column}")
        return replace(one, stored_as=as_), own.label(as_)
    label = name if name in run.computed else dimension.entity.fields[name].label
    sql = value(checked, at=now, zone=ZoneInfo(run.time_zone), source=entity_table(dimension.entity))
    if checked.kind is Kind.DECIMAL:
        sql = func.trim_scale(sql)  # a product has the digits of both
    if checked.kind is Kind.JSON:
        sql = cast(sql, JSONB)  # which it is computed as the text of
    return Field(name=name, label=label, type=_TYPES[checked.kind], stored_as=as_), sql.label(as_)


class _Ranges:
    """Rows that have a number of their own."""

    shared = True

    def __init__(
        self, run: ExportRun, dimension: Dimension, columns: Sequence[tuple[Field, ColumnElement[Any]]],
        question: CheckedExpression | None, now: datetime,
    ):  # fmt: skip
        self.fields: Sequence[Field] = [one for one, _ in columns]
        self._options = run.options
        self._entity = dimension.entity
        self._question = question
        self._chosen: profile_store.Chosen | None = None
        self._now = now
        self._zone = ZoneInfo(run.time_zone)
        rows = entity_table(self._entity)
        self._key = rows.c[self._entity.key]
        after, last = bindparam("after", _AFTER, BigInteger()), bindparam("last", _LAST, BigInteger())
        statement = select(self._key.label("key"), *(sql for _, sql in columns)).select_from(rows).where(
            self._key > after, self._key <= last, present(self._entity)
        )  # fmt: skip
        if question is not None:
            chosen = bindparam("chosen", _CHOSEN, ARRAY(BigInteger()))
            statement = statement.where(self._key == any_(chosen))
        self._statement = compile_statement(statement)
        # Without it a computed cell would be computed again for each look at it.
        self._fence = " OFFSET 0" if run.computed else ""

    async def select(self, conn: Connection) -> int:
        """All rows, or those that the question finds."""
        if self._question is None:
            if self._entity.table == "profile":
                return await profile_store.count_all(conn)
            return await store.count(conn, self._entity.table)
        found = await cheaper(conn, self._question, _as_ids, at=self._now, zone=self._zone)
        self._chosen = await choose(conn, found.text, found.args)
        return self._chosen.total

    async def next_range(self, conn: Connection, after: int) -> Range | None:
        """By the rows' own numbers."""
        if self._chosen is not None:
            return await next_chosen(self._chosen, after)
        return await next_of_all(conn, self._entity.table, self._entity.key, after)

    async def fetch(self, conn: Connection, wanted: Range) -> Fetched:
        """In the order of their numbers."""
        meant = {id(_AFTER): wanted.after, id(_LAST): wanted.last, id(_CHOSEN): wanted.chosen}
        args = [meant.get(id(one), one) for one in self._statement.args]
        text = f"{self._statement.text}{self._fence}"
        return Fetched(*await profile_store.fetch_rows(conn, self.fields, self._options, text, args))


class _Kept:
    """Rows that are made at once, and kept until they are written."""

    shared = False  # they are in a table of the transaction that made them

    def __init__(self, run: ExportRun, columns: Sequence[tuple[Field, ColumnElement[Any]]]):
        self.fields: Sequence[Field] = [one for one, _ in columns]
        self._options = run.options

    async def next_range(self, conn: Connection, after: int) -> Range | None:
        """By their numbers."""
        return await next_of_all(conn, store.ROWS, "key", after)

    async def fetch(self, conn: Connection, wanted: Range) -> Fetched:
        """In their order."""
        found = await profile_store.fetch_rows(conn, self.fields, self._options, store.NUMBERED, (wanted.after, wanted.last))
        return Fetched(*found)


class _AtOnce(_Kept):
    """Rows that have a number of their own, of which a column says which one each is among all: all are put in order once,
    and not anew for each range."""

    def __init__(
        self, run: ExportRun, dimension: Dimension, columns: Sequence[tuple[Field, ColumnElement[Any]]],
        question: CheckedExpression | None, now: datetime,
    ):  # fmt: skip
        super().__init__(run, columns)
        self._question = question
        self._now = now
        self._zone = ZoneInfo(run.time_zone)
        rows = entity_table(dimension.entity)
        self._key = rows.c[dimension.entity.key]
        every = select(self._key.label("key"), *(sql for _, sql in columns)).select_from(rows)
        self._every = every.where(present(dimension.entity))

    async def select(self, conn: Connection) -> int:
        """Make them."""
        return await store.keep_rows(conn, await self._statement(conn))

    async def _statement(self, conn: Connection) -> Statement:
        if self._question is None:
            return compile_statement(self._every)
        question = self._question

        def by(plan: Plan) -> Statement:
            found = population(question, at=self._now, zone=self._zone, plan=plan)
            return compile_statement(self._every.where(self._key.in_(found)))

        return await cheaper_of(conn, question, by)


class _Numbered(_Kept):
    """Rows without one, as messages are: they are numbered in their order first."""

    def __init__(
        self, run: ExportRun, dimension: Dimension, columns: Sequence[tuple[Field, ColumnElement[Any]]],
        question: CheckedExpression | None, now: datetime,
    ):  # fmt: skip
        super().__init__(run, columns)
        entity, rows = dimension.entity, entity_table(dimension.entity)
        order = dict.fromkeys((entity.key, *(near for link in entity.links.values() for near, _ in link.on)))
        number = func.row_number().over(order_by=[rows.c[name] for name in order])
        self._every = select(number, *(sql for _, sql in columns)).select_from(rows)
        self._rows = rows
        self._question = question
        self._now = now
        self._zone = ZoneInfo(run.time_zone)

    async def select(self, conn: Connection) -> int:
        """Number them."""
        return await store.number_rows(conn, [one.type for one in self.fields], await self._statement(conn))

    async def _statement(self, conn: Connection) -> Statement:
        if self._question is None:
            return compile_statement(self._every)
        question = self._question

        def by(plan: Plan) -> Statement:
            holds = predicate(question, at=self._now, zone=self._zone, source=self._rows, plan=plan)
            return compile_statement(self._every.where(holds))

        return await cheaper_of(conn, question, by)


def _as_ids(keys: Select[Any]) -> Select[Any]:
    """A population with its one column called `id`."""
    found = keys.subquery()
    return select(found.c[0].label("id"))
