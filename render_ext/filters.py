"""The filters that templates can call: FILTERS, name → function. Nothing else can be called from a template.

A filter is a plain function of the value and its arguments. It takes any plain data, coerces as reference
Liquid does, and raises FilterError where that refuses. To add one, write the function and list it in
FILTERS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, DecimalException
from typing import Any

from render_ext.dates import parse_date, strftime
from render_ext.errors import FilterError, LimitReached
from render_ext.values import (
    STRIPPED,
    Html,
    bounded,
    flat_items,
    is_empty,
    leading_integer,
    to_integer,
    to_number,
    to_text,
)

Number = int | float | Decimal


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a filter may know besides its arguments; fixed when the template is compiled."""

    now: datetime | None
    zone: tzinfo
    locale: str
    value_bytes: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A registered filter: how many arguments it takes besides the value, whether Surroundings come first.

    `price`: the steps that it costs for every 64 characters it reads or makes, besides its own; 0 where it does not look
    into the value.
    """

    function: Callable[..., Any]
    fewest: int = 0
    most: int = 0
    keywords: tuple[str, ...] = ()
    surroundings: bool = False
    price: int = 1


# ---- text ----------------------------------------------------------------------------------------

ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escape(value: Any) -> Html | None:
    """`&<>"'` as entities; None stays nothing."""
    return None if value is None else Html(to_text(value).translate(ENTITIES))


def raw(value: Any) -> Any:
    """The value as trusted HTML: printed as it is where outputs are escaped."""
    return Html(to_text(value)) if not isinstance(value, (list, tuple, dict)) else value


def upcase(value: Any) -> str:
    """In upper case."""
    return to_text(value).upper()


def downcase(value: Any) -> str:
    """In lower case."""
    return to_text(value).lower()


def capitalize(value: Any) -> str:
    """First letter in upper case, the rest in lower case."""
    return to_text(value).capitalize()


def strip(value: Any) -> str:
    """Without whitespace at both ends."""
    return to_text(value).strip(STRIPPED)


def truncate(value: Any, length: Any = 50, ellipsis: Any = "...") -> str | None:
    """At most `length` characters, the ellipsis included."""
    if value is None:
        return None
    text, mark, most = to_text(value), to_text(ellipsis), to_integer(length)
    return text[: max(0, most - len(mark))] + mark if len(text) > most else text


# ---- numbers -------------------------------------------------------------------------------------


def _result(number: int | Decimal, *inputs: Any) -> Number:
    """Floats stay floats, exact decimals stay exact."""
    if isinstance(number, Decimal) and not any(isinstance(value, Decimal) for value in inputs):
        return float(number)
    return bounded(number)


def _calculated(value: Any, operand: Any, operation: Callable[[Any, Any], Any]) -> Number:
    try:
        return _result(operation(to_number(value), to_number(operand)), value, operand)
    except DecimalException as error:
        raise FilterError(f"this cannot be calculated ({type(error).__name__})") from None


def plus(value: Any, operand: Any) -> Number:
    """Sum."""
    return _calculated(value, operand, lambda a, b: a + b)


def minus(value: Any, operand: Any) -> Number:
    """Difference."""
    return _calculated(value, operand, lambda a, b: a - b)


def times(value: Any, operand: Any) -> Number:
    """Product."""
    return _calculated(value, operand, lambda a, b: a * b)


def divided_by(value: Any, operand: Any) -> Number:
    """Quotient, rounded down between whole numbers. Raises FilterError for a division by 0."""
    if to_number(operand) == 0:
        raise FilterError("divided by 0")
    return _calculated(value, operand, _divide)


def _divide(a: int | Decimal, b: int | Decimal) -> int | Decimal:
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    return Decimal(a) / Decimal(b)


# ---- lists ---------------------------------------------------------------------------------------


def size(value: Any) -> int:
    """Characters of a text, items of a list or dict; 0 for anything else."""
    return len(value) if isinstance(value, (str, list, tuple, dict, range)) else 0


def join(around: Surroundings, value: Any, glue: Any = " ") -> str:
    """The items as one text, with glue between them."""
    between = to_text(glue)
    parts: list[str] = []
    length = 0
    for item in flat_items(value):
        parts.append(to_text(item))
        length += len(parts[-1]) + len(between) + 1
        if length > around.value_bytes + len(between) + len(parts):
            raise LimitReached("value_bytes", around.value_bytes)
    return between.join(parts)


def first(value: Any) -> Any:
    """The first item of a list; of a dict its first pair."""
    if isinstance(value, (list, tuple, range)):
        return value[0] if len(value) else None
    if isinstance(value, dict):
        return next(([key, item] for key, item in value.items()), None)
    return None


def last(value: Any) -> Any:
    """The last item of a list."""
    if isinstance(value, (list, tuple, range)):
        return value[-1] if len(value) else None
    return None


# ---- the rest ------------------------------------------------------------------------------------


def default(value: Any, fallback: Any = "", *, allow_false: Any = False) -> Any:
    """The fallback for nothing, false and what is empty; `allow_false: true` keeps false."""
    absent = value is None if allow_false not in (None, False) else value is None or value is False
    return fallback if absent or is_empty(value) else value


def date_(around: Surroundings, value: Any, pattern: Any) -> Any:
    """A date as strftime writes it; what is no date comes back as it is."""
    form = to_text(pattern)
    moment = to_moment(around, value) if form else None
    return value if moment is None else strftime(moment, form)


def to_moment(around: Surroundings, value: Any) -> date | None:
    """The date a value means: a date, seconds since 1970, or text. Instants are in the program's zone."""
    try:
        if isinstance(value, datetime):
            return value.astimezone(around.zone) if value.tzinfo else value.replace(tzinfo=around.zone)
        if isinstance(value, date):
            return value
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return None
        if isinstance(value, int) or (value.isascii() and value.isdigit()):
            seconds = value if isinstance(value, int) else leading_integer(value)
            return datetime.fromtimestamp(seconds, UTC).astimezone(around.zone)
        return _now(around) if value.lower() in ("now", "today") else parse_date(value, around.now, around.zone)
    except (OverflowError, OSError, ValueError):
        return None


def _now(around: Surroundings) -> datetime:
    if around.now is None:
        raise FilterError("the template was compiled without a date, so there is no `now`")
    return around.now.astimezone(around.zone)


FILTERS: dict[str, Filter] = {
    "capitalize": Filter(capitalize),
    "date": Filter(date_, 1, 1, surroundings=True, price=32),
    "default": Filter(default, 0, 1, ("allow_false",), price=0),
    "divided_by": Filter(divided_by, 1, 1),
    "downcase": Filter(downcase),
    "escape": Filter(escape),
    "first": Filter(first, price=0),
    "join": Filter(join, 0, 1, surroundings=True),
    "last": Filter(last, price=0),
    "minus": Filter(minus, 1, 1),
    "plus": Filter(plus, 1, 1),
    "raw": Filter(raw),
    "size": Filter(size, price=0),
    "strip": Filter(strip),
    "times": Filter(times, 1, 1),
    "truncate": Filter(truncate, 0, 2),
    "upcase": Filter(upcase),
}
