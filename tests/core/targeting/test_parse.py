"""The text spelling: what it reads as, and what a mistake is told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.targeting.errors import ExpressionError
from core.targeting.language import (
    MAX_LENGTH,
    Anchor,
    And,
    Call,
    Case,
    Condition,
    Expression,
    Field,
    Literal,
    Not,
    Operation,
    Operator,
    Or,
    Relative,
    Unit,
)
from core.targeting.parse import parse_text
from core.targeting.text_form import to_text

COUNTRY, AGE, CITY, OPT_OUT = Field(("country",)), Field(("age",)), Field(("city",)), Field(("opt_out",))
FRENCH = Operation(Operator.EQUAL, (COUNTRY, Literal("FR")))
ADULT = Operation(Operator.AT_LEAST, (AGE, Literal(18)))


def since(anchor: Anchor, *offsets: tuple[Unit, int]) -> Condition:
    return Operation(Operator.GREATER, (Field(("created_at",)), Relative(anchor, offsets)))


READINGS: dict[str, Condition] = {
    "country = 'FR'": FRENCH,
    'country = "FR"': FRENCH,
    "COUNTRY == 'FR'": Operation(Operator.EQUAL, (Field(("COUNTRY",)), Literal("FR"))),
    "country <> 'FR'": Operation(Operator.NOT_EQUAL, (COUNTRY, Literal("FR"))),
    "country != 'FR'": Operation(Operator.NOT_EQUAL, (COUNTRY, Literal("FR"))),
    "age<18": Operation(Operator.LESS, (AGE, Literal(18))),
    "age <= -18": Operation(Operator.AT_MOST, (AGE, Literal(-18))),
    "18 > age": Operation(Operator.GREATER, (Literal(18), AGE)),
    "latitude >= 48.85": Operation(Operator.AT_LEAST, (Field(("latitude",)), Literal(Decimal("48.85")))),
    "city contains 'it''s \"here\"'": Operation(Operator.CONTAINS, (CITY, Literal('it\'s "here"'))),
    'city starts_with "say ""hi"""': Operation(Operator.STARTS_WITH, (CITY, Literal('say "hi"'))),
    "city ENDS_WITH ''": Operation(Operator.ENDS_WITH, (CITY, Literal(""))),
    "city not contains 'x'": Not(Operation(Operator.CONTAINS, (CITY, Literal("x")))),
    "age in (1, 2, 3)": Operation(Operator.IN, (AGE, Literal(1), Literal(2), Literal(3))),
    "age not in (1)": Not(Operation(Operator.IN, (AGE, Literal(1)))),
    "age between 1 and 2 and country = 'FR'": And((Operation(Operator.BETWEEN, (AGE, Literal(1), Literal(2))), FRENCH)),
    "age not between 1 and 2": Not(Operation(Operator.BETWEEN, (AGE, Literal(1), Literal(2)))),
    "city is_null": Operation(Operator.IS_NULL, (CITY,)),
    "city IS NULL": Operation(Operator.IS_NULL, (CITY,)),
    "city is  not null": Not(Operation(Operator.IS_NULL, (CITY,))),
    "opt_out": OPT_OUT,
    "not opt_out": Not(OPT_OUT),
    "opt_out = false": Operation(Operator.EQUAL, (OPT_OUT, Literal(False))),
    "true": Literal(True),
    "country = 'FR' and age >= 18 and opt_out": And((FRENCH, ADULT, OPT_OUT)),
    "country = 'FR' or age >= 18 and opt_out": Or((FRENCH, And((ADULT, OPT_OUT)))),
    "(country = 'FR' OR age >= 18) AND opt_out": And((Or((FRENCH, ADULT)), OPT_OUT)),
    "not country = 'FR' and opt_out": And((Not(FRENCH), OPT_OUT)),
    "not (country = 'FR' and not opt_out)": Not(And((FRENCH, Not(OPT_OUT)))),
    "(((opt_out)))": OPT_OUT,
    "birth_date = 1980-02-29": Operation(Operator.EQUAL, (Field(("birth_date",)), Literal(date(1980, 2, 29)))),
    "created_at < 2024-05-01T10:30": Operation(Operator.LESS, (Field(("created_at",)), Literal(datetime(2024, 5, 1, 10, 30)))),
    "created_at < 2024-05-01T10:30:15.5+02:00": Operation(
        Operator.LESS, (Field(("created_at",)), Literal(datetime(2024, 5, 1, 8, 30, 15, 500_000, tzinfo=UTC)))
    ),
    "created_at > now": since(Anchor.NOW),
    "created_at > now - 30 days": since(Anchor.NOW, (Unit.DAYS, -30)),
    "created_at > now -1 day": since(Anchor.NOW, (Unit.DAYS, -1)),
    "created_at > Today + 2 Months - 1 week": since(Anchor.TODAY, (Unit.MONTHS, 2), (Unit.WEEKS, -1)),
    "created_at > now - 3 hours + 1 year - 2 hours": since(Anchor.NOW, (Unit.YEARS, 1), (Unit.HOURS, -5)),
    "created_at > now + 1 day - 1 day": since(Anchor.NOW),
    "month(birth_date) = month(today)": Operation(
        Operator.EQUAL,
        (Call("month", (Field(("birth_date",)),)), Call("month", (Relative(Anchor.TODAY),))),
    ),
    "purchases.amount > 3": Operation(Operator.GREATER, (Field(("purchases", "amount")), Literal(3))),
    "days = 3": Operation(Operator.EQUAL, (Field(("days",)), Literal(3))),
    "age + 1 - 2 > 3 * 4": Operation(
        Operator.GREATER,
        (
            Call("subtract", (Call("add", (AGE, Literal(1))), Literal(2))),
            Call("multiply", (Literal(3), Literal(4))),
        ),
    ),
    "age -1 = (age - (1 - age)) % 2": Operation(
        Operator.EQUAL,
        (
            Call("subtract", (AGE, Literal(1))),
            Call("mod", (Call("subtract", (AGE, Call("subtract", (Literal(1), AGE)))), Literal(2))),
        ),
    ),
    "-age = - 3": Operation(Operator.EQUAL, (Call("subtract", (Literal(0), AGE)), Call("subtract", (Literal(0), Literal(3))))),
    "(now) - age = 1": Operation(Operator.EQUAL, (Call("subtract", (Relative(Anchor.NOW), AGE)), Literal(1))),
    "case when opt_out and age > 3 then 1 when opt_out then age else 2 end = 1": Operation(
        Operator.EQUAL,
        (
            Case(((And((OPT_OUT, Operation(Operator.GREATER, (AGE, Literal(3))))), Literal(1)), (OPT_OUT, AGE)), Literal(2)),
            Literal(1),
        ),
    ),
    "if(not opt_out, CASE WHEN opt_out THEN 1 END, 2) = 1": Operation(
        Operator.EQUAL, (Call("if", (Not(OPT_OUT), Case(((OPT_OUT, Literal(1)),)), Literal(2))), Literal(1))
    ),
    "(age) = 1": Operation(Operator.EQUAL, (AGE, Literal(1))),
    "android = 1": Operation(Operator.EQUAL, (Field(("android",)), Literal(1))),
}


