"""What means nothing is refused: where, what was found, what was expected, what to write instead."""

from __future__ import annotations

import pytest

from core.targeting.check import check
from core.targeting.errors import ExpressionError
from core.targeting.json_parse import parse_json
from core.targeting.language import (
    MAX_DEPTH,
    MAX_LIST_VALUES,
    MAX_NODES,
    MAX_VALUES,
    Expression,
    Field,
    Literal,
    Not,
    Operation,
    Operator,
)
from core.targeting.parse import parse_text

GOOD = [
    "true",
    "opt_out",
    "not opt_out_email",
    "opt_out = true",
    "opt_out != opt_out_email",
    "gender = 'female'",
    "'female' = gender",
    "gender in ('female', 'unknown')",
    "gender != gender",
    "age = 30.5",
    "latitude = 30",
    "latitude between 1 and 2.5",
    "id in (1, 2.5)",
    "birth_date = created_at",
    "created_at >= 2024-01-01",
    "created_at in (today, now, 2024-01-01T00:00)",
    "today - 18 years >= birth_date",
    "city = first_name",
    "city contains 'x'",
    "city is_null",
    "gender is_null",
    "month(birth_date) = month(today)",
    "year(created_at) = 2024",
    "length(city) > 3",
    "length('abc') = 3",
    "1 = 1",
    "age + 1 = 3 or age * 2 - 1 >= latitude / 3",
    "city contains exactly('x')",
    "city in ('x', exactly('y'))",
    "if(city is_null and age > 3, 'a', city) = 'a'",
    "case when opt_out then gender else 'x' end = 'x'",
    "opt_out = is_empty(city)",
    "month(created_at, 'Europe/Paris') = 3",
    "decode(gender, 'female', 1, 'male', 2) = 1",
    "coalesce(age, latitude) > 1",
]


@pytest.mark.parametrize("source", GOOD)
def test_what_means_something_passes(source: str) -> None:
    expression = parse_text(source)

    assert check(expression).expression is expression


def test_a_checked_expression_knows_what_it_reads() -> None:
    checked = check(parse_text("country = 'FR' and (age > 3 or not month(birth_date) = 2) and country is_null"))

    assert checked.reads == {"country", "age", "birth_date"}
    assert checked.entity.name == "profile"


MISTAKES: list[tuple[str, str, int, str, str | None]] = [
    # source, code, column, what was found, the suggestion
    ("contry = 'FR'", "UNKNOWN_FIELD", 1, "'contry'", "country"),
    ("Country = 'FR'", "UNKNOWN_FIELD", 1, "'Country'", "country"),
    ("xyzzy = 'FR'", "UNKNOWN_FIELD", 1, "'xyzzy'", None),
    ("country = FR", "UNKNOWN_FIELD", 11, "'FR'", "'FR' in quotes"),
    ("gender = female", "UNKNOWN_FIELD", 10, "'female'", "'female' in quotes"),
    ("purchases.amount > 3", "UNKNOWN_FIELD", 1, "'purchases'", None),
    ("age > '3'", "WRONG_TYPE", 7, "'3'", "3 without quotes"),
    ("age > 'three'", "WRONG_TYPE", 7, "'three'", None),
    ("birth_date > '1980-01-01'", "WRONG_TYPE", 14, "'1980-01-01'", "1980-01-01 without quotes"),
    ("created_at > 3", "WRONG_TYPE", 14, "an integer", None),
    ("zip_code = 75001", "WRONG_TYPE", 12, "an integer", "'75001'"),
    ("zip_code in ('1', 75001)", "WRONG_TYPE", 19, "an integer", "'75001'"),
    ("zip_code between '1' and 2.5", "WRONG_TYPE", 26, "a decimal", "'2.5'"),
    ("opt_out = 1", "WRONG_TYPE", 11, "an integer", "true"),
    ("opt_out = 'no'", "WRONG_TYPE", 11, "'no'", "false"),
    ("country", "WRONG_TYPE", 1, "a text alone", None),
    ("opt_out and 3", "WRONG_TYPE", 13, "an integer alone", None),
    ("opt_out > true", "WRONG_TYPE", 9, ">", None),
    ("gender < 'male'", "WRONG_TYPE", 8, "<", None),
    ("'male' < gender", "WRONG_TYPE", 10, "<", None),
    ("gender contains 'm'", "WRONG_TYPE", 8, "contains", None),
    ("age contains '1'", "WRONG_TYPE", 5, "contains", None),
    ("opt_out in (true)", "WRONG_TYPE", 9, "in", None),
    ("gender = 'femal'", "BAD_VALUE", 10, "'femal'", "female"),
    ("'femal' = gender", "BAD_VALUE", 1, "'femal'", "female"),
    ("gender in ('male', 'Female')", "BAD_VALUE", 20, "'Female'", "female"),
    ("gender = 1", "WRONG_TYPE", 10, "an integer", None),
    ("gender = email_format", "WRONG_TYPE", 10, "an enumeration", None),
    ("gender = city", "WRONG_TYPE", 10, "a text", None),
    ("first_name contains last_name", "WRONG_TYPE", 21, "a field", None),
    ("age in (1, id)", "WRONG_TYPE", 12, "a field", None),
    ("age in (1, length(city))", "WRONG_TYPE", 12, "a function", None),
    ("mnth(birth_date) = 3", "UNKNOWN_FUNCTION", 1, "'mnth'", "month"),
    ("month(city) = 3", "WRONG_TYPE", 7, "a text", None),
    ("month(month(birth_date)) = 3", "WRONG_TYPE", 7, "an integer", None),
    ("month() = 3", "EXPRESSION_SYNTAX", 1, "0", None),
    ("month(today, now) = 3", "WRONG_TYPE", 14, "an instant", None),
    ("month(today, 'UTC', 'UTC') = 3", "EXPRESSION_SYNTAX", 1, "3", None),
    ("month(today, 'Paris') = 3", "BAD_VALUE", 14, "'Paris'", None),
    ("month(today, city) = 3", "WRONG_TYPE", 14, "a field", None),
    ("add_days(created_at, 1.5) < now", "WRONG_TYPE", 22, "a decimal", None),
    ("add_hours(birth_date, 1) < now", "WRONG_TYPE", 11, "a date", None),
    ("AddDays(created_at, 1) < now", "UNKNOWN_FUNCTION", 1, "'AddDays'", "add_days"),
    ("SubHours(created_at, 1) < now", "UNKNOWN_FUNCTION", 1, "'SubHours'", "add_hours"),
    ("Iif(opt_out, 1, 2) = 1", "UNKNOWN_FUNCTION", 1, "'Iif'", "if"),
    ("MemoContains(city, 'a')", "UNKNOWN_FUNCTION", 1, "'MemoContains'", "the operator contains"),
    ("age + city > 3", "WRONG_TYPE", 7, "a text", None),
    ("if(city, 1, 2) = 1", "WRONG_TYPE", 4, "a text", None),
    ("if(opt_out, 1, '2') = 1", "WRONG_TYPE", 16, "'2'", "2 without quotes"),
    ("coalesce(birth_date, created_at) is_null", "WRONG_TYPE", 22, "an instant", None),
    ("case when opt_out then 1 else 'a' end = 1", "WRONG_TYPE", 31, "'a'", None),
    ("case when city then 1 end = 1", "WRONG_TYPE", 11, "a text alone", None),
    ("round(latitude, 19) = 1", "BAD_VALUE", 17, "19", None),
    ("round(latitude, age) = 1", "WRONG_TYPE", 17, "a field", None),
    ("matches(city, '(a)\\1')", "BAD_VALUE", 15, "'(a)\\\\1'", None),
    ("matches(city, '(a{60}){60}')", "BAD_VALUE", 15, "'(a{60}){60}'", None),
    ("matches(city, '(?=a)')", "BAD_VALUE", 15, "'(?=a)'", None),
    ("sample(1.5)", "BAD_VALUE", 8, "1.5", None),
    ("point(1, 2) = point(1, 2)", "WRONG_TYPE", 13, "=", None),
    ("within_km(point(1, 2), point(1, 2), 'far')", "WRONG_TYPE", 37, "'far'", None),
    ("within_km(point(1, 2), point(1, 2), 0)", "BAD_VALUE", 37, "0", None),
    ("coalesce(point(1, 2), point(1, 2)) is_null", "WRONG_TYPE", 10, "a point", None),
    ("birth_date > today - 3 hours", "WRONG_TYPE", 14, "hours", "now"),
    ("created_at > now - 1001 years", "EXPRESSION_TOO_LARGE", 14, "a longer time", None),
    ("created_at > now - 900 years + 200000 days", "EXPRESSION_TOO_LARGE", 14, "a longer time", None),
    ("created_at > now + 999999999 hours", "EXPRESSION_TOO_LARGE", 14, "a longer time", None),
]


