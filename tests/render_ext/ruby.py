"""What Ruby's Liquid 5 makes of values, written again from its rules: truth, equality, order, `contains`, and their text.

Slow and plain, and with nothing of the engine's but its errors and the words `empty` and `blank`: what is compared here is
told apart by the class that Ruby would give it, numbers are fractions, texts are bytes.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from render_ext.errors import FilterError
from render_ext.values import BLANK, EMPTY

NUMBERS = ("Integer", "Float", "BigDecimal")
ORDERED = (*NUMBERS, "String", "Time", "Date")  # what has a method `<`, but for hashes, which Liquid leaves out
CLASSES: list[tuple[type, str]] = [
    (int, "Integer"), (float, "Float"), (Decimal, "BigDecimal"), (str, "String"), (list, "Array"), (tuple, "Array"),
    (dict, "Hash"), (range, "Range"), (datetime, "Time"), (date, "Date"),
]  # fmt: skip
SIGNS = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0)}


def class_of(value: Any) -> str:
    """The name of the class that a value has in Ruby."""
    if value is None:
        return "NilClass"
    if value is True or value is False:
        return "TrueClass" if value else "FalseClass"
    if value is EMPTY or value is BLANK:
        return "MethodLiteral"
    return next(name for kind, name in CLASSES if isinstance(value, kind))


def truthy(value: Any) -> bool:
    """Whether an `if` goes in."""
    return class_of(value) not in ("NilClass", "FalseClass")


def equal(left: Any, right: Any) -> bool:
    """Condition#equal_variables: a word asks the other side, all else is Ruby's `==`."""
    for word, value in ((left, right), (right, left)):
        if class_of(word) == "MethodLiteral":
            empty = class_of(value) in ("String", "Array", "Hash") and len(value) == 0
            if word is EMPTY or empty:
                return empty
            return not truthy(value) or (isinstance(value, str) and re.fullmatch(SPACE, value) is not None)
    return same(left, right)


SPACE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"  # [[:space:]]*


def same(left: Any, right: Any) -> bool:
    """`left == right` in Ruby."""
    one, other = class_of(left), class_of(right)
    if one in NUMBERS and other in NUMBERS:
        return order(left, right) == 0
    if one != other:
        return False
    if one == "Array":
        return len(left) == len(right) and all(same(left[i], right[i]) for i in range(len(left)))
    if one == "Hash":
        return set(left) == set(right) and all(same(left[key], right[key]) for key in left)
    if one == "Range":
        return (left.start, left.stop) == (right.start, right.stop)
    return bool(left == right)  # of one class, with nothing within


def order(left: Any, right: Any) -> int | None:
    """`left <=> right` of two numbers; None where one is NaN. Beside a BigDecimal, a Float is the decimal that it reads as."""
    exact = "BigDecimal" in (class_of(left), class_of(right))
    one, other = number(left, exact), number(right, exact)
    return None if one is None or other is None else (one > other) - (one < other)


def number(value: Any, exact: bool) -> tuple[int, Fraction] | None:
    """A number by which to order: below or beyond all others or not, and its value; None for NaN."""
    written = repr(value) if isinstance(value, float) else str(value)
    if "nan" in written.lower():
        return None
    if "inf" in written.lower():
        return -1 if written.startswith("-") else 1, Fraction(0)
    return 0, Fraction(written if exact else value)


def compare(left: Any, operator: str, right: Any) -> bool:
    """Condition#interpret_condition. Raises FilterError where Ruby's Liquid prints "comparison of … failed".

    Ruby also orders a Date and a number, which counts as days since 4713 BC; no template means that, and it is refused.
    """
    if operator in ("==", "!=", "<>"):
        return equal(left, right) == (operator == "==")
    if operator == "contains":
        return contains(left, right)
    one, other = class_of(left), class_of(right)
    if one not in ORDERED or other not in ORDERED:
        return False
    if one in NUMBERS and other in NUMBERS:
        return order(left, right) in SIGNS[operator]
    if one != other:
        raise FilterError(f"comparison of {one} with {other} failed")
    a, b = (left.encode(errors="surrogatepass"), right.encode(errors="surrogatepass")) if one == "String" else (left, right)
    return (a > b) - (a < b) in SIGNS[operator]


