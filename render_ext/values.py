"""Plain values and what Liquid makes of them: text, numbers, equality, order.

A template sees dict, list, tuple, str, int, float, bool, Decimal, datetime, date and None, and `range` made
by `(1..n)`. Anything else can be passed along but not printed, compared or counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Rounded
from typing import Any, Final

from render_ext.errors import FilterError, LimitReached

DECIMAL_NUMBER = re.compile(r"-?[0-9]+\.[0-9]+")
LEADING_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]++(?:_[0-9]++)*+)")
WHOLE_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+(?:_[0-9]+)*)[ \t\n\v\f\r]*")
WHITE: Final = re.compile(r"[^\S\x1c-\x1f]*+")  # Python takes four separators of files and records for white space
STRIPPED: Final = "\0\t\n\v\f\r "
MOST_DIGITS: Final = 1000  # of an integer read from text
MOST_BITS: Final = 4096  # of an integer that is computed
MOST_PLACES: Final = MOST_BITS * 3 // 10  # of a Decimal that becomes an integer: 10 ** 1228 has less than 4,096 bits
MOST_PRECISION: Final = 2600  # digits of a Decimal that is computed
FARTHEST_END: Final = 10**18  # of a range, so that an index can count its items
DEEPEST: Final = 100  # lists within lists that are printed


class Html(str):
    """Text that is already safe HTML: not escaped again where `escape="html"`."""

    __slots__ = ()


class Emptiness:
    """The value of the words `empty` and `blank`."""

    __slots__ = ("word",)

    def __init__(self, word: str):
        self.word = word


EMPTY: Final = Emptiness("empty")
BLANK: Final = Emptiness("blank")


def unprintable(value: object) -> FilterError:
    """The error for a value that is none of ours."""
    return FilterError(f"a value of type {type(value).__name__} is not plain data")


def output_text(value: Any, depth: int = 0) -> str:
    """What `{{ value }}` prints: lists are joined, None is nothing."""
    if isinstance(value, (list, tuple)):
        if depth >= DEEPEST:
            raise LimitReached("nesting", DEEPEST)
        return "".join([output_text(item, depth + 1) for item in value])
    return to_text(value)


def to_text(value: Any) -> str:
    """What a filter takes a value for when it needs text: lists and dicts are shown as written in Ruby."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer_text(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, Decimal):
        return format(value, "f") if -MOST_DIGITS < value.adjusted() < MOST_DIGITS else str(value)
    if isinstance(value, datetime):
        return _time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, range):
        return f"{value.start}..{value.stop - 1}"
    if isinstance(value, (list, tuple, dict)):
        return inspect(value)
    if isinstance(value, Emptiness):
        return ""
    raise unprintable(value)


def inspect(value: Any, depth: int = 0) -> str:
    """A value inside a list or dict that is printed as text."""
    if depth >= DEEPEST:
        raise LimitReached("nesting", DEEPEST)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([inspect(item, depth + 1) for item in value]) + "]"
    if isinstance(value, dict):
        pairs = [f"{inspect(key, depth + 1)}=>{inspect(item, depth + 1)}" for key, item in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if value is None:
        return "nil"
    if isinstance(value, str):
        return '"' + _INSPECTED.sub(_inspected, value) + '"'
    return to_text(value)


_INSPECTED = re.compile(r'["\\\x00-\x1f\x7f-\x84\x86-\x9f\u2028\u2029]|#(?=[{$@])')
_SHORT = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\f": "\\f",
    "\v": "\\v",
    "\b": "\\b",
    "\a": "\\a",
    "\x1b": "\\e",
}


def _inspected(match: re.Match[str]) -> str:
    found = match[0]
    if found in '"\\#':
        return "\\" + found
    return _SHORT.get(found) or (f"\\x{ord(found):02X}" if ord(found) == 127 else f"\\u{ord(found):04X}")


