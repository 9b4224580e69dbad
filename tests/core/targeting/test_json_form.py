"""The JSON spelling: what it reads as, what comes out again, and what a mistake is told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.targeting.errors import ExpressionError
from core.targeting.json_form import to_json
from core.targeting.json_parse import parse_json, read_stored
from core.targeting.language import (
    MAX_DEPTH,
    MAX_LENGTH,
    NOWHERE,
    RESERVED,
    SIGNS,
    Anchor,
    And,
    Call,
    Case,
    Condition,
    Expression,
    Field,
    Literal,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Unit,
    operand_count,
    relative,
)
from core.targeting.literals import decimal_of
from core.targeting.parse import parse_text
from core.targeting.text_form import to_text

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name.lower() not in RESERVED)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
DECIMALS = st.decimals(-(10**17), 10**17, places=6).map(lambda number: decimal_of(f"{number:f}", NOWHERE).value)
LITERALS = st.builds(
    Literal,
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | DECIMALS
    | TEXTS
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC)),
)
TIMES = st.builds(
    relative,
    st.sampled_from(Anchor),
    st.lists(st.tuples(st.sampled_from(Unit), st.integers(-999, 999)), max_size=4),
)


def operations(operands: st.SearchStrategy[Operand]) -> st.SearchStrategy[Condition]:
    def of(operator: Operator) -> st.SearchStrategy[Condition]:
        least, most = operand_count(operator)
        return st.builds(
            lambda some: Operation(operator, tuple(some)),
            st.lists(operands, min_size=least, max_size=min(most, 5)),
        )

    return st.sampled_from(Operator).flatmap(of)


OPERANDS: st.SearchStrategy[Operand] = st.recursive(
    st.builds(Field, st.lists(NAMES, min_size=1, max_size=3).map(tuple)) | LITERALS | TIMES,
    lambda inner: (
        st.builds(Call, NAMES | st.sampled_from([*SIGNS.values()]), st.lists(inner, max_size=3).map(tuple))
        | st.builds(Case, st.lists(st.tuples(inner, inner), min_size=1, max_size=2).map(tuple), st.none() | inner)
    ),
    max_leaves=3,
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    operations(OPERANDS) | OPERANDS,
    lambda inner: (
        st.builds(Call, NAMES | st.sampled_from([*SIGNS.values()]), st.lists(inner, max_size=2).map(tuple))
        | st.builds(Case, st.lists(st.tuples(inner, OPERANDS), min_size=1, max_size=2).map(tuple), st.none() | OPERANDS)
        | st.builds(And, st.lists(inner, min_size=2, max_size=4).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=4).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(CONDITIONS)
def test_any_tree_survives_both_spellings(tree: Condition) -> None:
    from_text = parse_text(to_text(tree))
    from_json = parse_json(msgspec.json.decode(msgspec.json.encode(to_json(tree))))

    assert from_text.root == tree
    assert from_json.root == tree
    # equality of literals is Python's, where True == 1: what is spelled again is not
    assert to_text(from_text) == to_text(from_json) == to_text(tree)
    assert from_json.text == to_text(tree)


def test_the_documented_shapes() -> None:
    tree = parse_json(
        {
            "and": [
                {"operator": "=", "operands": [{"field": "country"}, "FR"]},
                {"or": [{"operator": ">=", "operands": [{"field": "age"}, 30]}, {"field": "opt_out"}]},
                {"not": {"operator": "is_null", "operands": [{"field": "last_name"}]}},
                {"operator": "in", "operands": [{"field": "latitude"}, 1.5, {"decimal": "2.5"}]},
                {"operator": "<", "operands": [{"field": "birth_date"}, {"date": "1980-01-01"}]},
                {"operator": "<", "operands": [{"field": "created_at"}, {"instant": "2024-05-01T10:00:00Z"}]},
                {"operator": ">", "operands": [{"field": "created_at"}, {"now": {"days": -30, "years": 1}}]},
                {
                    "operator": "=",
                    "operands": [
                        {"function": "month", "arguments": [{"field": "birth_date"}]},
                        {"function": "month", "arguments": [{"today": {}}]},
                    ],
                },
            ]
        }
    )

    assert tree.text == (
        "country = 'FR' and (age >= 30 or opt_out) and not last_name is_null and latitude in (1.5, 2.5) "
        "and birth_date < 1980-01-01 and created_at < 2024-05-01T10:00:00Z "
        "and created_at > now + 1 year - 30 days and month(birth_date) = month(today)"
    )


def test_a_group_of_one_is_its_only_condition() -> None:
    assert parse_json({"and": [{"field": "opt_out"}]}) == parse_text("opt_out")


def test_literals_keep_their_types() -> None:
    values = (True, 1, Decimal("1.5"), "1", date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC))
    spelled: list[Any] = [to_json(Literal(value)) for value in values]

    assert spelled == [True, 1, 1.5, "1", {"date": "2024-01-01"}, {"instant": "2024-01-01T00:00:00+00:00"}]
    assert to_json(Literal(Decimal("0.123456789012345678"))) == {"decimal": "0.123456789012345678"}


MISTAKES: list[tuple[Any, str, str, str | None]] = [
    # tree, pointer, what was found, the suggestion
    ({}, "", "an empty object", None),
    (None, "", "null", None),
    ([], "", "a list", None),
    (float("nan"), "", "nan", None),
    ({"and": []}, "/and", "an empty list", None),
    ({"and": {}}, "/and", "an object", None),
    ({"adn": []}, "", "'adn'", "and"),
    ({"and": [True], "or": [True]}, "", "'and', 'or'", None),
    ({"or": [True, {"and": [True, {"not": None}]}]}, "/or/1/and/1/not", "null", None),
    ({"not": {"field": "a"}, "x/y": 1}, "/x~1y", "'x/y'", None),
    ({"operator": "like", "operands": [1, 2]}, "/operator", "'like'", None),
    ({"operator": "contain", "operands": [1, 2]}, "/operator", "'contain'", "contains"),
    ({"operator": 3, "operands": [1, 2]}, "/operator", "3", None),
    ({"operator": ["="], "operands": [1, 2]}, "/operator", "a list", None),
    ({"operator": "=", "operands": [1]}, "/operands", "1", None),
    ({"operator": "=", "operands": [1, 2, 3]}, "/operands", "3", None),
    ({"operator": "="}, "/operands", "nothing", None),
    ({"operator": "=", "values": [1, 2]}, "/values", "'values'", "operands"),
    ({"operator": "=", "operands": [1, None]}, "/operands/1", "null", None),
    ({"operator": "=", "operands": [1, {"and": [True]}]}, "/operands/1", "and", None),
    ({"operator": "=", "operands": [1, {"field": 3}]}, "/operands/1/field", "3", None),
    ({"operator": "=", "operands": [1, {"field": "a;b"}]}, "/operands/1/field", "'a;b'", None),
    ({"operator": "=", "operands": [1, {"field": ""}]}, "/operands/1/field", "''", None),
    ({"operator": "=", "operands": [1, {"field": "a..b"}]}, "/operands/1/field", "''", None),
    ({"operator": "=", "operands": [1, {"field": "and"}]}, "/operands/1/field", "'and'", None),
    ({"operator": "=", "operands": [1, {"date": "1980-13-01"}]}, "/operands/1/date", "1980-13-01", None),
    ({"operator": "=", "operands": [1, {"date": "19800101"}]}, "/operands/1/date", "19800101", None),
    (
        {"operator": "=", "operands": [1, {"instant": "1980-01-01"}]},
        "/operands/1/instant",
        "1980-01-01",
        None,
    ),
    ({"operator": "=", "operands": [1, {"decimal": "1e5"}]}, "/operands/1/decimal", "1e5", None),
    ({"operator": "=", "operands": [1, 2**63]}, "/operands/1", "9223372036854775808", None),
    ({"operator": "=", "operands": [1, 1e300]}, "/operands/1", "1000000000", None),
    ({"operator": "=", "operands": [1, 10**5000]}, "/operands/1", "a longer number", None),
    ({"operator": "=", "operands": [1, "a\0"]}, "/operands/1", "NUL or half of a surrogate pair", None),
    ({"operator": "=", "operands": [1, "\ud800"]}, "/operands/1", "NUL or half of a surrogate pair", None),
    ({"operator": "=", "operands": [1, {"now": 3}]}, "/operands/1/now", "3", None),
    ({"operator": "=", "operands": [1, {"now": {"day": 1}}]}, "/operands/1/now/day", "'day'", "days"),
    ({"operator": "=", "operands": [1, {"now": {"days": 1.5}}]}, "/operands/1/now/days", "1.5", None),
    ({"operator": "=", "operands": [1, {"now": {"days": True}}]}, "/operands/1/now/days", "true", None),
    ({"function": 3, "arguments": []}, "/function", "3", None),
    ({"function": "f"}, "/arguments", "nothing", None),
    ({"case": []}, "/case", "an empty list", None),
    ({"case": [{"when": True}]}, "/case/0", "an object", None),
    ({"case": [{"when": True, "then": {"and": [True]}}]}, "/case/0/then", "and", None),
    ({"case": [{"when": True, "then": 1}], "otherwise": 1}, "/otherwise", "'otherwise'", "else"),
    ({"function": "f(", "arguments": []}, "/function", "'f('", None),
]


@pytest.mark.parametrize(("tree", "pointer", "found", "suggestion"), MISTAKES)
def test_a_mistake_is_placed_and_explained(tree: Any, pointer: str, found: str, suggestion: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_json(tree)

    error = caught.value
    assert error.place.pointer == pointer
    assert error.path == (pointer or "/")
    assert error.found.startswith(found)
    assert error.suggestion == suggestion
    assert error.expected


def test_depth_is_bounded_in_both_directions() -> None:
    tree: Any = True
    for _ in range(900):
        tree = {"not": tree}
    with pytest.raises(ExpressionError) as caught:
        parse_json(tree)
    assert caught.value.code == "EXPRESSION_TOO_LARGE"
    assert caught.value.place.pointer == "/not" * (MAX_DEPTH + 1)

    call: Any = 1
    for _ in range(900):
        call = {"function": "f", "arguments": [call]}
    with pytest.raises(ExpressionError) as caught:
        parse_json(call)
    assert caught.value.code == "EXPRESSION_TOO_LARGE"


def test_texts_are_bounded_together() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_json({"operator": "=", "operands": [{"field": "city"}, "x" * 60_000]})
    assert caught.value.code == "EXPRESSION_TOO_LARGE"


KEYS = st.sampled_from(["and", "or", "not", "operator", "operands", "field", "now", "x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner),
)


@settings(deadline=None)
@given(ANYTHING)
def test_anything_is_either_read_or_refused_with_a_place(tree: Any) -> None:
    found: Expression | ExpressionError
    try:
        found = parse_json(tree)
    except ExpressionError as error:
        found = error
    if isinstance(found, ExpressionError):
        assert found.place.pointer is not None
    else:
        assert parse_text(found.text) == found


def test_an_expression_that_was_taken_can_be_read_again_however_long_its_canonical_text_is() -> None:
    lists = " or ".join(f"id in({','.join(str(10_000_000 + n) for n in range(900))})" for _ in range(6))
    taken = parse_text(lists)
    with pytest.raises(ExpressionError, match="longer than"):
        parse_json(to_json(taken))
    assert len(read_stored(to_json(taken)).text) > MAX_LENGTH >= len(lists)
