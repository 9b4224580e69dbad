"""Questions that would take for ever, or more frames than Python has: refused, or answered soon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.targeting import linked
from core.targeting.check import Audiences, CheckedExpression, check
from core.targeting.checked import Listed
from core.targeting.compiled import Plan
from core.targeting.errors import TOO_LARGE, ExpressionError
from core.targeting.json_parse import parse_json
from core.targeting.linked import rows_of
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, population
from tests.core.targeting.shop import CATALOGUE

AT = datetime(2025, 6, 20, 12, tzinfo=UTC)


def checked(source: str, audiences: Audiences | None = None) -> CheckedExpression:
    return check(parse_text(source), CATALOGUE, audiences=audiences or {})


def sql(asked: CheckedExpression, plan: Plan = Plan.ALL_AT_ONCE) -> str:
    return compile_statement(population(asked, at=AT, zone=ZoneInfo("UTC"), plan=plan)).text


def nested(form: str, innermost: str, times: int) -> str:
    for _ in range(times):
        innermost = form.replace("…", innermost)
    return innermost


@pytest.mark.parametrize("source", ["+".join("1" * 10_000) + " = 1", "not " * 9_000 + "true", "-" * 9_000 + "age = 1"])
def test_text_that_is_nested_deeply_is_refused_when_it_is_read(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_text(source)

    assert (caught.value.code, caught.value.message) == (TOO_LARGE, "the expression is nested too deeply")


def test_parentheses_alone_are_no_levels() -> None:
    assert checked("(" * 5_000 + "true" + ")" * 5_000)


def test_operators_in_functions_in_operators_are_levels_of_json() -> None:
    tree: Any = 1
    for _ in range(400):
        tree = {"operator": "=", "operands": [{"function": "if", "arguments": [tree, 1, 2]}, 1]}

    with pytest.raises(ExpressionError) as caught:
        parse_json(tree)

    assert caught.value.code == TOO_LARGE


@pytest.mark.parametrize(
    ("tree", "pointer"),
    [
        ({"audience": "vip", "version": 10**30}, "/version"),
        ({"top": 10**30, "by": {"field": "id"}}, "/top"),
        ({"top": 10**5_000, "by": {"field": "id"}}, "/top"),
    ],
)
def test_numbers_of_json_have_64_bits(tree: Any, pointer: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_json(tree)

    assert str(caught.value.place) == pointer


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("exists(" + ".".join(["clubs", "members"] * 6) + ")", "a path has too many links"),
        ("sequence(" + " then ".join(["purchases"] * 31) + ")", "a sequence has too many steps"),
    ],
)
def test_joins_are_bounded(source: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        checked(source)

    assert (caught.value.code, caught.value.message) == (TOO_LARGE, said)


def test_each_of_nested_aggregates_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(compiler: Any, selection: Any) -> Any:
        calls.append(selection)
        return rows_of(compiler, selection)

    monkeypatch.setattr(linked, "rows_of", counted)
    question = nested("count(profile.purchases where …) > 0", "profile.age > 0", 8)
    asked = checked(f"count(purchases where {question}) > 0")

    assert sql(asked)
    assert len(calls) <= 2 * 2 * 9  # whole questions are tried as groups first; each level has an aggregate and a field


def test_the_sql_of_nested_tops_grows_with_each_level_alike() -> None:
    form = "top(1 by count(purchases where profile.id > 0 and exists(product.purchases where exists(profile where …))))"
    lengths = [len(sql(checked(nested(form, "age > 1", times)))) for times in (1, 3, 5)]

    assert lengths[2] - lengths[1] < 1.5 * (lengths[1] - lengths[0])


@pytest.mark.parametrize("form", ["(… + age) * 2", "round(…, 1)"])
def test_what_may_be_nested_can_be_compiled(form: str) -> None:
    for plan in Plan:
        assert sql(checked(nested(form, "age", 20) + " = 1"), plan)


def named_in_turn(form: str, times: int) -> CheckedExpression:
    audiences: dict[tuple[str, int | None], CheckedExpression | Listed] = {}
    last = checked("age = 1")
    for _ in range(times):
        audiences["a", None] = last
        last = checked(form, dict(audiences))
    return last


def test_an_audience_that_is_named_twice_by_each_of_many_does_not_explode() -> None:
    with pytest.raises(ExpressionError) as caught:
        named_in_turn("in_audience('a') or not in_audience('a')", 60)

    assert (caught.value.code, caught.value.message) == (TOO_LARGE, "the audiences that are named have too many parts")


def test_audiences_within_each_other_are_levels() -> None:
    with pytest.raises(ExpressionError) as caught:
        named_in_turn("exists(clubs.members where in_audience('a'))", 60)

    assert caught.value.message == "the audiences that are named are nested too deeply"
    assert sql(named_in_turn("in_audience('a')", 150))
    assert sql(named_in_turn("exists(clubs.members where in_audience('a'))", 35))
