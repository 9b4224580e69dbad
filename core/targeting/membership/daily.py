"""What asks for the day of today, as far as the days can be told on which its answers change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor
from types import MappingProxyType
from typing import TypeAlias

from core.targeting.language import MAX_YEARS, Anchor, Call, Literal, Operand, Operator, Relative, Unit
from core.targeting.operators import MIRRORED

Comparison: TypeAlias = tuple[Operator, Operand, Operand]

_ANNIVERSARY = "anniversary_within"
_MONTHS_OLD: Mapping[str, int] = MappingProxyType({"years_old": 12, "months_old": 1, "days_old": 0})
_AGO: Mapping[str, Unit] = MappingProxyType({"months_ago": Unit.MONTHS, "days_ago": Unit.DAYS})
_MOST_MONTHS, _MOST_DAYS = 12 * MAX_YEARS, 365 * MAX_YEARS  # beyond, the calendar might not reach so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """A number of whole days (`months` is 0), or of spans of so many months, from a time until today, against numbers. `steps`
    are those that it reaches when an answer may change."""

    since: Operand
    months: int
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anniversary:
    """Whether the day of the year of a time comes round from so many days after today to so many."""

    of: Operand
    first: int
    last: int


def as_relative(node: Operand) -> Operand:
    """`days_ago(3)` as `today - 3 days`, which it is; anything else as it stands."""
    match node:
        case Call(function=name, arguments=(Literal(value=int(number)),)) if name in _AGO and _is_near(number, _AGO[name]):
            return Relative(Anchor.TODAY, ((_AGO[name], -number),))
        case _:
            return node


def comparisons_of(operator: Operator, operands: Sequence[Operand]) -> list[Comparison]:
    """What is compared with what: more than one pair for `between` and `in`, none where nothing is compared."""
    first, *others = operands
    match operator:
        case Operator.BETWEEN:
            return [(Operator.AT_LEAST, first, others[0]), (Operator.AT_MOST, first, others[1])]
        case Operator.IN:
            return [(Operator.EQUAL, first, other) for other in others]
        case _:
            return [(operator, first, other) for other in others if operator in MIRRORED]


def turns_of(operator: Operator) -> tuple[int, ...]:
    """When something that grows in steps turns such a comparison of it with a value: 0 as it reaches that, 1 a step later."""
    match operator:
        case Operator.AT_LEAST | Operator.LESS:
            return (0,)
        case Operator.GREATER | Operator.AT_MOST:
            return (1,)
        case _:
            return (0, 1)


def growing_of(compared: Sequence[Comparison]) -> Growing | None:
    """What grows with the days, and is compared with numbers alone; None where that is not what is compared."""
    turned = [
        (MIRRORED[sign], right, left) if isinstance(left, Literal) else (sign, left, right) for sign, left, right in compared
    ]
    calls = [one for _, one, _ in turned]
    call = calls[0] if calls else None
    if not isinstance(call, Call) or call.function not in _MONTHS_OLD or any(one is not call for one in calls):
        return None
    steps: set[int] = set()
    for sign, _, number in turned:
        if not isinstance(number, Literal) or not isinstance(number.value, int | Decimal):
            return None
        steps |= {floor(number.value) + 1 if later else ceil(number.value) for later in turns_of(sign)}
    months = _MONTHS_OLD[call.function]
    if any(abs(step) * max(months, 1) >= (_MOST_MONTHS if months else _MOST_DAYS) for step in steps):
        return None
    return Growing(since=call.arguments[0], months=months, steps=tuple(sorted(steps)))  # type: ignore[arg-type]  # as it was checked


def anniversary_of(node: Call) -> Anniversary | None:
    """What asks for an anniversary; None where that is not what is called, or the calendar might not reach so far."""
    if node.function != _ANNIVERSARY:
        return None
    time, *ends = node.arguments
    days = sorted(one.value for one in ends if isinstance(one, Literal) and isinstance(one.value, int))
    if len(days) != len(ends) or not all(_is_near(one, Unit.DAYS) for one in days):
        return None
    return Anniversary(of=time, first=days[0], last=days[1])  # type: ignore[arg-type]  # as it was checked


def _is_near(number: int, unit: Unit) -> bool:
    return abs(number) < (_MOST_MONTHS if unit is Unit.MONTHS else _MOST_DAYS)
