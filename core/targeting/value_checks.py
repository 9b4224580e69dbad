"""What is wrong with single values and kinds, and how errors speak of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from core.targeting.catalogue import CatalogueField, Kind
from core.targeting.errors import BAD_VALUE, TOO_LARGE, WRONG_TYPE, ExpressionError, closest, shown
from core.targeting.functions import common
from core.targeting.language import (
    MAX_YEARS,
    Aggregate,
    Anchor,
    Call,
    Case,
    Condition,
    Field,
    Literal,
    Place,
    Rank,
    Relative,
    Unit,
)
from core.targeting.literals import day_of, integer_of
from core.targeting.text_form import literal_text

DAYS = {Unit.YEARS: 366.0, Unit.MONTHS: 31.0, Unit.WEEKS: 7.0, Unit.DAYS: 1.0}
DAYS |= {Unit.HOURS: 1 / 24, Unit.MINUTES: 1 / 1440, Unit.SECONDS: 1 / 86400}


def kind_of_literal(literal: Literal) -> Kind:
    """What a written value is."""
    match literal.value:
        case bool():
            return Kind.BOOLEAN
        case int():
            return Kind.INTEGER
        case Decimal():
            return Kind.DECIMAL
        case str():
            return Kind.TEXT
        case datetime():
            return Kind.INSTANT
        case _:
            return Kind.DATE


def is_written(node: Condition) -> bool:
    """A value that is known before the question runs: written down, also as `exactly('…')`."""
    if isinstance(node, Call):
        return node.function in ("exactly", "accented") and all(isinstance(one, Literal) for one in node.arguments)
    return isinstance(node, Literal | Relative)


def check_common(what: str, kinds: Sequence[Kind], last: Condition) -> None:
    """The last of the kinds goes with those before it."""
    if common(kinds) is None:
        raise ExpressionError(
            f"{what} cannot mix {a(kinds[-1])} with {a(kinds[0])}", code=WRONG_TYPE, place=last.place,
            found=described(last, kinds[-1]), expected=a(kinds[0]), suggestion=rewritten(last, kinds[0]),
        )  # fmt: skip


def check_name_of_value(field: CatalogueField, literal: Literal) -> None:
    if literal.value not in field.values:
        raise ExpressionError(
            f"{field.name} has no value {shown(literal.value)}", code=BAD_VALUE, place=literal.place,
            found=shown(literal.value), expected="one of " + ", ".join(map(shown, field.values)),
            suggestion=closest(str(literal.value), field.values),
        )  # fmt: skip


def check_relative(node: Relative) -> Kind:
    if sum(abs(amount) * DAYS[unit] for unit, amount in node.offsets) > MAX_YEARS * 366:
        raise too_large("a relative time reaches too far", node.place, "a longer time", MAX_YEARS, "years")
    if node.anchor is Anchor.NOW:
        return Kind.INSTANT
    for unit, _ in node.offsets:
        if unit in (Unit.HOURS, Unit.MINUTES, Unit.SECONDS):
            raise ExpressionError(
                f"a day has no {unit.value}", code=WRONG_TYPE, place=node.place, found=unit.value,
                expected="years, months, weeks or days after today", suggestion="now",
            )  # fmt: skip
    return Kind.DATE


def too_large(message: str, place: Place, found: str, most: int, unit: str = "") -> ExpressionError:
    return ExpressionError(message, code=TOO_LARGE, place=place, found=found, expected=f"at most {most} {unit}".strip())


def rewritten(operand: Condition, kind: Kind) -> str | None:
    """The same value written so that it has the kind wanted."""
    if not isinstance(operand, Literal):
        return None
    value = operand.value
    if kind is Kind.TEXT and not isinstance(value, str):
        return f"'{literal_text(value)}'"
    readers: dict[Kind, Callable[[str, Place], Literal]] = {
        Kind.INTEGER: integer_of,
        Kind.DATE: day_of,
        Kind.INSTANT: day_of,
    }
    if isinstance(value, str) and kind in readers:
        try:
            return literal_text(readers[kind](value, operand.place).value) + " without quotes"
        except (ExpressionError, ValueError):
            return None
    if kind is Kind.BOOLEAN and value in ("true", "yes", "1", 1, "false", "no", "0", 0):
        return "true" if value in ("true", "yes", "1", 1) else "false"
    return None


def described(operand: Condition, kind: Kind) -> str:
    return shown(operand.value) if isinstance(operand, Literal) and isinstance(operand.value, str) else a(kind)


def named(node: Condition) -> str:
    match node:
        case Field():
            return "a field"
        case Call():
            return "a function"
        case Case():
            return "a case"
        case Aggregate():
            return "an aggregate"
        case Rank():
            return "a rank"
        case Relative():
            return "a relative time"
        case _:
            return "a condition"


def a(kind: Kind) -> str:
    return ("an " if kind.value[0] in "aeiou" else "a ") + kind.value