@pytest.mark.parametrize(("source", "code", "column", "found", "suggestion"), MISTAKES)
def test_a_mistake_is_placed_and_explained(source: str, code: str, column: int, found: str, suggestion: str | None) -> None:
    expression = parse_text(source)

    with pytest.raises(ExpressionError) as caught:
        check(expression)

    error = caught.value
    assert (error.code, error.found, error.suggestion) == (code, found, suggestion)
    assert error.path == f"line 1, column {column}"
    assert error.expected


def test_in_json_the_place_is_a_pointer() -> None:
    tree = {"and": [{"field": "opt_out"}, {"not": {"operator": ">", "operands": [{"field": "age"}, "x"]}}]}

    with pytest.raises(ExpressionError) as caught:
        check(parse_json(tree))

    assert caught.value.path == "/and/1/not/operands/1"
    assert caught.value.message == "an integer cannot be compared with a text"
    assert caught.value.hint == "Expected an integer."


def test_an_unknown_value_is_answered_with_those_there_are() -> None:
    with pytest.raises(ExpressionError) as caught:
        check(parse_text("email_format = 'pdf'"))

    assert caught.value.hint == "Expected one of 'unknown', 'text', 'html'."


def refusal(source: str) -> str:
    with pytest.raises(ExpressionError) as caught:
        check(parse_text(source))
    assert caught.value.code == "EXPRESSION_TOO_LARGE"
    return caught.value.message


def test_sizes_are_bounded() -> None:
    assert refusal("age in (" + ", ".join(["1"] * (MAX_VALUES + 1)) + ")") == "the list has too many values"
    long = "age in (" + ", ".join(["1"] * MAX_VALUES) + ")"
    lists = " and ".join([long] * (MAX_LIST_VALUES // MAX_VALUES))
    assert check(parse_text(lists)).reads == {"age"}
    assert refusal(lists + " and age in (1)") == "the lists have too many values"

    assert refusal(" or ".join(["age = 1"] * (MAX_NODES // 3 + 1))) == "the expression has too many parts"
    assert refusal("not " * (MAX_DEPTH + 1) + "opt_out") == "the expression is nested too deeply"
    assert check(parse_text("not " * (MAX_DEPTH - 1) + "opt_out"))


def test_a_tree_built_by_hand_is_checked_alike() -> None:
    tree = Not(Operation(Operator.EQUAL, (Field(("city",)), Literal(3))))

    with pytest.raises(ExpressionError):
        check(Expression(root=tree, text=""))
