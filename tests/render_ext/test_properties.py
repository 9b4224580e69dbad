"""The VM against the slow reference, on generated templates and data; and each escape against its reader."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from render_ext import Limits, RenderError, compile
from render_ext.errors import FilterError, LimitReached
from render_ext.filters import Surroundings
from tests.render_ext import reference

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
LIMITS = Limits(steps=200_000, value_bytes=20_000)
NAMES = ("a", "b", "list", "user", "x")
KEYS = ("name", "size", "first", "last", "a", "b")
PARTIALS = {
    "p": "<{{ p }}{{ i.name }}{{ a }}{% assign x = a %}{% increment n %}{{ forloop.index }}{{ forloop.parentloop.index }}>",
    "q": "{{ y }}{% if x %}{% break %}{% endif %}"
    "{% for y in p %}{{ y }}{{ forloop.parentloop.last }}{% continue %}{% endfor %}",
    "dir/r": "{% capture x %}{{ r }}{% cycle 'a', b %}{% render 'p' for list, a: r %}{% endcapture %}{{ x }}{{ n }}"
    "{% ifchanged %}{{ b }}{% endifchanged %}{% for i in a limit: 1 offset: continue %}{{ i }}{% endfor %}",
    "i": "{% include 'q' with b as p %}{% include 'p', a: i, i: a %}{{ tablerowloop.col }}",
}  # fmt: skip

# ---- data ------------------------------------------------------------------------------------------

texts = st.text(max_size=12) | st.sampled_from(["<b>&\"'", "a\r\nb", "\x00", "\ud800x", "é€😀", "12.5", "abc", " "])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)
people = st.fixed_dictionaries({"name": texts, "a": scalars}, optional={"size": scalars, "first": scalars, "b": plain})
contexts = st.fixed_dictionaries(
    {
        "a": scalars | plain,
        "b": st.sampled_from(["name", "a", 0, 1, -1]) | scalars,
        "user": people | plain,
        "list": st.lists(people | scalars, min_size=1, max_size=4) | plain,
    },
    optional={"x": st.integers(0, 3) | plain},
)

# ---- templates -------------------------------------------------------------------------------------

numbers = st.integers(-3, 9).map(str) | st.sampled_from(["1.5", "0.0", "10.25"])
quoted = st.sampled_from(['"text"', "'<i>'", '""', '" "', '"12"', "'name'", "'%Y'", "'é'"])
words = st.sampled_from(["nil", "true", "false", "empty", "blank"])


@st.composite
def paths(draw: st.DrawFn) -> str:
    found = draw(st.sampled_from([*NAMES, "forloop", "i", "y"]))
    for _ in range(draw(st.integers(0, 3))):
        key = draw(st.sampled_from([*KEYS, "index", "[0]", "[-1]", "[b]", '["name"]', "parentloop"]))
        found += key if key.startswith("[") else f".{key}"
    return found


simple = paths() | numbers | quoted | words
bounded = st.sampled_from(["", " limit:2", " offset:1", " limit:2 offset:1", " limit: x", " offset: b"])
expressions = simple | st.tuples(simple, simple).map(lambda ends: f"({ends[0]}..{ends[1]})")
bounded_expressions = paths() | quoted | words | st.tuples(st.integers(0, 3), st.integers(0, 5)).map("({0[0]}..{0[1]})".format)

calls = st.one_of(
    st.sampled_from(["escape", "upcase", "downcase", "capitalize", "strip", "size", "first", "last", "raw", "join"]),
    st.tuples(st.sampled_from(["plus", "minus", "times", "divided_by", "default", "join"]), simple).map(": ".join),
    st.tuples(st.sampled_from(["truncate"]), numbers).map(": ".join),
    simple.map("truncate: 5, {}".format),
    simple.map("default: {}, allow_false: true".format),
    st.sampled_from(["abs", "ceil", "floor", "round", "compact", "reverse", "sort", "sort_natural", "uniq", "sum", "json"]),
    st.sampled_from(["newline_to_br", "escape_once", "strip_html", "squish", "base64_encode", "url_encode", "split: ''"]),
    st.sampled_from(["map: 'name'", "where: 'a'", "find: 'name'", "has: 'a', 1", "sort: 'a'", "sum: 'a'", "uniq: 'name'"]),
    st.tuples(st.sampled_from(["append", "prepend", "remove", "split", "at_most", "modulo", "concat"]), simple).map(": ".join),
    st.tuples(simple, simple).map("replace: {0[0]}, {0[1]}".format),
    st.tuples(numbers, numbers).map("slice: {0[0]}, {0[1]}".format),
    st.sampled_from(["date: '%Y-%m-%d %H:%M'", "date: '%a %e %b, %-I %p'"]),
)
filtered = st.tuples(simple, st.lists(calls, max_size=3)).map(lambda parts: " | ".join([parts[0], *parts[1]]))
comparisons = st.tuples(simple, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "contains"]), simple).map(" ".join)
conditions = st.lists(simple | comparisons, min_size=1, max_size=3).flatmap(
    lambda parts: st.lists(st.sampled_from(["and", "or"]), min_size=len(parts) - 1, max_size=len(parts) - 1).map(
        lambda signs: " ".join(x for pair in zip(parts, [*signs, ""], strict=True) for x in pair)
    )
)
dashes = st.sampled_from(["", "-"])
literal = st.sampled_from(["text ", " ", "\n", "<p>", "é\r\n", "%}", "{ ", "😀", "'"])


def blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    bodies = st.lists(inner, max_size=3).map("".join)
    return st.one_of(
        st.tuples(dashes, conditions, bodies, dashes).map(lambda t: f"{{%{t[0]} if {t[1]} %}}{t[2]}{{% endif {t[3]}%}}"),
        st.tuples(conditions, bodies, conditions, bodies, bodies).map(
            lambda t: f"{{% if {t[0]} %}}{t[1]}{{% elsif {t[2]} %}}{t[3]}{{% else %}}{t[4]}{{% endif %}}"
        ),
        st.tuples(conditions, bodies).map(lambda t: f"{{% unless {t[0]} %}}{t[1]}{{% endunless %}}"),
        st.tuples(
            st.sampled_from(["i", "y"]),
            bounded_expressions,
            st.sampled_from(["", " reversed"]),
            bounded | st.just(" limit:1 offset: continue"),
            bodies,
            bodies,
        ).map(lambda t: f"{{% for {t[0]} in {t[1]}{t[2]}{t[3]} %}}{t[4]}{{% else %}}{t[5]}{{% endfor %}}"),
        st.tuples(
            st.sampled_from(["i", "y"]), bounded_expressions, st.sampled_from(["", " cols:2", " cols: b"]), bounded, bodies
        ).map(lambda t: f"{{% tablerow {t[0]} in {t[1]}{t[2]}{t[3]} %}}{t[4]}{{% endtablerow %}}"),
        st.tuples(simple, st.lists(simple, min_size=1, max_size=3).map(" or ".join), bodies, simple, bodies, bodies).map(
            lambda t: f"{{% case {t[0]} %}}{{% when {t[1]} %}}{t[2]}{{% else %}}{t[4]}{{% when {t[3]} %}}{t[5]}{{% endcase %}}"
        ),
        st.tuples(st.sampled_from(["x", "y", "a"]), bodies).map(lambda t: f"{{% capture {t[0]} %}}{t[1]}{{% endcapture %}}"),
        bodies.map("{{% ifchanged %}}{}{{% endifchanged %}}".format),
    )


parameters = st.lists(st.tuples(st.sampled_from(["a", "i", "x", "p"]), simple).map(": ".join), max_size=2).map(", ".join)
partials = st.tuples(
    st.sampled_from(["include 'p'", "include 'q'", "include 'i'", "render 'p'", "render 'q'", "render 'dir/r'"]),
    st.sampled_from(["", " with ", " for "]),
    bounded_expressions,
    st.sampled_from(["", " as p", " as y"]),
    parameters,
).map(lambda t: f"{{% {t[0]}{t[1] + t[2] + t[3] if t[1] else ''}{', ' if t[4] else ''}{t[4]} %}}")


leaves = st.one_of(
    literal,
    st.tuples(dashes, filtered, dashes).map(lambda t: f"{{{{{t[0]} {t[1]} {t[2]}}}}}"),
    st.tuples(st.sampled_from(["x", "y", "a"]), filtered).map(lambda t: f"{{% assign {t[0]} = {t[1]} %}}"),
    st.tuples(filtered, st.sampled_from(["x", "y", "a"]), filtered).map(
        lambda t: f"{{% liquid\necho {t[0]}\nif b\nassign {t[1]} = {t[2]}\nendif\n%}}"
    ),
    st.tuples(st.sampled_from(["", "a: ", "'g': "]), st.lists(simple, min_size=1, max_size=3).map(", ".join)).map(
        lambda t: f"{{% cycle {t[0]}{t[1]} %}}"
    ),
    st.tuples(st.sampled_from(["increment", "decrement"]), st.sampled_from(["x", "n"])).map("{{% {0[0]} {0[1]} %}}".format),
    partials,
    st.sampled_from(["{% break %}", "{% continue %}", "{% comment %}{{ x }}{% endcomment %}", "{% raw %}{{{% endraw %}"]),
)
templates = st.lists(st.recursive(leaves, blocks, max_leaves=10), min_size=3, max_size=6).map("".join)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(source=templates, values=contexts, escape=st.sampled_from(["none", "html", "url", "json", "header"]))
def test_the_vm_agrees_with_the_reference(source: str, values: dict[str, Any], escape: Any) -> None:
    around = Surroundings(NOW, ZoneInfo("UTC"), "en", LIMITS.value_bytes, escape == "html")
    program = compile(source, escape=escape, now=NOW, limits=LIMITS, partials=PARTIALS)
    try:
        expected = reference.render(source, values, escape, around, PARTIALS)
    except (FilterError, LimitReached, ValueError):
        with pytest.raises(RenderError):
            program.render(values)
        return
    assert program.render(values) == expected
    assert program.render_many([values, values]) == [expected.encode()] * 2


@given(st.text())
def test_escaped_html_reads_back(text: str) -> None:
    shown = compile("{{ x }}", escape="html").render({"x": text})
    assert not re.search("[<>\"']", shown)
    assert html.unescape(shown.replace("&#39;", "'")) == html.unescape(html.escape(reference.valid(text)))


@given(st.text())
def test_escaped_url_reads_back(text: str) -> None:
    shown = compile("{{ x }}", escape="url").render({"x": text})
    assert re.fullmatch(r"[A-Za-z0-9._~%-]*", shown)
    assert unquote(shown) == reference.valid(text)


@given(st.text())
def test_escaped_json_reads_back(text: str) -> None:
    shown = compile('"{{ x }}"', escape="json").render({"x": text})
    assert json.loads(shown) == reference.valid(text)
    assert not re.search("[<>&]", shown)


@given(st.text())
def test_a_header_value_is_one_line(text: str) -> None:
    shown = compile("{{ x }}{{ x | raw }}", escape="header").render({"x": text})
    assert not re.search(r"[\x00-\x1f\x7f]", shown)
