"""Pages by keyset: the statement of a page in the order of a field, and the cursors of its rows. Pure.

Orders are those of an index of Postgres, which can be read from either end: rows without a value come last or, descending,
first.
What follows a row that has a value and what has none are two parts, so that an index serves each.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Date,
    Numeric,
    Select,
    TableClause,
    Text,
    bindparam,
    column,
    select,
    table,
    tuple_,
    union_all,
)
from sqlalchemy.types import TypeEngine

from core.datamodel.records import FieldKind
from core.errors import Invalid
from core.recent import Recent
from core.rows.records import Direction, Order
from core.rows.shape import Shape
from core.targeting.check import CheckedExpression
from core.targeting.compiled import Predicate, Sql
from core.targeting.linked import entity_table
from core.targeting.sql import Statement, compile_statement, predicate

Key = tuple[Any, Any]  # a value and a number

_HOUSE: Mapping[str, FieldKind] = MappingProxyType(
    {"id": FieldKind.INTEGER, "created_at": FieldKind.INSTANT, "updated_at": FieldKind.INSTANT}
)
_TYPES: Mapping[FieldKind, TypeEngine[Any]] = MappingProxyType(
    {
        FieldKind.TEXT: Text(),
        FieldKind.ENUMERATION: Text(),
        FieldKind.CREATED_BY: Text(),
        FieldKind.CHANGED_BY: Text(),
        FieldKind.INTEGER: BigInteger(),
        FieldKind.DECIMAL: Numeric(),
        FieldKind.BOOLEAN: Boolean(),
        FieldKind.DATE: Date(),
        FieldKind.INSTANT: TIMESTAMP(timezone=True),
    }
)


ORDERED = frozenset(_TYPES)  # kinds of fields by which rows can be in order


class Listed(Protocol):
    """What is read of each row of a table, by identity: statements are kept of it."""

    @property
    def table(self) -> str:
        """The table."""

    @property
    def selected(self) -> tuple[str, ...]:
        """Its columns that are read."""

    @property
    def living(self) -> str | None:
        """A column that is empty in the rows that count; None where all do."""


class _Given(Enum):
    """What stands in a statement that is kept for the arguments that each page gives."""

    VALUE = "value"
    NUMBER = "number"
    LIMIT = "limit"


_MOST_KEPT = 500
_KEPT: Recent[tuple[int, Order, bool, bool], tuple[Listed, Statement]] = Recent(_MOST_KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """A column by which rows can be in order."""

    column: str
    kind: FieldKind
    nullable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """By what rows are in order."""

    order: Order
    column: str
    kind: FieldKind
    nullable: bool

    @property
    def ascending(self) -> bool:
        """Whether the least come first."""
        return self.order.direction is Direction.ASCENDING

    def cursor(self, value: Any, number: int) -> str:
        """The cursor of a row."""
        told = value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, Decimal | float) else value
        key = [self.order.field, self.order.direction.value, told, number]
        return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")

    def read_cursor(self, text: str) -> Key:
        """Raises Invalid (BAD_CURSOR), also for a cursor of another order."""
        try:
            raw = base64.urlsafe_b64decode((text + "=" * (-len(text) % 4)).encode("ascii"))
            field, direction, told, number = msgspec.json.decode(raw, type=tuple[str, str, str | int | bool | None, int])
            if (field, direction) == (self.order.field, self.order.direction) and abs(number) < 2**63:
                return self._value(told), number
        except (ValueError, binascii.Error, UnicodeError, msgspec.DecodeError, InvalidOperation, TypeError):
            pass
        raise Invalid(
            "this is not a cursor of this order", code="BAD_CURSOR", path="after", hint="Pass an `endCursor` as it came."
        )

    def _value(self, told: str | int | bool | None) -> Any:
        """Raises ValueError, TypeError, InvalidOperation."""
        if told is None:
            if not self.nullable:
                raise ValueError
            return None
        match self.kind:
            case FieldKind.DECIMAL:
                value = Decimal(str(told))
                if not value.is_finite():
                    raise ValueError
                return value
            case FieldKind.DATE:
                return date.fromisoformat(str(told))
            case FieldKind.INSTANT:
                return datetime.fromisoformat(str(told)).astimezone(UTC)
        wanted = {FieldKind.INTEGER: int, FieldKind.BOOLEAN: bool}.get(self.kind, str)
        if type(told) is not wanted or (isinstance(told, str) and "\x00" in told):
            raise ValueError
        return told


def key_of(shape: Shape, order: Order) -> SortKey:
    """Of rows of a dataset. Raises Invalid (UNKNOWN_FIELD)."""
    house = {name: Sorted(column=name, kind=kind, nullable=False) for name, kind in _HOUSE.items()}
    return sort_key(order, house | sorted_fields(shape), f"rows of {shape.entity.name}")


def sorted_fields(shape: Shape) -> dict[str, Sorted]:
    """The fields of a team's by which rows can be in order."""
    return {
        name: Sorted(column=one.column, kind=one.field.kind, nullable=True)
        for name, one in shape.columns.items()
        if one.field is not None and one.field.kind in ORDERED
    }


