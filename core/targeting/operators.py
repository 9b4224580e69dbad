"""Each operator once: what it takes and its SQL. Rows of a table, no names known elsewhere; functions have a folder."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, func

from core.targeting.catalogue import Kind
from core.targeting.language import Measure, Operator

Sql: TypeAlias = ColumnElement[Any]

EVERY = frozenset(Kind) - {Kind.POINT, Kind.JSON}  # of these, their distance and what stands in them are compared
ORDERED = frozenset({Kind.TEXT, Kind.INTEGER, Kind.DECIMAL, Kind.DATE, Kind.INSTANT})
NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
TIMES = frozenset({Kind.DATE, Kind.INSTANT})
TEXTS = frozenset({Kind.TEXT})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRule:
    """The kinds its operands may have, and whether all but the first must be known before the query runs."""

    takes: frozenset[Kind]
    constants: bool = False


OPERATORS: Mapping[Operator, OperatorRule] = MappingProxyType(
    {
        Operator.EQUAL: OperatorRule(takes=EVERY),
        Operator.NOT_EQUAL: OperatorRule(takes=EVERY),
        Operator.LESS: OperatorRule(takes=ORDERED),
        Operator.AT_MOST: OperatorRule(takes=ORDERED),
        Operator.GREATER: OperatorRule(takes=ORDERED),
        Operator.AT_LEAST: OperatorRule(takes=ORDERED),
        Operator.BETWEEN: OperatorRule(takes=ORDERED),
        Operator.IN: OperatorRule(takes=ORDERED | {Kind.ENUMERATION, Kind.UUID}, constants=True),
        Operator.CONTAINS: OperatorRule(takes=TEXTS, constants=True),
        Operator.STARTS_WITH: OperatorRule(takes=TEXTS, constants=True),
        Operator.ENDS_WITH: OperatorRule(takes=TEXTS, constants=True),
        Operator.IS_NULL: OperatorRule(takes=frozenset(Kind)),
    }
)

COMPARATORS: Mapping[Operator, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        Operator.EQUAL: operator.eq,
        Operator.NOT_EQUAL: operator.ne,
        Operator.LESS: operator.lt,
        Operator.AT_MOST: operator.le,
        Operator.GREATER: operator.gt,
        Operator.AT_LEAST: operator.ge,
    }
)

MIRRORED: Mapping[Operator, Operator] = MappingProxyType(
    {
        Operator.EQUAL: Operator.EQUAL,
        Operator.NOT_EQUAL: Operator.NOT_EQUAL,
        Operator.LESS: Operator.GREATER,
        Operator.AT_MOST: Operator.AT_LEAST,
        Operator.GREATER: Operator.LESS,
        Operator.AT_LEAST: Operator.AT_MOST,
    }
)  # the same comparison with its sides exchanged

PATTERNS: Mapping[Operator, tuple[str, str]] = MappingProxyType(
    {
        Operator.CONTAINS: ("%", "%"),
        Operator.STARTS_WITH: ("", "%"),
        Operator.ENDS_WITH: ("%", ""),
    }
)  # what stands before and after the text in a LIKE pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRule:
    """What a measure of many rows takes and gives (None: what it takes), and what it is where there are no rows."""

    takes: frozenset[Kind]
    gives: Kind | None = None
    build: Callable[[Any], Sql] | None = None  # None: it is the value of one row
    nothing: int | None = None
    ordered: bool = False


MEASURES: Mapping[Measure, MeasureRule] = MappingProxyType(
    {
        Measure.COUNT: MeasureRule(takes=EVERY, gives=Kind.INTEGER, build=func.count, nothing=0),
        Measure.SUM: MeasureRule(takes=NUMBERS, gives=Kind.DECIMAL, build=func.sum, nothing=0),
        Measure.MIN: MeasureRule(takes=ORDERED, build=func.min),
        Measure.MAX: MeasureRule(takes=ORDERED, build=func.max),
        Measure.AVG: MeasureRule(takes=NUMBERS, gives=Kind.DECIMAL, build=func.avg),
        Measure.FIRST: MeasureRule(takes=EVERY, ordered=True),
        Measure.LAST: MeasureRule(takes=EVERY, ordered=True),
        Measure.JOIN: MeasureRule(takes=TEXTS, gives=Kind.TEXT, build=func.string_agg, ordered=True),
    }
)
