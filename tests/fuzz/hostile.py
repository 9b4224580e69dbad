"""Values that nobody should have imported: what a template may meet at worst."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import strategies as st

BITS = [
    "", " ", "\x00", "\r", "\n", "\r\n", "\n.\n", "\n..\r\n", "\nFrom x\n", "\r\nBcc: evil@example.com\r\n\r\n", "\x1b[31m",
    "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u202e", "\u2066", "\u200f", "\ud800", "\udfff", "\ud83d\ude00", "😀", "é",
    "e\u0301", "=", "=3D", "=\r\n", "=?utf-8?q?x?=", "--=_", "\t", "\v", "\f", "%0d%0a", "%", "&#13;", "&amp;", "<", ">", '"',
    "'", "\\", "`", "</script>", "{{ x }}", "{% raw %}", "{%", "%}", "]]>", "ﬃ", "ß", "İ", "\U0010ffff", "a" * 997, "€" * 40,
    ". " * 50,
]  # fmt: skip
NUMBERS: list[Any] = [
    0, -1, 1, 2**31, -(2**31), 2**63, -(2**63), 2**64, 10**30, -(10**400), 10**4000, True, False, 0.0, -0.0, 1e308, -1e308,
    5e-324, float("inf"), float("-inf"), float("nan"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"),
    Decimal("1E+999999"), Decimal("1E-999999"), Decimal("0.1"), Decimal("-0"), Decimal(10) ** 50,
]  # fmt: skip
DATES: list[Any] = [
    date.min, date.max, datetime.min, datetime.max, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), "now", "today", "0000-00-00", "9" * 400, "2024-02-30T25:61:61Z",
]  # fmt: skip
TOO_LONG = 10**5000  # Python refuses to print it
NO_DATA: list[Any] = [b"bytes", {1, 2}, object(), 3j, print, Random, range(10), frozenset(), Exception("x"), bytearray(b"x")]
KEYS = ["name", "size", "first", "last", "a", "b", "", "\ud800", "x y", "0", "é\r\n"]
LONG = 10_000_000


def deep(levels: int, width: int = 1) -> Any:
    """Lists and objects in each other."""
    inner: Any = "x"
    for level in range(levels):
        inner = [inner] * width if level % 2 else {"a": inner}
    return inner


def circle() -> Any:
    """A list that holds itself."""
    found: list[Any] = [1]
    found.append(found)
    return found


def value(chance: Random, depth: int = 3, *, plain: bool = False) -> Any:
    """Anything; with `plain`, at least something that an import could hold."""
    kind = chance.randrange(13)
    if kind < 5:
        return "".join(chance.choice(BITS) for _ in range(chance.randrange(6)))
    if kind == 5:
        return chance.choice(NUMBERS)
    if kind == 6:
        return chance.choice(DATES)
    if kind == 7:
        return chance.choice([None, True, False, chance.randrange(-50, 50), chance.randrange(10**7)])
    if kind == 8 and not plain:
        return chance.choice([*NO_DATA, TOO_LONG, circle(), deep(50), deep(101), deep(500)])
    if kind == 12:
        return chance.choice([chance.choice(BITS) * 1_500, list("ab") * 300, dict.fromkeys(map(str, range(300)), "x")])
    if depth == 0:
        return chance.choice(BITS) * chance.choice([1, 2, 30])
    if kind == 9 or kind == 10:
        return [value(chance, depth - 1, plain=plain) for _ in range(chance.randrange(5))]
    keys = chance.sample(KEYS, chance.randrange(5))
    return {key: value(chance, depth - 1, plain=plain) for key in keys}


texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(BITS), max_size=6).map("".join),
    st.tuples(st.sampled_from(BITS), st.integers(1, 80)).map(lambda t: (t[0] * t[1])[:3_000]),
)
scalars = st.one_of(texts, st.sampled_from([*NUMBERS, *DATES]), st.none(), st.booleans(), st.integers(), st.floats())
values = st.recursive(
    scalars | st.sampled_from(NO_DATA) | st.sampled_from([60, 101, 400]).map(deep) | st.builds(circle),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=10,
)
