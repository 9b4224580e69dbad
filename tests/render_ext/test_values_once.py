"""Paths that stand several times are looked up once per rendering, and mean the same as if they were looked up each time."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from render_ext import compile

PATHS = ("a.b", "a.c", "a.b.size", 'a["b"]', 'a.b["size"]', "a.b.first", "x.y", "list.first", "list[0]", "list.size")
OBJECTS = st.sampled_from(["t", "<", None, ["u", 1], {"size": 9}])
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "a": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"b": OBJECTS})),
        "x": st.fixed_dictionaries({}, optional={"y": st.booleans()}),
        "list": st.lists(st.integers(0, 9), max_size=2),
    },
)  # fmt: skip


def each(paths: list[str], values: dict[str, Any]) -> str:
    """Every path in a template of its own."""
    return "|".join(compile(f"{{{{ {path} }}}}", escape="html").render(values) for path in paths)


@given(st.lists(st.sampled_from(PATHS), min_size=1, max_size=12), st.lists(VALUES, min_size=1, max_size=3))
def test_they_print_what_they_print_alone(paths: list[str], rows: list[dict[str, Any]]) -> None:
    program = compile("|".join(f"{{{{ {path} }}}}" for path in paths), escape="html")
    assert program.render_many(rows) == [each(paths, row).encode() for row in rows]
    assert [program.render(row) for row in rows] == [each(paths, row) for row in rows]


def test_what_the_template_assigns_comes_first_all_the_same() -> None:
    source = "{{ a.b }}{{ a.b }}{% assign a = x %}{{ a.b }}{{ x.b }}{{ x.b }}{% for x in list %}{{ x.b }}{% endfor %}{{ x.b }}"
    values = {"a": {"b": 1}, "x": {"b": 2}, "list": [{"b": 3}, {"b": 4}]}
    assert compile(source).render(values) == "11222342"


def test_partials_read_the_same_values() -> None:
    partials = {"p": "{{ a.b }}{{ a.b }}{{ c.d }}", "q": "{% assign c = a %}{{ c.b }}{{ a.b }}"}
    source = '{{ a.b }}{% render "p", c: a %}{% include "p" %}{% render "q" %}{{ c.d }}{{ a.b }}'
    assert compile(source, partials=partials).render({"a": {"b": 1, "d": 2}, "c": {"d": 3}}) == "11121131131"