def contains(left: Any, right: Any) -> bool:
    """`left.include?(right)`, where both are something and the left one can be asked."""
    kind = class_of(left)
    if not truthy(left) or not truthy(right):
        return False
    if kind == "String":
        return text(right) in left
    if kind == "Array":
        return any(same(item, right) for item in left)
    if kind == "Hash":
        return any(class_of(key) == class_of(right) and same(key, right) for key in left)
    if kind == "Range" and class_of(right) in NUMBERS:
        return order(left.start, right) in (-1, 0) and order(right, left.stop - 1) in (-1, 0)
    return False


def output(value: Any) -> str:
    """What `{{ value }}` writes: lists one after the other, and lists in them."""
    return "".join(output(item) for item in value) if class_of(value) == "Array" else text(value)


def text(value: Any) -> str:
    """`value.to_s`."""
    kind = class_of(value)
    if kind in ("NilClass", "MethodLiteral"):
        return ""
    if kind in ("TrueClass", "FalseClass"):
        return kind.removesuffix("Class").lower()
    if kind == "String":
        return "".join(value)  # without what the engine knows of it
    if kind == "Integer":
        return f"{value:d}"
    if kind == "Float":
        return float_text(value)
    if kind == "BigDecimal":  # Ruby would write 0.15e1; exact decimals are told as they are, see docs/templates.md
        return f"{value:f}" if -1000 < value.adjusted() < 1000 else str(value)
    if kind == "Range":
        return f"{value.start}..{value.stop - 1}"
    if kind == "Time":
        zone = value.strftime("%z") if value.utcoffset() else "UTC"
        return f"{value.year:04}-{value.month:02}-{value.day:02} {value.hour:02}:{value.minute:02}:{value.second:02} {zone}"
    if kind == "Date":
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    return inspect(value)


def float_text(value: float) -> str:
    """Float#to_s: the shortest digits that read back, with an exponent from 10 ** 16 on and below 10 ** -4."""
    if value != value:
        return "NaN"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    minus = "-" * sign
    if exponent == "F":
        return f"{minus}Infinity"
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + int(exponent) if shown != "0" else 1
    if 0 < point <= 16:
        return f"{minus}{shown[:point].ljust(point, '0')}.{shown[point:] or '0'}"
    if -4 < point <= 0:
        return f"{minus}0.{'0' * -point}{shown}"
    return f"{minus}{shown[0]}.{shown[1:] or '0'}e{'-' if point < 1 else '+'}{abs(point - 1):02}"


ESCAPES = dict(zip("\n\t\r\f\v\b\a\x1b", "ntrfvbae", strict=True))


def inspect(value: Any) -> str:
    """`value.inspect`, with hashes as before Ruby 3.4, which Liquid keeps."""
    kind = class_of(value)
    if kind == "NilClass":
        return "nil"
    if kind == "Array":
        return f"[{', '.join(map(inspect, value))}]"
    if kind == "Hash":
        return "{" + ", ".join(f"{inspect(key)}=>{inspect(item)}" for key, item in value.items()) + "}"
    if kind != "String":
        return text(value)
    shown = ""
    for at, character in enumerate(value):
        code = ord(character)
        if character in ESCAPES:
            shown += "\\" + ESCAPES[character]
        elif character in '"\\' or (character == "#" and value[at + 1 : at + 2] in ("{", "$", "@")):
            shown += "\\" + character
        elif code == 127:
            shown += "\\x7F"
        elif code < 32 or 127 < code < 160 or code in (0x2028, 0x2029):
            shown += f"\\u{code:04X}"
        else:
            shown += character
    return f'"{shown}"'


def items(value: Any) -> list[Any]:
    """What a `for` goes over: Liquid takes a text for one item, unless it is empty."""
    kind = class_of(value)
    if kind == "String":
        return [value][: len(value)]
    if kind == "Hash":
        return [[key, item] for key, item in value.items()]
    return list(value) if kind in ("Array", "Range") else []
