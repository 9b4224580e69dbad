"""Columns that the members of a list get when it is made: values of expressions at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select

from core.db import Connection
from core.targeting.audiences import open_value
from core.targeting.catalogue import Kind
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.language import Expression
from core.targeting.linked import entity_table
from core.targeting.member_columns import check_columns, check_number
from core.targeting.objects import object_of, without_nulls
from core.targeting.records import MemberColumn
from core.targeting.sql import population, value


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedColumn:
    """A column and what its values are."""

    name: str
    label: str
    expression: Expression
    personal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedColumn:
    """The same, checked: the column as it is kept, and how its values are computed."""

    column: MemberColumn
    value: CheckedValue


async def open_columns(conn: Connection, columns: Sequence[ComputedColumn]) -> list[OpenedColumn]:
    """Raises ExpressionError, Invalid (TOO_MANY_COLUMNS, BAD_COLUMN, DUPLICATE_COLUMN, BAD_LABEL)."""
    check_number(len(columns))
    opened = []
    for one in columns:
        checked = await open_value(conn, one.expression)
        kind = Kind.TEXT if checked.kind in (Kind.ENUMERATION, Kind.UUID) else checked.kind
        column = MemberColumn(name=one.name, label=one.label, kind=kind, personal=one.personal)
        opened.append(OpenedColumn(column=column, value=checked))
    check_columns([one.column for one in opened])
    return opened


def enriched(
    checked: CheckedExpression, columns: Sequence[OpenedColumn], *, at: datetime, zone: ZoneInfo
) -> tuple[Select[Any], ColumnElement[Any] | None]:
    """A population, and beside each of its keys what its members bring along."""
    if not columns:
        return population(checked, at=at, zone=zone), None
    rows = entity_table(checked.entity).alias()
    base = population(checked, at=at, zone=zone).subquery()
    (base_key,) = base.c
    pairs = [(one.column.name, value(one.value, at=at, zone=zone, source=rows)) for one in columns]
    return select(rows.c[checked.entity.key]).where(rows.c[checked.entity.key] == base_key), without_nulls(object_of(pairs))
