"""What can be told of a template without rendering it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from render_ext import Constant, Reading, RenderError, TemplateSyntaxError, compile, inspect, kinds_of
from render_ext.filters import FILTERS
from render_ext.filters.kinds import MEANT_FOR, ValueKind
from render_ext.inspection import Inspection

SAMPLES: dict[ValueKind, tuple[Any, ...]] = {
    ValueKind.TEXT: ("word",),
    ValueKind.NUMBER: (7, 2.5, "12"),
    ValueKind.BOOLEAN: (True, False),
    ValueKind.DATE: (date(2001, 2, 3), datetime(2001, 2, 3, tzinfo=UTC)),
    ValueKind.LIST: ([1, 2], ["a"], range(2)),
    ValueKind.OBJECT: ({"a": 1},),
}


def printed(source: str) -> list[tuple[str, bool]]:
    """The paths that a template prints, and whether a condition around made sure of them."""
    return [
        (".".join(chain.input.path), chain.tested)
        for chain in inspect(source).chains
        if isinstance(chain.input, Reading) and chain.into is None
    ]


# ---- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "inside", "otherwise"),
    [
        ("a.b", True, False),
        ("a.b != blank", True, False),
        ("a.b != nil", True, False),
        ("a.b != ''", True, False),
        ("a.b == blank", False, True),
        ("blank == a.b", False, True),
        ("a.b == 'x'", True, False),
        ("a.b != 'x'", False, True),
        ("a.b > 1", True, False),
        ("a.b contains 'x'", True, False),
        ("a.b == c", False, False),
        ("c and a.b", True, False),
        ("c or a.b", True, False),
        ("c == blank and a.b == blank", False, True),
        ("c", False, False),
    ],
)
def test_what_a_condition_makes_sure_of(condition: str, inside: bool, otherwise: bool) -> None:
    source = f"{{% if {condition} %}}{{{{ a.b }}}}{{% else %}}{{{{ a.b }}}}{{% endif %}}{{{{ a.b }}}}"
    assert printed(source) == [("a.b", inside), ("a.b", otherwise), ("a.b", False)]
    source = f"{{% unless {condition} %}}{{{{ a.b }}}}{{% else %}}{{{{ a.b }}}}{{% endunless %}}"
    assert printed(source) == [("a.b", otherwise), ("a.b", inside)]


def test_what_one_branch_excludes_the_next_ones_know() -> None:
    source = "{% if a == blank %}{% elsif b %}{{ a }}{{ b }}{% else %}{{ a }}{{ b }}{% endif %}"
    assert printed(source) == [("a", True), ("b", True), ("a", True), ("b", False)]


def test_a_case_knows_its_subject() -> None:
    assert printed("{% case a %}{% when 'x' %}{{ a }}{% else %}{{ a }}{% endcase %}") == [("a", True), ("a", False)]


def test_conditions_end_with_their_block() -> None:
    assert printed("{% if a %}{% for x in list %}{{ a }}{% endfor %}{% endif %}{{ a }}") == [("a", True), ("a", False)]


# ---- chains --------------------------------------------------------------------------------------


def test_chains_are_told_with_what_they_read_and_where() -> None:
    (chain,) = inspect("\n {{ a.b[0] | append: c | plus: 1 }}").chains
    assert chain.input == Reading(("a", "b", "*"), "a.b[0]", picked=True)
    assert (chain.line, chain.column, chain.at) == (2, 5, 4)
    assert [(call.name, call.arguments, call.is_constant) for call in chain.calls] == [
        ("append", (Reading(("c",), "c"),), False),
        ("plus", (Constant(1),), True),
    ]
    assert [(call.line, call.column) for call in chain.calls] == [(2, 14), (2, 26)]


def test_items_of_loops_are_followed_and_own_names_are_not() -> None:
    found = inspect("{% assign own = x %}{% for p in ps %}{{ p.q }}{{ own }}{{ forloop.index }}{% endfor %}")
    assert [chain.input for chain in found.chains] == [Reading(("x",), "x"), Reading(("ps", "*", "q"), "p.q"), None, None]
    assert found.chains[0].into == "own"


def test_names_that_are_given_read_tested_and_printed() -> None:
    found = inspect(
        "{% assign a = 1 %}{% capture b %}{{ x }}{% endcapture %}{% assign c = 2 %}{% if b == blank %}{{ a }}{% endif %}"
        "{{ y | default: 1 }}"
    )
    assert [(one.name, one.captured, one.line, one.column) for one in found.given] == [
        ("a", False, 1, 4),
        ("b", True, 1, 22),
        ("c", False, 1, 60),
    ]
    assert found.read == {"a", "b", "x", "y"}
    assert found.tested == {"b", "y"}
    assert found.printed == {"a", "x", "y"}


@pytest.mark.parametrize(
    ("source", "origins"),
    [
        ("{% for i in (1..p.n) %}{% endfor %}", ["p.n"]),
        ("{% for i in (p.n..9) %}{% endfor %}", ["p.n"]),
        ("{% tablerow i in (1..p.n) %}{% endtablerow %}", ["p.n"]),
        ("{% assign n = p.n | plus: 1 %}{% for i in (1..n) %}{% endfor %}", ["p.n"]),
        ("{% assign n = 1 | plus: p.n %}{% for i in (1..n) %}{% endfor %}", ["p.n"]),
        ("{% assign n = p.n | at_most: 9 %}{% for i in (1..n) %}{% endfor %}", None),
        ("{% assign n = p.n | size %}{% for i in (1..n) %}{% endfor %}", None),
        ("{% for i in (1..p.n) limit: 5 %}{% endfor %}", None),
        ("{% for i in (1..p.n) limit: p.n %}{% endfor %}", ["p.n"]),
        ("{% for i in (1..p.n) %}{% if i > 5 %}{% break %}{% endif %}{% endfor %}", None),
        ("{% for i in (1..p.n) %}{% for x in xs %}{% break %}{% endfor %}{% endfor %}", ["p.n"]),
        ("{% for i in (1..9) %}{% endfor %}", None),
        ("{% for i in p.n %}{% endfor %}", None),
    ],
)
def test_loops_that_end_where_a_value_says(source: str, origins: list[str] | None) -> None:
    assert [[one.text for one in loop.origins] for loop in inspect(source).ranges] == ([] if origins is None else [origins])


def test_a_template_that_cannot_be_read_is_told() -> None:
    with pytest.raises(TemplateSyntaxError):
        inspect("{% if %}")
    with pytest.raises(TemplateSyntaxError):
        inspect("{% unsubscribe_url %}")
    assert inspect("{% unsubscribe_url %}", links=True).chains == ()


SOURCES = st.lists(
    st.sampled_from(
        [
            "{% if a %}",
            "{% elsif b == blank %}",
            "{% else %}",
            "{% endif %}",
            "{% for x in (1..a) %}",
            "{% endfor %}",
            "{{ x | plus: a }}",
            "{{ 'ü' | upcase }}",
            "\n",
            "é ",
            "{% assign x = a | append: b %}",
            "{% capture c %}",
            "{% endcapture %}",
            "{% case a %}{% when 1 %}",
            "{% endcase %}",
            "{% liquid\n assign y = 1\n echo y\n%}",
            "{% cycle a, b %}",
            "{% increment n %}",
            "{% break %}",
            "{% unless a %}",
            "{% endunless %}",
        ]
    ),
    max_size=12,
).map("".join)


@given(SOURCES)
@example("{% liquid\n\n assign y = 1 | plus: a\n%}")
def test_what_compiles_can_be_inspected_and_places_lie_in_the_source(source: str) -> None:
    try:
        program = compile(source)
    except TemplateSyntaxError:
        with pytest.raises(TemplateSyntaxError):
            inspect(source)
        return
    found = inspect(source)
    lines = source.split("\n")
    for line, column in _places(found):
        assert lines[line - 1][column - 1]  # raises where there is no such place
    read = {".".join(variable.path) for variable in program.variables}
    assert {".".join(one.input.path) for one in found.chains if isinstance(one.input, Reading)} <= read


def _places(found: Inspection) -> list[tuple[int, int]]:
    calls = [(call.line, call.column) for chain in found.chains for call in chain.calls]
    chains = [(one.line, one.column) for one in found.chains]
    ranges = [(one.line, one.column) for one in found.ranges]
    return [*calls, *chains, *ranges, *((one.line, one.column) for one in found.given)]


# ---- filters -------------------------------------------------------------------------------------


def test_every_filter_says_what_it_is_meant_for() -> None:
    assert set(MEANT_FOR) == set(FILTERS)


def test_kinds_of_values() -> None:
    for kind, samples in SAMPLES.items():
        assert all(kind in kinds_of(value) for value in samples)
    assert kinds_of("12") == {ValueKind.TEXT, ValueKind.NUMBER}
    assert kinds_of(None) == frozenset()
    assert kinds_of(object()) == frozenset()


ARGUMENTS = {
    "money": '"EUR"',
    "date": '"%Y"',
    "divided_by": "2",
    "modulo": "2",
    "slice": "0",
    "concat": "list",
    "map": '"a"',
    "where": '"a"',
    "find": '"a"',
    "find_index": '"a"',
    "has": '"a"',
    "reject": '"a"',
}


@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"concat"}))
def test_a_filter_works_on_what_it_is_meant_for(name: str) -> None:
    """And what `tried_on` says is what a rendering does."""
    arguments = [ARGUMENTS.get(name, '"1"')] + ['"1"'] * max(FILTERS[name].fewest - 1, 0)
    markup = f"{{{{ x | {name}{': ' + ', '.join(arguments) if FILTERS[name].fewest else ''} }}}}"
    (chain,) = inspect(markup).chains
    (call,) = chain.calls
    program = compile(markup, now=datetime(2001, 2, 3, tzinfo=UTC))
    worked = set()
    for kind, samples in SAMPLES.items():
        for value in samples:
            failure = _failure(partial(call.tried_on, value))
            assert failure == _failure(partial(program.render, {"x": value}))
            if failure is None:
                worked.add(kind)
    if not name.endswith("_decode"):  # a sample is no Base64
        assert MEANT_FOR[name] <= worked


def _failure(act: Callable[[], Any]) -> str | None:
    try:
        act()
    except RenderError as error:
        return error.message
    return None


def test_a_trial_is_kept_short() -> None:
    (chain,) = inspect('{{ x | replace: "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }}').chains
    with pytest.raises(RenderError) as caught:
        chain.calls[0].tried_on("a" * 1_000)
    assert caught.value.limit == "value_bytes"
