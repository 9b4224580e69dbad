"""Functions of numbers, all computed exactly. `+`, `-`, `*`, `/` and `%` are spellings of five of them."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Numeric, case, cast, func

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import DIGITS, bigint, bounded, raw
from core.targeting.functions.signature import (
    INTEGERS,
    NUMBERS,
    Argument,
    Asking,
    Family,
    Function,
    Nulls,
    Parameter,
    Sql,
)
from core.targeting.language import Scalar

_BITS = range(63)


def _refuse_digits(value: Scalar) -> str | None:
    return None if isinstance(value, int) and 0 <= value <= DIGITS else f"a whole number from 0 to {DIGITS}"


def _refuse_bit(value: Scalar) -> str | None:
    return None if isinstance(value, int) and value in _BITS else "a whole number from 0 to 62"


_X = Parameter(name="x", takes=NUMBERS, group="T")
_Y = Parameter(name="y", takes=NUMBERS, group="T")
_ANY = Parameter(name="x", takes=NUMBERS)
_PLACES = Parameter(name="digits", takes=INTEGERS, constant=True, refuse=_refuse_digits)
_FLAGS = Parameter(name="x", takes=INTEGERS)
_BIT = Parameter(name="bit", takes=INTEGERS, constant=True, refuse=_refuse_bit)
_of_number = partial(Function, family=Family.NUMBERS)


def _digits(digits: int) -> Sql:
    return raw(str(digits))


def _sum(apply: Any, asking: Asking, one: Argument, other: Argument) -> Sql:
    found: Sql = apply(one.sql, other.sql)
    return found


def _multiply(asking: Asking, one: Argument, other: Argument) -> Sql:
    product = one.sql * other.sql
    if Kind.DECIMAL in (one.kind, other.kind):
        product = func.round(product, _digits(DIGITS), type_=Numeric())
    return bounded(product)


def _quotient(one: Sql, other: Sql) -> Sql:
    """Rounded to our digits: Postgres gives as many as the dividend shows, and those of small quotients."""
    shown = func.round(one, _digits(DIGITS), type_=Numeric())
    return bounded(func.round(shown / func.nullif(other, raw("0"), type_=Numeric()), _digits(DIGITS), type_=Numeric()))


def _divide(asking: Asking, one: Argument, other: Argument) -> Sql:
    return _quotient(one.sql, other.sql)


def _percent(asking: Asking, part: Argument, all_of_it: Argument) -> Sql:
    return _quotient(part.sql * raw("100"), all_of_it.sql)


def _mod(asking: Asking, one: Argument, other: Argument) -> Sql:
    return func.mod(one.sql, func.nullif(other.sql, raw("0"), type_=Numeric()), type_=Numeric())


def _plain(name: str, asking: Asking, *numbers: Argument) -> Sql:
    found: Sql = getattr(func, name)(*(number.sql for number in numbers), type_=Numeric())
    return found


def _to_digits(name: str, asking: Asking, number: Argument, digits: Argument | None = None) -> Sql:
    found: Sql = getattr(func, name)(number.sql, _digits(int(str(digits.constant)) if digits else 0), type_=Numeric())
    return found


def _has_bit(asking: Asking, number: Argument, bit: Argument) -> Sql:
    return bigint(number.sql).op("&")(_mask(bit)) != raw("0")


def _set_bit(asking: Asking, number: Argument, bit: Argument) -> Sql:
    return cast(bigint(number.sql).op("|")(_mask(bit)), Numeric())


def _clear_bit(asking: Asking, number: Argument, bit: Argument) -> Sql:
    return cast(bigint(number.sql).op("&")(raw(f"({~(1 << int(str(bit.constant)))})::bigint", BigInteger())), Numeric())


def _mask(bit: Argument) -> Sql:
    return raw(f"{1 << int(str(bit.constant))}::bigint", BigInteger())


def _between(asking: Asking, number: Argument, low: Argument, high: Argument) -> Sql:
    """Held between two bounds; `greatest` and `least` alone would take a bound for a number that is not there."""
    held = func.least(func.greatest(number.sql, low.sql), high.sql, type_=Numeric())
    nothing = number.sql.is_(None) | low.sql.is_(None) | high.sql.is_(None)
    return case((nothing, None), else_=held)


def _rounding(name: str, label: str, formerly: tuple[str, ...]) -> Function:
    return _of_number(
        name=name, parameters=(_ANY,), gives=Kind.INTEGER, build=partial(_plain, name), label=label,
        example=f"{name}(latitude) = 48", formerly=formerly,
    )  # fmt: skip


NUMBERS_FAMILY = (
    _of_number(
        name="add", parameters=(_X, _Y), gives="T", build=partial(_sum, operator.add), label="the sum, `x + y`",
        example="age + 1 > 18",
    ),
    _of_number(
        name="subtract", parameters=(_X, _Y), gives="T", build=partial(_sum, operator.sub), label="the difference, `x - y`",
        example="latitude - 1.5 > 40",
    ),
    _of_number(
        name="multiply", parameters=(_X, _Y), gives="T", build=_multiply, label="the product, `x * y`",
        example="age * 2 < 100", nulls=Nulls.PARTIAL,
    ),
    _of_number(
        name="divide", parameters=(_ANY, Parameter(name="y", takes=NUMBERS)), gives=Kind.DECIMAL, build=_divide,
        label="the quotient, `x / y`, a decimal; by zero there is none", example="age / 2 > 20.5", nulls=Nulls.PARTIAL,
    ),
    _of_number(
        name="mod", parameters=(_X, _Y), gives="T", build=_mod, formerly=("Mod",), nulls=Nulls.PARTIAL,
        label="what is left of a division, `x % y`, with the sign of x; by zero there is none", example="id % 2 = 0",
    ),
    _of_number(
        name="percent", parameters=(Parameter(name="part", takes=NUMBERS), Parameter(name="whole", takes=NUMBERS)),
        gives=Kind.DECIMAL, build=_percent, formerly=("Percent",), nulls=Nulls.PARTIAL,
        label="100 · part / whole; of zero there is none", example="percent(age, 80) > 50",
    ),
    _of_number(
        name="abs", parameters=(_X,), gives="T", build=partial(_plain, "abs"), label="without its sign",
        example="abs(latitude) < 10", formerly=("Abs",),
    ),
    _of_number(
        name="sign", parameters=(_ANY,), gives=Kind.INTEGER, build=partial(_plain, "sign"), label="-1, 0 or 1",
        example="sign(latitude) = 1", formerly=("Sign",),
    ),
    _rounding("ceil", "the next whole number above", ("Ceil",)),
    _rounding("floor", "the next whole number below", ("Floor",)),
    _of_number(
        name="round", parameters=(_X, _PLACES), optional=1, gives="T", build=partial(_to_digits, "round"),
        label="rounded to digits after the point, 0 if not said; a half goes away from zero",
        example="round(latitude, 1) = 48.9", formerly=("Round",),
    ),
    _of_number(
        name="trunc", parameters=(_X, _PLACES), optional=1, gives="T", build=partial(_to_digits, "trunc"),
        label="cut after so many digits, 0 if not said", example="trunc(latitude) = 48", formerly=("Trunc",),
    ),
    _of_number(
        name="clamp", parameters=(_X, *(Parameter(name=bound, takes=NUMBERS, group="T") for bound in ("low", "high"))),
        gives="T", build=_between, label="held between two bounds", example="clamp(age, 18, 65) = 18", uses=2,
    ),
    _of_number(
        name="has_bit", parameters=(_FLAGS, _BIT), gives=Kind.BOOLEAN, build=_has_bit, formerly=("IsBitSet",),
        label="whether a bit is set, 0 being the lowest", example="has_bit(id, 0)", nulls=Nulls.PARTIAL,
    ),
    _of_number(
        name="set_bit", parameters=(_FLAGS, _BIT), gives=Kind.INTEGER, build=_set_bit, formerly=("SetBit",),
        label="with a bit set", example="set_bit(age, 3) > 40", nulls=Nulls.PARTIAL,
    ),
    _of_number(
        name="clear_bit", parameters=(_FLAGS, _BIT), gives=Kind.INTEGER, build=_clear_bit, formerly=("ClearBit",),
        label="without a bit", example="clear_bit(age, 3) < 40", nulls=Nulls.PARTIAL,
    ),
)  # fmt: skip
