"""What asks for the day of today, as far as the days can be told on which its answers change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from types import MappingProxyType

from core.targeting.language import MAX_YEARS, Anchor, Call, Literal, Operand, Relative, Unit

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


def growing_of(operands: Sequence[Operand]) -> Growing | None:
    """What grows with the days in a comparison with numbers alone; None where that is not what is compared."""
    calls = [one for one in operands if isinstance(one, Call) and one.function in _MONTHS_OLD]
    numbers = [one.value for one in operands if isinstance(one, Literal) and isinstance(one.value, int | Decimal)]
    if len(calls) != 1 or len(numbers) != len(operands) - 1:
        return None
    (call,) = calls
    months = _MONTHS_OLD[call.function]
    steps = tuple(sorted({step for number in numbers for step in (floor(number), floor(number) + 1)}))
    if any(abs(step) * max(months, 1) >= (_MOST_MONTHS if months else _MOST_DAYS) for step in steps):
        return None
    return Growing(since=call.arguments[0], months=months, steps=steps)  # type: ignore[arg-type]  # as it was checked


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
