"""Every operator between every two kinds of values: against Ruby's rules, and against python-liquid.

`ruby.py` says what Ruby's Liquid makes of a comparison, written from its rules; we do the same, without exception. Where
python-liquid does not, the difference stands in DIFFERENCES with its reason and an example, and the example must differ: what
is not listed there is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import liquid
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from render_ext import RenderExtError, compile
from render_ext.errors import FilterError
from render_ext.values import BLANK, EMPTY
from tests.render_ext import ruby
from tests.render_ext.reference import valid

OPERATORS = ("==", "!=", "<>", "<", "<=", ">", ">=", "contains")
ORDER = ("<", "<=", ">", ">=")
EQUALITY = ("==", "!=", "<>")
ERROR = "error"
THEIRS = liquid.Environment()
WORDS = {"empty": EMPTY, "blank": BLANK}
OPERANDS: list[Any] = [
    None, True, False,
    0, 1, 2, -1, 10**20, 0.0, 1.0, 2.5, -1.0, 1e20, float("inf"), Decimal(1), Decimal("0.3"), 0.3, Decimal("2.5"),
    "", " ", "\xa0", "a", "b", "A", "ab", "é", "\U0001f600", "\uffff", "1", "1.0", "true", "[1]", "1..3", '{"a"=>1}',
    [], [1], [1.0], [True], ["a"], [""], [None], [[]], [[1]], [[True]], [1, 2, 3], (1,), ({"a": 1},),
    {}, {"a": 1}, {"a": 1.0}, {"a": True}, {"a": None}, {"a": [1]}, {"a": [True]}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {1: "a"},
    range(1, 4), range(3, 2), range(5, 3), range(1, 2), EMPTY, BLANK,
    datetime(2025, 6, 1, 12, tzinfo=UTC), datetime(2025, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    datetime(2025, 6, 2, tzinfo=UTC), date(2025, 6, 1), date(2025, 6, 2),
]  # fmt: skip


def is_a(*names: str) -> Callable[[Any], bool]:
    """Whether a value has one of these classes in Ruby."""
    return lambda value: ruby.class_of(value) in names


is_word = is_a("MethodLiteral")
is_flag = is_a("TrueClass", "FalseClass")
is_number = is_a(*ruby.NUMBERS)
is_text = is_a("String")
is_time = is_a("Time", "Date")
is_list = is_a("Array")
is_object = is_a("Hash")
is_range = is_a("Range")
has_order = is_a(*ruby.ORDERED)


def written(value: Any, name: str) -> tuple[str, dict[str, Any]]:
    """A value as a template has it: ranges and words as they are written, and a variable for all else, with its value."""
    if is_range(value):
        return f"({value.start}..{value.stop - 1})", {}
    return (value.word, {}) if is_word(value) else (name, {name: value})


def sides(left: Any, right: Any) -> tuple[str, str, dict[str, Any]]:
    """Both sides of a comparison as they are written, and the values."""
    (one, left_values), (other, right_values) = written(left, "x"), written(right, "y")
    return one, other, left_values | right_values


def ours(left: Any, operator: str, right: Any) -> str:
    """What comes of a comparison here."""
    one, other, values = sides(left, right)
    try:
        return compile(f"{{% if {one} {operator} {other} %}}Y{{% else %}}N{{% endif %}}").render(values)
    except RenderExtError:
        return ERROR


def theirs(left: Any, operator: str, right: Any) -> str:
    """What comes of it in python-liquid."""
    one, other, values = sides(left, right)
    try:
        return THEIRS.from_string(f"{{% if {one} {operator} {other} %}}Y{{% else %}}N{{% endif %}}").render(**values)
    except Exception:  # LiquidError, and what Python raises where they did not expect it
        return ERROR


def expected(left: Any, operator: str, right: Any) -> str:
    """What Ruby's Liquid makes of it."""
    try:
        return "Y" if ruby.compare(left, operator, right) else "N"
    except FilterError:
        return ERROR


class Difference(NamedTuple):
    """Where python-liquid does as Ruby's Liquid does not: why, when, and for example."""

    reason: str
    when: Callable[[Any, str, Any], bool]
    example: tuple[Any, str, Any]


def both(kind: Callable[[Any], bool]) -> Callable[[Any, Any], bool]:
    """Whether both sides are of a kind."""
    return lambda left, right: kind(left) and kind(right)


