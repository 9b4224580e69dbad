"""Some of the rows that a question finds, of whatever entity it is about, and what an expression computes on some."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import FromClause, Select, Text, case, cast, func, select

from core.db import Connection
from core.targeting import store
from core.targeting.audiences import PATIENCE, check_sample_size, too_slow
from core.targeting.catalogue import CatalogueField, Entity, Kind
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.compiled import Plan, Sql
from core.targeting.linked import entity_table
from core.targeting.plans import cheaper_of
from core.targeting.records import RowValue
from core.targeting.sql import Statement, compile_statement, predicate, present, value


async def sample_rows(
    conn: Connection, checked: CheckedExpression, *, size: int, at: datetime, zone: ZoneInfo, patience: float = PATIENCE
) -> list[dict[str, Any]]:
    """Objects of the entity's fields by their names, lowest keys first. Raises Invalid (BAD_SAMPLE_SIZE), LimitReached
    (QUESTION_TOO_SLOW)."""
    check_sample_size(size)
    entity = checked.entity
    rows = entity_table(entity)
    found = select(*(_shown(one, rows.c[one.column]).label(one.name) for one in _stored(entity)))
    found = found.where(present(entity)).order_by(rows.c[entity.key]).limit(size)
    statement = await _asking(conn, found, checked, rows, at, zone)
    try:
        return [_plain(row) for row in await store.fetch_rows(conn, statement, patience)]
    except TimeoutError:
        raise too_slow(patience) from None


async def sample_values(
    conn: Connection, checked: CheckedValue, where: CheckedExpression | None = None, *, size: int, at: datetime, zone: ZoneInfo,
    patience: float = PATIENCE,
) -> list[RowValue]:  # fmt: skip
    """What an expression computes on some rows, or on some of those that a question finds, lowest keys first.

    Raises as `sample_rows`.
    """
    check_sample_size(size)
    rows = entity_table(checked.entity)
    fields = _stored(checked.entity)
    computed = value(checked, at=at, zone=zone, source=rows)
    if checked.kind is Kind.DECIMAL:
        computed = func.trim_scale(computed)  # a product has the digits of both
    key = rows.c[checked.entity.key]
    shown = (_shown(one, rows.c[one.column]).label(f"f{number}") for number, one in enumerate(fields))
    found = select(key.label("key"), computed.label("value"), *shown).where(present(checked.entity))
    found = found.order_by(key).limit(size)
    statement = compile_statement(found) if where is None else await _asking(conn, found, where, rows, at, zone)
    try:
        return [_valued(row, fields) for row in await store.fetch_rows(conn, statement, patience)]
    except TimeoutError:
        raise too_slow(patience) from None


async def _asking(
    conn: Connection, found: Select[Any], where: CheckedExpression, rows: FromClause, at: datetime, zone: ZoneInfo
) -> Statement:
    """Of what is selected what a question finds, by the plan that costs less."""

    def by(plan: Plan) -> Statement:
        return compile_statement(found.where(predicate(where, at=at, zone=zone, source=rows, plan=plan)))

    return await cheaper_of(conn, where, by)


def _valued(row: Any, fields: Sequence[CatalogueField]) -> RowValue:
    key, found, *others = row.values()
    told = dict(zip((one.name for one in fields), others, strict=True))
    return RowValue(key=key, value=_json(found), row=_plain(told))


def _stored(entity: Entity) -> list[CatalogueField]:
    """The fields that are columns."""
    return [one for one in entity.fields.values() if one.derived is None]


def _shown(field: CatalogueField, column: Sql) -> Sql:
    """Enumerations by their names."""
    if not field.values or all(name == code for name, code in field.values.items()):
        return column
    return case(*((column == code, cast(name, Text())) for name, code in field.values.items()))


def _plain(row: Any) -> dict[str, Any]:
    """As JSON has it: times in ISO 8601, decimals as texts, places as two numbers."""
    return {name: _json(value) for name, value in row.items()}


def _json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