def sort_key(order: Order, orders: Mapping[str, Sorted], rows: str) -> SortKey:
    """One of these orders. Raises Invalid (UNKNOWN_FIELD)."""
    found = orders.get(order.field)
    if found is None:
        near = get_close_matches(order.field[:80], orders, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(list(orders)[:33])}."
        raise Invalid(
            f"{rows} have no order by {order.field[:80]!r}", code="UNKNOWN_FIELD", path="orderBy.field", hint=hint
        )  # fmt: skip
    return SortKey(order=order, column=found.column, kind=found.kind, nullable=found.nullable)


def page_statement(
    listed: Listed,
    key: SortKey,
    where: CheckedExpression | None,
    limit: int,
    after: Key | None,
    *,
    at: datetime,
    zone: ZoneInfo,
) -> Statement:
    """The rows of a page, which starts after a key. Without a question the text is made once for all pages of an order."""
    if where is not None:
        rows = _table(listed, where)
        return _built(listed, key, rows, [predicate(where, at=at, zone=zone, source=rows)], limit, after)
    of_nothing = after is not None and after[0] is None
    known = id(listed), key.order, after is None, of_nothing
    made = _KEPT.get(known)
    if made is None:
        start = None if after is None else (None if of_nothing else _Given.VALUE, _Given.NUMBER)
        made = _KEPT.keep(known, (listed, _built(listed, key, _table(listed, None), [], _Given.LIMIT, start)))
    text, args = made[1].text, made[1].args
    given = {_Given.LIMIT: limit, _Given.VALUE: after and after[0], _Given.NUMBER: after and after[1]}
    return Statement(text=text, args=tuple(given[one] for one in args))


def _built(
    listed: Listed, key: SortKey, rows: TableClause, tests: Sequence[Predicate], limit: int | _Given, after: Key | None
) -> Statement:  # fmt: skip
    living = [] if listed.living is None else [rows.c[listed.living].is_(None)]
    found = select(*(rows.c[name] for name in listed.selected)).where(*living, *tests)
    most = bindparam(None, limit, BigInteger())
    parts = [_ordered(part, rows, key).limit(most) for part in _parts(found, rows, key, after)]
    if len(parts) == 1:
        return compile_statement(parts[0])
    together = union_all(*(part.subquery().select() for part in parts)).subquery()
    return compile_statement(_ordered(select(together), together, key).limit(most))


def _table(listed: Listed, where: CheckedExpression | None) -> TableClause:
    """With all columns that are selected or asked about."""
    living = [] if listed.living is None else [listed.living]
    asked = [] if where is None else [one.name for one in entity_table(where.entity).c]
    return table(listed.table, *(column(name) for name in dict.fromkeys([*listed.selected, *living, *asked])))


def _ordered(found: Select[Any], rows: Any, key: SortKey) -> Select[Any]:
    value, number = rows.c[key.column], rows.c.id
    if key.column == "id":
        return found.order_by(number if key.ascending else number.desc())
    return found.order_by(value, number) if key.ascending else found.order_by(value.desc(), number.desc())


def _parts(found: Select[Any], rows: TableClause, key: SortKey, after: Key | None) -> list[Select[Any]]:
    """What follows a key, in the order of the parts."""
    if after is None:
        return [found]
    value, number = after
    held, ids = rows.c[key.column], rows.c.id
    if key.column == "id":
        return [found.where(_beyond(key, ids, _bound(FieldKind.INTEGER, number)))]
    if value is None:
        rest = found.where(held.is_(None), _beyond(key, ids, _bound(FieldKind.INTEGER, number)))
        return [rest] if key.ascending else [rest, found.where(held.is_not(None))]
    same = tuple_(_bound(key.kind, value), _bound(FieldKind.INTEGER, number))
    rest = found.where(_beyond(key, tuple_(held, ids), same))
    return [rest, found.where(held.is_(None))] if key.ascending and key.nullable else [rest]


def _beyond(key: SortKey, one: Any, other: Any) -> Any:
    return one > other if key.ascending else one < other


def _bound(kind: FieldKind, value: Any) -> Sql:
    return bindparam(None, value, _TYPES[kind])