@pytest.mark.parametrize("source", READINGS)
def test_a_text_is_read_as_its_tree(source: str) -> None:
    expression = parse_text(source)

    assert expression.root == READINGS[source]
    assert expression.text == source


def test_a_boolean_is_not_a_number() -> None:
    tree = parse_text("opt_out = true").root

    assert isinstance(tree, Operation)
    assert isinstance(tree.operands[1], Literal)
    assert tree.operands[1].value is True


MISTAKES: list[tuple[str, int, int, str, str | None]] = [
    # source, line, column, what was found, the suggestion
    ("", 1, 1, "the end", "true, which is everybody"),
    ("   \n ", 1, 1, "the end", "true, which is everybody"),
    ("country =", 1, 10, "the end", None),
    ("country = 'FR' and", 1, 19, "the end", None),
    ("country = 'FR' and\n  ", 1, 19, "the end", None),
    ("(country = 'FR'", 1, 16, "the end", None),
    ("country = 'FR')", 1, 15, "')'", None),
    ("country = 'FR", 1, 11, "an opening '", None),
    ("country = FR'", 1, 13, "an opening '", None),
    ("country is 'FR'", 1, 9, "'is'", "="),
    ("city like 'x'", 1, 6, "'like'", "contains"),
    ("city contain 'x'", 1, 6, "'contain'", "contains"),
    ("age => 3", 1, 6, "'=>'", ">="),
    ("age = 3 && city = 'x'", 1, 9, "'&'", "and"),
    ("age = 3 andd city = 'x'", 1, 9, "'andd'", "and"),
    ("age = 3 city = 'x'", 1, 9, "'city'", None),
    ("created_at > now - 3 dyas", 1, 22, "'dyas'", "days"),
    ("created_at > now - 3", 1, 21, "the end", None),
    ("created_at > now - days", 1, 20, "'days'", None),
    ("age in ()", 1, 9, "')'", None),
    ("age in (1, 2", 1, 13, "the end", None),
    ("age in 1", 1, 8, "'1'", None),
    ("age between 1 or 2", 1, 15, "'or'", None),
    ("city = null", 1, 8, "null", "the operator is_null"),
    ("between = 3", 1, 1, "'between'", None),
    ("case = 3", 1, 6, "'='", None),
    ("case when age = 3 than 1 end = 1", 1, 19, "'than'", "then"),
    ("case when age = 3 then 1 = 1", 1, 26, "'='", None),
    ("(age = 3) + 1 = 2", 1, 6, "a condition", None),
    ("age = (age = 3)", 1, 12, "a condition", None),
    ("age + = 3", 1, 7, "'='", None),
    ("today - age > 3", 1, 9, "'age'", None),
    ("birth_date = 2023-02-29", 1, 14, "2023-02-29", None),
    ("created_at = 2023-02-28T24:61", 1, 14, "2023-02-28T24:61", None),
    ("age = 9223372036854775808", 1, 7, "9223372036854775808", None),
    ("latitude = 0.1234567890123456789", 1, 12, "0.1234567890123456789", None),
    ("city =\n  'x'\n  and age ~ 3", 3, 11, "'~'", None),
    ("city = 'two\nlines' and age ? 3", 2, 16, "'?'", None),
    ("city = 'a\0b'", 1, 8, "NUL or half of a surrogate pair", None),
    ("city = 'x'; drop table profile", 1, 11, "';'", None),
    ("city = 'x' -- and the rest", 1, 19, "'the'", None),
]