def either(kind: Callable[[Any], bool]) -> Callable[[Any, Any], bool]:
    """Whether one of the sides is of a kind."""
    return lambda left, right: kind(left) or kind(right)


def during(operators: tuple[str, ...], pair: Callable[[Any, Any], bool]) -> Callable[[Any, str, Any], bool]:
    """Whether it is one of the operators, and the two sides are such."""
    return lambda left, operator, right: operator in operators and pair(left, right)


def parts(value: Any) -> list[Any]:
    """A value and all within it."""
    within = value.values() if is_object(value) else value if is_list(value) else ()
    return [value, *(part for item in within for part in parts(item))]


def some(found: Callable[[Any], bool]) -> Callable[[Any, Any], bool]:
    """Whether there is such a value among two and all within them."""
    return lambda left, right: any(map(found, [*parts(left), *parts(right)]))


def exact(left: Any, right: Any) -> bool:
    """Whether it is an exact decimal beside a float."""
    return {ruby.class_of(left), ruby.class_of(right)} == {"BigDecimal", "Float"}


def apart(left: Any, right: Any) -> bool:
    """Whether both have an order, but not with each other."""
    return has_order(left) and has_order(right) and not (both(is_number)(left, right) or type(left) is type(right))


def one_to_python(left: Any, right: Any) -> bool:
    """Whether there is a truth value, which Python takes for 1 or 0, and something that it may be equal to."""
    return some(is_flag)(left, right) and not (is_flag(left) and is_flag(right))


def orderless(value: Any) -> bool:
    """Whether a value is something that has no order, and no truth value."""
    return not (value is None or is_flag(value) or has_order(value))


HOLDS = is_a("String", "Array", "Hash", "Range")
DIFFERENCES = [
    Difference("true and false count as 1 and 0, or are refused", during(ORDER, either(is_flag)), (True, "<", 2)),
    Difference("what has no order is refused, or equal after all", during(ORDER, either(orderless)), (1, "<", [])),
    Difference("with <= and >= what cannot be ordered is just unequal", during(("<=", ">="), apart), (1, "<=", "a")),
    Difference("times have no order", during(ORDER, both(is_time)), (date(2025, 6, 1), "<", date(2025, 6, 2))),
    Difference(
        "beside an exact decimal, a float is its binary number", during((*EQUALITY, *ORDER), exact), (Decimal("0.3"), "==", 0.3)
    ),
    Difference("within lists and objects, true is 1", during(EQUALITY, one_to_python), ([True], "==", [1])),
    Difference(
        "a tuple, which JSON has none of, is no list", during((*EQUALITY, "contains"), some(lambda x: type(x) is tuple)),
        ([1], "==", (1,)),
    ),
    Difference("all empty ranges are the same", during(EQUALITY, both(is_range)), (range(3, 2), "==", range(5, 3))),
    Difference(
        "nothing and false are not blank, as in an older Liquid",
        during(EQUALITY, lambda left, right: BLANK in (left, right) and not (ruby.truthy(left) and ruby.truthy(right))),
        (None, "==", BLANK),
    ),
    Difference("empty is equal to empty, and blank to blank", during(EQUALITY, both(is_word)), (EMPTY, "==", EMPTY)),
    Difference(
        "what holds nothing is refused", during(("contains",), lambda left, right: ruby.truthy(left) and not HOLDS(left)),
        (1, "contains", 1),
    ),
    Difference(
        "what Python has no hash of is refused for a key",
        during(("contains",), lambda left, right: is_object(left) and is_a("Array", "Hash", "MethodLiteral")(right)),
        ({}, "contains", []),
    ),
    Difference(
        "1, 1.0 and true are the same key",
        during(("contains",), lambda left, right: is_object(left) and not is_text(right)), ({1: "a"}, "contains", 1.0),
    ),
    Difference("a list with 1 in it contains true", during(("contains",), one_to_python), ([1], "contains", True)),
    Difference(
        "a list with an empty item contains empty", during(("contains",), lambda left, right: is_list(left) and is_word(right)),
        ([""], "contains", EMPTY),
    ),
    Difference(
        "in a text, Python's words are looked for",
        during(("contains",), lambda left, right: is_text(left) and str(right) != ruby.text(right)), ("true", "contains", True),
    ),
    Difference(
        "no fraction lies in a range, but true",
        during(("contains",), lambda left, right: is_range(left) and not is_a("Integer")(right)),
        (range(1, 4), "contains", 2.5),
    ),
]  # fmt: skip


