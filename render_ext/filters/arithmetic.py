"""Filters that calculate: whole numbers stay whole, floats stay floats, exact decimals stay exact.

Between a float and anything but a Decimal, the sum is that of the decimal numbers as they are written, as in Ruby.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, DecimalException
from typing import Any, Final

from render_ext.errors import FilterError
from render_ext.values import MOST_PLACES, MOST_PRECISION, bounded, check_whole, to_number, whole_number

Number = int | float | Decimal
EXACT: Final = Context(prec=MOST_PRECISION)  # enough for sums and products of whole numbers that are let in


def _result(number: int | Decimal, *inputs: Any) -> Number:
    if isinstance(number, Decimal) and not any(isinstance(value, Decimal) for value in inputs):
        return float(number)
    return bounded(number)


def _calculated(operation: Callable[..., Any], *inputs: Any) -> Number:
    try:
        return _result(operation(*[to_number(value) for value in inputs]), *inputs)
    except DecimalException as error:
        raise FilterError(f"this cannot be calculated ({type(error).__name__})") from None


def _exactly(whole: Callable[[int, int], int], exact: Callable[[Any, Any], Decimal]) -> Callable[[Any, Any], Any]:
    """An operation on two numbers: on whole ones, and on others."""

    def operation(a: int | Decimal, b: int | Decimal) -> int | Decimal:
        return whole(a, b) if isinstance(a, int) and isinstance(b, int) else exact(a, b)

    return operation


_sum = _exactly(lambda a, b: a + b, EXACT.add)
_difference = _exactly(lambda a, b: a - b, EXACT.subtract)
_product = _exactly(lambda a, b: a * b, EXACT.multiply)
_quotient = _exactly(lambda a, b: a // b, lambda a, b: Decimal(a) / Decimal(b))


def plus(value: Any, operand: Any) -> Number:
    """Sum."""
    return _calculated(_sum, value, operand)


def minus(value: Any, operand: Any) -> Number:
    """Difference."""
    return _calculated(_difference, value, operand)


def times(value: Any, operand: Any) -> Number:
    """Product."""
    return _calculated(_product, value, operand)


def divided_by(value: Any, operand: Any) -> Number:
    """Quotient, rounded down between whole numbers. Raises FilterError for a division by 0."""
    _refuse_zero(operand)
    return _calculated(_quotient, value, operand)


def modulo(value: Any, operand: Any) -> Number:
    """What a division leaves, with the sign of the divisor. Raises FilterError for a division by 0."""
    _refuse_zero(operand)
    return _calculated(_rest, value, operand)


def _refuse_zero(operand: Any) -> None:
    if to_number(operand) == 0:
        raise FilterError("divided by 0")


def _remainder(a: int | Decimal, b: int | Decimal) -> Decimal:
    rest = EXACT.remainder(a, b)
    if not rest:
        return rest.copy_abs()
    return EXACT.add(rest, b) if rest.is_signed() != (b < 0) else rest


_rest = _exactly(lambda a, b: a % b, _remainder)


def total(numbers: list[Any]) -> Number:
    """The sum of what values count as."""
    try:
        found: int | Decimal = 0
        for number in numbers:
            found = _sum(found, to_number(number))
        return _result(found, *numbers)
    except DecimalException as error:
        raise FilterError(f"this cannot be calculated ({type(error).__name__})") from None


def abs_(value: Any) -> Number:
    """Without its sign."""
    return _calculated(lambda a: abs(a) if isinstance(a, int) else a.copy_abs(), value)


def at_least(value: Any, least: Any) -> Number:
    """The value, or `least` if that is more."""
    return _calculated(lambda a, b: b if b > a else a, value, least)


def at_most(value: Any, most: Any) -> Number:
    """The value, or `most` if that is less."""
    return _calculated(lambda a, b: b if b < a else a, value, most)


# ---- rounding ------------------------------------------------------------------------------------


def ceil(value: Any) -> int:
    """The next whole number above."""
    return _whole(to_number(value), ROUND_CEILING)


def floor(value: Any) -> int:
    """The next whole number below."""
    return _whole(to_number(value), ROUND_FLOOR)


def round_(value: Any, places: Any = 0) -> Number:
    """Rounded to so many decimal places, halves away from 0; with a negative number of them to tens, hundreds…"""
    number, wanted = to_number(value), _whole(to_number(places), None)
    if wanted > 0:
        return _result(rounded(number, wanted), value)
    return _whole(number, ROUND_HALF_UP, wanted)


def rounded(number: int | Decimal, places: int) -> int | Decimal:
    """A number with at most so many decimal places, halves rounded away from 0."""
    if isinstance(number, int) or not number.is_finite() or number.as_tuple().exponent >= -places:  # type: ignore[operator]
        return number
    return number.quantize(Decimal((0, (1,), -places)), ROUND_HALF_UP, EXACT)


def _whole(number: int | Decimal, rounding: str | None, places: int = 0) -> int:
    """A whole number, rounded at a place left of the point; without a rounding the digits after it are cut off."""
    if rounding is None or (isinstance(number, int) and places == 0):
        return whole_number(number)
    exact = Decimal(number)
    check_whole(exact)
    if -places > MOST_PLACES:
        return 0
    return int(exact.quantize(Decimal((0, (1,), -places)), rounding, EXACT))