def _integer_text(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python's own bound: the time grows with the square of the digits
        raise FilterError("a number too long to be printed") from None


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    if exponent and "." not in mantissa:
        return f"{mantissa}.0e{power}"
    return text


def _time_text(value: datetime) -> str:
    zone = value.strftime("%z")
    if not zone or zone == "+0000":
        zone = "UTC"
    return f"{value:%Y-%m-%d %H:%M:%S} {zone}" if value.year >= 1000 else f"{value.year:04}{value:-%m-%d %H:%M:%S} {zone}"


# ---- numbers -------------------------------------------------------------------------------------


def to_number(value: Any) -> int | Decimal:
    """The number a value counts as in arithmetic; 0 for what is none. Raises FilterError for one that is too large."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, (int, Decimal)):
        return bounded(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str):
        stripped = value.strip(STRIPPED)
        if DECIMAL_NUMBER.fullmatch(stripped):
            return Decimal(stripped[:MOST_DIGITS])
        return leading_integer(value)
    return 0


def leading_integer(text: str) -> int:
    """The integer a text begins with, 0 without one."""
    match = LEADING_INTEGER.match(text)
    if match is None:
        return 0
    if len(match[1]) > MOST_DIGITS:
        raise FilterError(f"a number of more than {MOST_DIGITS} digits")
    return int(match[1])


def to_integer(value: Any) -> int:
    """An integer that must be one. Raises FilterError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = WHOLE_INTEGER.fullmatch(to_text(value))
    if match is None or len(match[1]) > MOST_DIGITS:
        raise FilterError("invalid integer")
    return int(match[1])


def range_end(value: Any) -> int:
    """One end of `(a..b)`. Raises FilterError."""
    if value is None:
        return 0
    if isinstance(value, (float, Decimal)):
        raise FilterError("invalid integer")
    end = leading_integer(value) if isinstance(value, str) else to_integer(value)
    if not -FARTHEST_END <= end <= FARTHEST_END:
        raise FilterError(f"a range lies within ±{FARTHEST_END:,}")
    return end


def make_range(first: Any, last: Any) -> range:
    """The value of `(first..last)`."""
    return range(range_end(first), range_end(last) + 1)


_EXACT_UP_TO = Context(prec=MOST_PRECISION, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Rounded])


def bounded(number: int | Decimal) -> int | Decimal:
    """The number, unless it is beyond reason. Raises FilterError."""
    if isinstance(number, int):
        if number.bit_length() > MOST_BITS:
            raise too_many_bits()
        return number
    try:
        _EXACT_UP_TO.plus(number)
    except Rounded:
        raise FilterError(f"a number of more than {MOST_PRECISION} digits") from None
    return number


def check_whole(number: float | Decimal) -> None:
    """Refuse what cannot be made a whole number, or one of more than 4,096 bits only. Raises FilterError."""
    exact = Decimal(number)
    if not exact.is_finite():
        raise FilterError(f"{to_text(number)} is no whole number")
    if exact and exact.adjusted() > MOST_PLACES:
        raise too_many_bits()


def whole_number(number: int | float | Decimal) -> int:
    """The number without its decimals. Raises FilterError as `bounded` and `check_whole`."""
    if not isinstance(number, int):
        check_whole(number)
    return int(bounded(int(number)))


def whole_within(number: int | float | Decimal, most: int) -> int:
    """The number without its decimals, no farther than `most` from 0. Raises FilterError for infinity and NaN."""
    if isinstance(number, Decimal) and number.is_finite() and number.copy_abs() > most:  # made whole it might take for ever
        return -most if number < 0 else most
    if not isinstance(number, int):
        check_whole(number)
    return max(-most, min(int(number), most))


def too_many_bits() -> FilterError:
    """The error for a number beyond reason."""
    return FilterError(f"a number of more than {MOST_BITS} bits")


# ---- comparison ----------------------------------------------------------------------------------


def equal(left: Any, right: Any) -> bool:
    """`left == right`: numbers by value, `empty` and `blank` by meaning (never each other), all else by kind and value."""
    if isinstance(right, Emptiness):
        return _means(right, left)
    if isinstance(left, Emptiness):
        return _means(left, right)
    return _same(left, right, 0)


def _means(word: Emptiness, value: Any) -> bool:
    return is_empty(value) if word is EMPTY else is_blank(value)


PLAIN: Final = (str, int, float)  # which Python compares as Ruby does, with their own kind


def _same(left: Any, right: Any, depth: int) -> bool:
    """Whether two values are equal, and all within them; to Python `[true]` were `[1]`, and a tuple were no list."""
    if type(left) is type(right) and type(left) in PLAIN:
        return bool(left == right)
    if left is None or right is None or isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (list, tuple, dict)):
        if depth >= DEEPEST:
            raise LimitReached("nesting", DEEPEST)
        return left is right or _same_items(left, right, depth + 1)
    if isinstance(left, range) and isinstance(right, range):
        return (left.start, left.stop) == (right.start, right.stop)
    if isinstance(left, datetime) != isinstance(right, datetime):
        return False
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        left, right = _comparable(left, right)
    return bool(left == right)