@pytest.mark.parametrize(("source", "line", "column", "found", "suggestion"), MISTAKES)
def test_a_mistake_is_placed_and_explained(source: str, line: int, column: int, found: str, suggestion: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_text(source)

    error = caught.value
    assert (error.place.line, error.place.column) == (line, column)
    assert error.path == f"line {line}, column {column}"
    assert (error.found, error.suggestion) == (found, suggestion)
    assert error.expected
    assert error.hint is not None
    assert error.expected in error.hint


def test_what_was_expected_is_said_in_words() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_text("country 'FR'")
    assert caught.value.hint == "Expected an operator, and, or or the end."

    with pytest.raises(ExpressionError) as caught:
        parse_text("created_at > now - 3 x")
    assert caught.value.hint == "Expected a unit of time."


def test_a_text_of_any_size_ends_soon_in_an_answer() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_text("a" * (MAX_LENGTH + 1))
    assert caught.value.code == "EXPRESSION_TOO_LARGE"

    with pytest.raises(ExpressionError) as caught:
        parse_text("(" * MAX_LENGTH)
    assert caught.value.place.column == MAX_LENGTH + 1

    nested = parse_text("(" * 10_000 + "opt_out" + ")" * 10_000)
    assert nested.root == OPT_OUT


WORDS = "country age and or not in between contains is_null is null now today days true month"
SIGNS = "( ) , . = != < => + - 3 1.5 'x' \" ' 2024-01-01 2024-01-01T10:00 ; -- é"
TOKENS = st.sampled_from([*WORDS.split(), *SIGNS.split(), "\n", "\0"])


@settings(deadline=None)
@given(st.text(max_size=30) | st.lists(TOKENS, max_size=12).map(" ".join))
def test_anything_is_either_read_or_refused_with_a_place(source: str) -> None:
    found: Expression | ExpressionError
    try:
        found = parse_text(source)
    except ExpressionError as error:
        found = error
    if isinstance(found, ExpressionError):
        lines = source.split("\n")
        assert found.place.line is not None
        assert found.place.column is not None
        assert 1 <= found.place.column <= len(lines[found.place.line - 1]) + 1
    else:
        assert parse_text(to_text(found)) == found