# ---- every two kinds ---------------------------------------------------------------------------------------------------------

PAIRS = [(left, right) for left in OPERANDS for right in OPERANDS]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_two_values_compare_as_in_ruby(operator: str) -> None:
    assert [(a, b) for a, b in PAIRS if ours(a, operator, b) != expected(a, operator, b)] == []


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_two_values_compare_as_in_python_liquid_but_for_what_is_listed(operator: str) -> None:
    unlisted = [(a, b) for a, b in PAIRS if not any(found.when(a, operator, b) for found in DIFFERENCES)]
    assert len(unlisted) > len(PAIRS) / 10
    assert [(a, b) for a, b in unlisted if ours(a, operator, b) != theirs(a, operator, b)] == []


@pytest.mark.parametrize("found", DIFFERENCES, ids=[found.reason for found in DIFFERENCES])
def test_what_is_listed_as_different_is(found: Difference) -> None:
    left, operator, right = found.example
    assert found.when(left, operator, right)
    assert ours(left, operator, right) == expected(left, operator, right) != theirs(left, operator, right)


def test_every_class_of_value_is_among_them() -> None:
    classes = {ruby.class_of(value) for value in OPERANDS}
    assert classes == {*ruby.ORDERED, "NilClass", "TrueClass", "FalseClass", "Array", "Hash", "Range", "MethodLiteral"}


# ---- generated values --------------------------------------------------------------------------------------------------------

numbers = st.sampled_from([0, 1, 2, 0.0, 1.0, 0.1, 2.5]) | st.integers() | st.floats()
texts = st.text(max_size=3) | st.sampled_from(["a", "b", "", " "])
scalars = st.none() | st.booleans() | numbers | texts
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
SHAPES: list[Callable[[Any], Any]] = [lambda x: x, lambda x: [x], lambda x: {"a": x}, lambda x: [{"a": [x]}, None]]
few = st.sampled_from([0, 1, True, False, None, 1.0, "a", "1", EMPTY, BLANK])
alike = st.tuples(few, few, st.sampled_from(SHAPES)).map(lambda drawn: (drawn[2](drawn[0]), drawn[2](drawn[1])))
ends = st.integers(-3, 3)
ranges = st.builds(range, ends, ends)
words = st.sampled_from([EMPTY, BLANK])
couples = (
    st.tuples(nested | ranges | words, nested | ranges | words)
    | st.tuples(few, few)
    | alike.filter(lambda couple: not some(is_word)(*couple))
    | st.lists(few.filter(lambda value: not is_word(value)), min_size=1).flatmap(lambda found: st.tuples(st.just(found), few))
    | st.tuples(numbers, numbers)
    | st.tuples(texts, texts)
    | nested.map(lambda value: (value, value))
    | st.lists(nested, min_size=1, max_size=3).map(lambda value: (value, value[-1]))
    | st.tuples(ranges, numbers | ranges)
)


@settings(max_examples=600, deadline=None)
@given(couples, st.sampled_from(OPERATORS))
def test_generated_values_compare_as_in_ruby(couple: tuple[Any, Any], operator: str) -> None:
    left, right = couple
    assert ours(left, operator, right) == expected(left, operator, right)


@settings(max_examples=300, deadline=None)
@given(couples, st.sampled_from(OPERATORS))
def test_generated_values_compare_as_in_python_liquid(couple: tuple[Any, Any], operator: str) -> None:
    left, right = couple
    assume(not any(found.when(left, operator, right) for found in DIFFERENCES))
    assert ours(left, operator, right) == theirs(left, operator, right)


@settings(max_examples=300, deadline=None)
@given(nested | ranges | st.floats(allow_nan=False).map(lambda x: [x]))
def test_a_value_is_printed_as_in_ruby(value: Any) -> None:
    source, values = written(value, "x")
    assert compile(f"{{{{ {source} }}}}").render(values) == valid(ruby.output(value))


@given(nested)
def test_a_value_holds_as_in_ruby(value: Any) -> None:
    assert compile("{% if x %}Y{% endif %}").render({"x": value}) == "Y" * ruby.truthy(value)
