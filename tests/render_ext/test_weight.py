"""The least that a rendering costs and prints, held against renderings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import Estimate, Limits, RenderError, TemplateSyntaxError, compile, estimate, inspect

DATA: dict[str, Any] = {"two": [1, 2], "rows": [{"of": [1, 2, 3]}, {"of": [1]}], "none": [], "n": 3, "word": "ü"}


class Known:
    """Values that are all known, as content's own data is."""

    def known(self, path: tuple[str, ...]) -> Sequence[Any] | None:
        found: list[Any] = [DATA] if path[0] in DATA else []
        for key in path:
            if key == "*":
                found = [item for value in found if isinstance(value, list) for item in value]
            else:
                found = [value[key] for value in found if isinstance(value, dict) and key in value]
        return found if path[0] in DATA else None

    def is_something(self, path: tuple[str, ...]) -> bool:
        return path[0] in DATA


def least(source: str, steps: int = 1_000_000) -> Estimate:
    return estimate(inspect(source), Known(), steps=steps)


@pytest.mark.parametrize(
    ("source", "characters", "shown"),
    [
        ("äbc", 3, True),
        (" \n ", 3, False),
        ("{{ x }}", 0, False),
        ("{{ word }}", 1, True),
        ("{{ x | default: 'y' }}", 1, True),
        ("{{ x | default: '' }}", 0, False),
        ("{{ x | json }}", 1, True),
        ("{% if x %}{{ x }}{% else %}abc{% endif %}", 1, True),
        ("{% if x %}ab{% endif %}", 0, False),
        ("{% if x %}ab{% else %}abc{% endif %}", 2, True),
        ("{% case x %}{% when 1 %}ab{% endcase %}", 0, False),
        ("{% case x %}{% when 1 %}ab{% else %}a{% endcase %}", 1, True),
        ("{% for i in two %}abc{% endfor %}", 6, True),
        ("{% for i in two limit: 1 %}abc{% endfor %}", 3, True),
        ("{% for i in two offset: 1 %}abc{% endfor %}", 3, True),
        ("{% for i in two limit: x %}abc{% endfor %}", 0, False),
        ("{% for i in none %}abc{% endfor %}", 0, False),
        ("{% for i in x %}abc{% endfor %}", 0, False),
        ("{% for i in (1..n) %}abc{% endfor %}", 9, True),
        ("{% for r in rows %}{% for i in r.of %}a{% endfor %}{% endfor %}", 4, True),
        ("{% for i in rows[0].of %}a{% endfor %}", 1, True),
        ("{% for i in two %}a{% if x %}{% break %}{% endif %}b{% endfor %}", 1, True),
        ("{% for i in two %}a{% if x %}{% continue %}{% endif %}b{% endfor %}", 1, True),
        ("a{% break %}b", 1, True),
        ("{% capture c %}abc{% endcapture %}", 0, False),
        ("{% footnote %} ab {% endfootnote %}", 9, True),
        ("{% footnote %} {{ x }} {% endfootnote %}", 0, False),
        ("{% assign own = x %}{{ own }}", 1, True),
        ("{% comment %}abc{% endcomment %}", 0, False),
    ],
)
def test_what_is_printed_at_least(source: str, characters: int, shown: bool) -> None:
    found = least(source).least
    assert (found.characters, found.shown) == (characters, shown)


def test_bytes_are_those_of_utf_8() -> None:
    assert least("äbc").least.size == 4


@pytest.mark.parametrize(
    ("source", "heavy"),
    [
        ("{% for i in (1..10) %}x{% endfor %}", []),
        ("{% for i in (1..60) %}x{% endfor %}", [(True, 1, 4)]),
        ("\n{% for i in (1..8) %}{% for j in (1..8) %}x{% endfor %}{% endfor %}", [(True, 2, 4)]),
        ("{% if x %}{% for i in (1..60) %}x{% endfor %}{% endif %}", [(False, 1, 14)]),
        ("{% for i in x %}{% for i in (1..60) %}x{% endfor %}{% endfor %}", [(False, 1, 20)]),
        ("{% for i in none %}{% for i in (1..60) %}x{% endfor %}{% endfor %}", [(False, 1, 23)]),
        ("{% for i in (1..60) %}{% if x %}{% break %}{% endif %}x{% endfor %}", []),
        ("{% for i in two %}{% if x %}{% break %}{% endif %}{% for i in (1..60) %}x{% endfor %}{% endfor %}", [(False, 1, 54)]),
        ("{% for i in (1..x) %}x{% endfor %}", []),
    ],
)
def test_loops_that_are_too_heavy(source: str, heavy: list[tuple[bool, int, int]]) -> None:
    assert [(one.certain, one.line, one.column) for one in least(source, steps=100).heavy] == heavy


SOURCES = st.lists(
    st.sampled_from(
        [
            "{% if x %}",
            "{% else %}",
            "{% endif %}",
            "{% for i in two %}",
            "{% for r in rows %}",
            "{% for i in r.of %}",
            "{% endfor %}",
            "{% for i in (1..n) %}",
            "{% for i in two limit: 1 %}",
            "ab",
            "{{ word }}",
            "{{ x }}",
            "{% break %}",
            "{% continue %}",
            "{% capture c %}",
            "{% endcapture %}",
            "{% case n %}{% when 3 %}",
            "{% when 4 %}",
            "{% endcase %}",
            "{% ifchanged %}",
            "{% endifchanged %}",
            "{% footnote %}",
            "{% endfootnote %}",
            "{% tablerow i in two %}",
            "{% endtablerow %}",
            "{% assign y = 1 %}",
            "{% increment z %}",
            "ü",
            "{% cycle 1, 2 %}",
            "{% unless x %}",
            "{% endunless %}",
            "{% comment %}x{% endcomment %}",
        ]
    ),
    max_size=14,
).map("".join)


@given(SOURCES, st.sampled_from([None, True]))
def test_no_rendering_takes_less(source: str, x: bool | None) -> None:
    try:
        program = compile(source)
    except TemplateSyntaxError:
        return
    found = least(source).least
    printed = program.render({**DATA, "x": x})
    assert len(printed.encode()) >= found.size
    assert len(printed) >= found.characters
    assert printed.strip() or not found.shown
    if found.steps >= 2:
        with pytest.raises(RenderError):
            compile(source, limits=Limits(steps=int(found.steps) - 1)).render({**DATA, "x": x})