def _same_items(left: Any, right: Any, depth: int) -> bool:
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and len(left) == len(right)
            and all(key in right and _same(item, right[key], depth) for key, item in left.items())
        )
    return (
        isinstance(right, (list, tuple))
        and len(left) == len(right)
        and all(_same(a, b, depth) for a, b in zip(left, right, strict=True))
    )


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Two values, one a Decimal, as Python may compare them: beside it a float is the decimal number that it is written as."""
    if isinstance(left, Decimal) and isinstance(right, float):
        return left, Decimal(repr(right))
    if isinstance(right, Decimal) and isinstance(left, float):
        return Decimal(repr(left)), right
    _check_mixed(left, right)
    return left, right


def _check_mixed(left: Any, right: Any) -> None:
    """Refuse a huge whole number beside a Decimal, which it would be made into. Raises FilterError."""
    if isinstance(left, Decimal) and isinstance(right, int):
        bounded(right)
    elif isinstance(right, Decimal) and isinstance(left, int):
        bounded(left)


def is_empty(value: Any) -> bool:
    """`value == empty`."""
    return isinstance(value, (str, list, tuple, dict)) and len(value) == 0


def is_blank(value: Any) -> bool:
    """`value == blank`: also None, false and text of whitespace."""
    if value is None or value is False or is_empty(value):
        return True
    return isinstance(value, str) and WHITE.fullmatch(value) is not None


ORDERED: Final = (int, float, Decimal, str, datetime, date)


def less(left: Any, right: Any, operator: str) -> bool:
    """One of < <= > >=. False where a side has no order, FilterError where they do not compare."""
    if not _is_ordered(left) or not _is_ordered(right):
        return False
    try:
        if isinstance(left, Decimal) or isinstance(right, Decimal):
            left, right = _comparable(left, right)
        if operator == "<":
            return bool(left < right)
        if operator == "<=":
            return bool(left <= right)
        if operator == ">":
            return bool(left > right)
        return bool(left >= right)
    except (TypeError, ArithmeticError):  # of two kinds, or with a Decimal that is no number
        message = f"comparison of {kind_name(left)} with {kind_name(right)} failed"
        raise FilterError(message) from None


def _is_ordered(value: Any) -> bool:
    return isinstance(value, ORDERED) and not isinstance(value, bool)


def kind_name(value: Any) -> str:
    """What an author calls the type of a value."""
    names: dict[type, str] = {
        str: "text",
        bool: "true or false",
        dict: "an object",
        list: "a list",
        tuple: "a list",
    }
    if value is None:
        return "nothing"
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return "a number"
    if isinstance(value, date):
        return "a date"
    return names.get(type(value), type(value).__name__)


def contains(left: Any, right: Any) -> bool:
    """`left contains right`: in a text, a list or the keys of a dict."""
    if left is None or left is False or right is None or right is False:
        return False
    if isinstance(left, str):
        return to_text(right) in left
    if isinstance(left, (list, tuple)):
        return not isinstance(right, Emptiness) and any(_same(item, right, 0) for item in left)
    if isinstance(left, dict):
        return isinstance(right, (str, int)) and not isinstance(right, bool) and right in left
    if isinstance(left, range):
        return isinstance(right, (int, float, Decimal)) and not isinstance(right, bool) and left.start <= right <= left.stop - 1
    return False


# ---- collections ---------------------------------------------------------------------------------


def loop_items(value: Any) -> list[Any] | tuple[Any, ...] | range:
    """What a `for` goes over: a text is one item, a dict its pairs, other scalars nothing."""
    if isinstance(value, (list, tuple, range)):
        return value
    if isinstance(value, dict):
        return [[key, item] for key, item in value.items()]
    if isinstance(value, str):
        return [value] if value else []
    return []


def flat_items(value: Any) -> Iterator[Any]:
    """The items an array filter sees: nested lists are flattened, anything else is one item, None is none."""
    if value is None:
        return iter(())
    if isinstance(value, range):
        return iter(value)
    if isinstance(value, (list, tuple)):
        return _flattened(value, 0)
    return iter((value,))


def _flattened(items: Iterable[Any], depth: int) -> Iterator[Any]:
    if depth >= DEEPEST:
        raise LimitReached("nesting", DEEPEST)
    for item in items:
        if isinstance(item, (list, tuple)):
            yield from _flattened(item, depth + 1)
        else:
            yield item
