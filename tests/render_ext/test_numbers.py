"""Numbers of any size: what they cost is paid for, and beyond a bound they are refused with their place."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from render_ext import Limits, RenderError, compile
from render_ext.values import whole_number, whole_within

MILLION = 1 << 1_000_000  # a number of as many bits: making a decimal of it takes seconds
LONG = Decimal("1." + "1" * 1_000_000)
WORKS = [
    "{{ x }}",
    "{{ x | plus: y }}",
    "{{ y | minus: x }}",
    "{{ x | times: y }}",
    "{{ x | divided_by: y }}",
    "{{ y | modulo: x }}",
    "{{ x | at_least: y }}",
    "{{ x | round: y }}",
    "{{ x | ceil }}",
    "{{ x | abs }}",
    "{{ x | number }}",
    "{{ x | number: y }}",
    "{{ x | money: 'EUR', minor: y }}",
    "{{ x | date: '%Y' }}",
    "{{ x | localdate }}",
    "{{ x | json }}",
    "{{ l | sum }}",
    "{{ l | sort | join }}",
    "{{ l | uniq | size }}",
    "{{ l | where: 'a', y | size }}",
    "{{ l }}",
    "{{ l | escape }}",
    "{{ 'abc' | slice: x }}",
    "{{ 'abc' | truncate: x }}",
    "{{ l | map: x | size }}",
    "{{ l[x] }}",
    "{% if x == y %}{% endif %}",
    "{% if x < y %}{% endif %}",
    "{% if l contains y %}{% endif %}",
    "{% if l == m %}{% endif %}",
    "{% case x %}{% when y %}{% endcase %}",
    "{% cycle x: 1, 2 %}",
    "{% increment x %}",
    "{% for i in (x..y) limit: 1 %}{% endfor %}",
    "{% for i in l limit: x offset: y %}{% endfor %}",
    "{% tablerow i in l cols: x limit: y %}{% endtablerow %}",
]
PROGRAMS = [compile("\n" + work, name="page", escape="html", limits=Limits(steps=100_000)) for work in WORKS]
REASONABLE = st.one_of(st.integers(-(10**6), 10**6), st.decimals(-(10**6), 10**6), st.floats(), st.none(), st.booleans())
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([MILLION, -MILLION, 1 << 4096, (1 << 4096) - 1, 10**18, -(10**18) - 1, 1 << 64]),
    st.decimals(),
    st.sampled_from([LONG, -LONG, Decimal("1E+999999"), Decimal("1E-999999"), Decimal("9E+999999999999"), Decimal("sNaN")]),
    st.floats(),
    REASONABLE,
)


@given(st.integers(0, len(WORKS) - 1), NUMBERS, NUMBERS)
@example(WORKS.index("{% if x == y %}{% endif %}"), MILLION, Decimal(1))
@example(WORKS.index("{% if l == m %}{% endif %}"), MILLION, Decimal(1))
@example(WORKS.index("{{ x | number }}"), MILLION, 0)
@example(WORKS.index("{{ x | times: y }}"), LONG, LONG)
@example(WORKS.index("{{ x | divided_by: y }}"), MILLION, Decimal(3))
@example(WORKS.index("{{ l | sort | join }}"), MILLION, Decimal(3))
def test_any_number_is_rendered_or_refused_with_its_place(work: int, x: Any, y: Any) -> None:
    values = {"x": x, "y": y, "l": [x, y, {"a": x}] if work % 2 else [x, y], "m": [y, x]}
    place = ("page", 2)
    try:
        PROGRAMS[work].render(values)
    except RenderError as error:
        place = (error.template, error.line)
    assert place == ("page", 2)


HUGE = [Decimal("1E+999"), Decimal("1E-999"), Decimal("1" * 1_000), 10**1_000]


def failure(source: str, values: dict[str, Any], **limits: int) -> RenderError:
    """The error that a rendering ends with."""
    with pytest.raises(RenderError) as caught:
        compile(source, name="page", limits=Limits(**limits)).render(values)
    assert caught.value.template == "page"
    return caught.value


@pytest.mark.parametrize("work", ["plus: 1", "times: y", "divided_by: y", "modulo: 7", "at_most: y", "abs", "round", "number"])
def test_a_whole_number_of_more_than_4096_bits_is_refused(work: str) -> None:
    for number in (1 << 4096, MILLION, -MILLION):
        failed = failure("{{ x | " + work + " }}", {"x": number, "y": Decimal("1.5")})
        assert "more than 4096 bits" in failed.message or failed.limit == "steps"
    assert compile("{{ x | at_most: 5 }}").render({"x": (1 << 4096) - 1}) == "5"


@pytest.mark.parametrize("work", ["plus: 1", "times: x", "divided_by: 3", "at_most: 5", "abs", "number"])
def test_a_decimal_of_more_than_2600_digits_is_refused(work: str) -> None:
    failed = failure("{{ x | " + work + " }}", {"x": Decimal("1." + "1" * 2_600)})
    assert "more than 2600 digits" in failed.message
    assert compile("{{ x | " + work + " }}").render({"x": Decimal("1." + "1" * 2_599)})


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
def test_a_huge_whole_number_is_not_compared_with_a_decimal(operator: str) -> None:
    for x, y in ((1 << 5_000, Decimal(1)), (Decimal(1), 1 << 5_000)):
        source = "{% if x " + operator + " y %}{% endif %}"
        assert failure(source, {"x": x, "y": y}).message == "a number of more than 4096 bits"
    assert compile("{% if x == x %}={% endif %}{% if x > 1.5 %}>{% endif %}").render({"x": 1 << 1_000}) == "=>"


def test_numbers_that_have_no_order() -> None:
    assert "comparison of a number with a number" in failure("{% if x < 1 %}{% endif %}", {"x": Decimal("NaN")}).message


@pytest.mark.parametrize(
    "work", ["{{ l }}", "{{ l | escape }}", "{{ l | join | size }}", "{{ l | json | size }}", "{{ l | uniq | size }}"]
)
@pytest.mark.parametrize(
    "number", [Decimal("1E+999"), Decimal("1E-999"), Decimal("1" * 1_000), 10**1_000], ids=["large", "small", "long", "whole"]
)
def test_the_digits_of_numbers_are_paid_for(work: str, number: Any) -> None:
    assert compile(work, limits=Limits(steps=200_000)).render({"l": [number] * 100})
    assert failure(work, {"l": [number] * 100}, steps=1_000).limit == "steps"
    assert compile(work, limits=Limits(steps=1_000)).render({"l": [Decimal("19.90"), 12, 1.5, True, date(2025, 6, 1)] * 20})


@pytest.mark.parametrize("number", [Decimal("1E+999"), 10**1_000], ids=["decimal", "whole"])
def test_a_number_that_is_printed_is_paid_for(number: Any) -> None:
    source = "{% for i in (1..100) %}{{ x }}{% endfor %}"
    assert failure(source, {"x": number}, steps=1_000).limit == "steps"
    assert len(compile(source, limits=Limits(steps=1_000)).render({"x": Decimal("12.5")})) == 400


@given(st.one_of(st.integers(), st.floats(), st.decimals()), st.integers(1, 1 << 62))
@example(Decimal("9E+999999999999"), 7)
@example(Decimal("-9E+999999999999"), 7)
@example(MILLION, 7)
@example(1e308, 7)
def test_whole_numbers_within_a_bound(number: Any, most: int) -> None:
    finite = number.is_finite() if isinstance(number, Decimal) else isinstance(number, int) or isfinite(number)
    if not finite:
        for made in (whole_number, lambda value: whole_within(value, most)):
            with pytest.raises(Exception, match="is no whole number"):
                made(number)
        return
    found = whole_within(number, most)
    assert -most <= found <= most
    if abs(found) < most:
        assert found == int(number) == whole_number(number)
    else:
        assert (number.copy_abs() if isinstance(number, Decimal) else abs(number)) >= most
