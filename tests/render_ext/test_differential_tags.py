"""Tags against python-liquid: generated templates and those of the case files.

python-liquid follows Ruby's Liquid closely, not exactly. Where the two of us differ, the difference stands in DIFFERENCES with
its reason and an example, and the example must differ: what is not listed there is the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import liquid
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from render_ext import RenderExtError, compile
from tests.render_ext.test_cases import CASES, Case, read

ERROR = "error"


class Difference(NamedTuple):
    """Where we do as Ruby's Liquid does (or refuse what it lets pass), and python-liquid does not."""

    reason: str
    template: str
    ours: str
    theirs: str
    values: dict[str, Any] = {}  # noqa: RUF012
    partials: dict[str, str] = {}  # noqa: RUF012


ROW = '<tr class="row1">\n'
DIFFERENCES = [
    Difference("a captured text may be white space alone", "{% capture x %} {% endcapture %}[{{ x }}]", "[ ]", "[]"),
    Difference("so may what changed", "[{% ifchanged %} {% endifchanged %}]", "[ ]", "[]"),
    Difference("raw text is kept in a blank block", "{% if true %}{% raw %} {% endraw %}{% endif %}", " ", ""),
    Difference("a dash on the inner side of raw changes nothing", "{% raw -%} a {% endraw %} b", " a  b", " a b"),
    Difference("a dash on the outer side does", "{% raw %}a{% endraw -%} b", "ab", "a b"),
    Difference("a name in quotes can be captured to", "{% capture 'x' %}a{% endcapture %}{{ x }}", "a", ERROR),
    Difference(
        "an interrupted capture keeps what it has",
        "{% for i in (1..2) %}{% capture x %}a{% break %}{% endcapture %}{% endfor %}{{ x }}", "a", "",
    ),
    Difference(
        "an interrupted ifchanged prints what it has",
        "{% for i in (1..2) %}{% ifchanged %}a{% break %}{% endifchanged %}{% endfor %}", "a", "",
    ),
    Difference("a list in a cycle is joined as in an output", "{% cycle l %}", "12", "1[2]", {"l": [1, [2]]}),
    Difference("a counter begins at the value of its name", "{% increment n %}{{ n }}", "56", "05", {"n": 5}),
    Difference("echo without a value prints nothing", "{% echo %}a", "a", ERROR),
    Difference("liquid may be empty", "{% liquid %}a", "a", ERROR),
    Difference("any line may stand in a comment in liquid", "{% liquid\ncomment\n%%\nendcomment\n%}", "", ERROR),
    Difference("comments nest in liquid", "{% liquid\ncomment\ncomment\nendcomment\nendcomment\n%}", "", ERROR),
    Difference("raw in liquid (Ruby's has none)", "{% liquid\nraw\nx {\nendraw\n%}", "x {\n", ERROR),
    Difference("an empty list is an empty row", "{% tablerow x in l %}{% endtablerow %}", f"{ROW}</tr>\n", "", {"l": []}),
    Difference(
        "no columns are one row",
        "{% tablerow x in (1..1) cols: 0 %}{{ tablerowloop.row }}{% endtablerow %}",
        f'{ROW}<td class="col1">1</td></tr>\n', f'{ROW}<td class="col1">2</td></tr>\n',
    ),
    Difference(
        "a limit that is nothing is 0 in a tablerow",
        "{% tablerow x in (1..1) limit: nope %}{% endtablerow %}",
        f"{ROW}</tr>\n", f'{ROW}<td class="col1"></td></tr>\n',
    ),
    Difference(
        "an assigned tablerowloop keeps its row (it is a copy)",
        "{% tablerow x in (1..1) %}{% assign t = tablerowloop %}{% endtablerow %}{{ t.row }}",
        f'{ROW}<td class="col1"></td></tr>\n1', f'{ROW}<td class="col1"></td></tr>\n2',
    ),
    Difference(
        "a tablerow leaves nothing to continue",
        "{% tablerow i in (1..1) %}{% endtablerow %}{% for i in (1..1) offset: continue %}x{% endfor %}",
        f'{ROW}<td class="col1"></td></tr>\nx', f'{ROW}<td class="col1"></td></tr>\n',
    ),
    Difference("a limit of 0 takes nothing", "{% for x in (1..3) limit: 0 %}x{% endfor %}", "", "xxx"),
    Difference("a negative limit takes nothing", "{% for x in (1..3) limit: -1 %}x{% endfor %}", "", ERROR),
    Difference("a pair is printed as a list", "{% for p in o %}{{ p }}{% endfor %}", "a1", "('a', 1)", {"o": {"a": 1}}),
    Difference("break outside a loop ends the template", "a{% break %}b", "a", ERROR),
    Difference("white space is blank, false and nothing are", "{% if nope == blank %}a{% endif %}", "a", ""),
    Difference("blank and empty may have keys", "{{ empty.a }}", "1", ERROR, {"empty": {"a": 1}}),
    Difference("include for a range", "{% include 'p' for (1..3) %}", "1..3", ERROR, {}, {"p": "{{ p }}"}),
    Difference("render for a range", "{% render 'p' for (1..3) %}", "123", ERROR, {}, {"p": "{{ p }}"}),
    Difference("render for an object", "{% render 'p' for o %}", "1", "", {"o": {"a": 1}}, {"p": "{{ p[1] }}"}),
    Difference(
        "each item of a render begins anew", "{% render 'p' for l %}", "aa", "ab", {"l": [1, 2]}, {"p": "{% cycle 'a', 'b' %}"},
    ),
    Difference(
        "a render within a render sees no parameters",
        "{% render 'a', x: 1 %}", "", "1", {}, {"a": "{% render 'b' %}", "b": "{{ x }}"},
    ),
    Difference("break in a partial that is rendered ends it", "{% render 'p' %}b", "ab", ERROR, {}, {"p": "a{% break %}c"}),
    Difference("break in an include outside a loop ends all", "{% include 'p' %}b", "a", ERROR, {}, {"p": "a{% break %}c"}),
    Difference("an include's name is written out", "{% include p %}", ERROR, "a", {"p": "q"}, {"q": "a"}),
    Difference(
        "a parameter of an include sees those before it", "{% include 'p', a: 1, b: a %}", "1", "", {}, {"p": "{{ b }}"},
    ),
]  # fmt: skip


def ours(template: str, values: dict[str, Any], partials: dict[str, str]) -> str:
    """What comes of it here."""
    try:
        return compile(template, partials=partials).render(values)
    except RenderExtError:
        return ERROR


def theirs(template: str, values: dict[str, Any], partials: dict[str, str]) -> str:
    """What comes of it there."""
    environment = liquid.Environment(loader=liquid.DictLoader(partials))
    try:
        return environment.from_string(template).render(**values)
    except Exception:  # a negative limit, for one, is no error of theirs
        return ERROR


@pytest.mark.parametrize("found", DIFFERENCES, ids=[found.reason for found in DIFFERENCES])
def test_what_is_listed_as_different_is(found: Difference) -> None:
    assert ours(found.template, found.values, found.partials) == found.ours
    assert theirs(found.template, found.values, found.partials) == found.theirs


# ---- the case files --------------------------------------------------------------------------------------------------------
# Those in which a listed difference shows; all others come out the same.

TOLD = {
    "tags_capture: a name in quotes", "tags_capture: white space in it is kept",
    "tags_capture: break ends the capture and the loop", "tags_capture: break in two captures",
    "tags_cycle_and_counters: values that are lists and nothing", "tags_cycle_and_counters: a number given is where it starts",
    "tags_cycle_and_counters: a fraction given", "tags_ifchanged: white space", "tags_ifchanged: break in it",
    "tags_liquid_and_echo: echo nothing", "tags_liquid_and_echo: empty", "tags_liquid_and_echo: a comment in several",
    "tags_liquid_and_echo: comments in comments", "tags_liquid_and_echo: raw lines",
    "tags_comments_and_raw: raw keeps dashes inside", "tags_comments_and_raw: raw takes white space outside",
    "tags_comments_and_raw: raw in a blank block is kept", "tags_tablerow: cols that are no number",
    "tags_tablerow: limit that is nothing is 0", "tags_tablerow: an empty list is an empty row",
    "tags_tablerow: a number is an empty row", "tags_tablerow: break in a capture in a cell",
    "tags_tablerow: the object itself", "tags_loops: a negative limit", "tags_loops: over an object",
    "tags_loops: continue outside a loop ends the template",
    "tags_include: for a range", "tags_include: a path is called by its last part", "tags_include: as without a value",
    "tags_include: a parameter sees the ones before it", "tags_include: break outside a loop ends the template",
    "tags_include: break in a capture", "tags_render: for a range", "tags_render: for an object",
    "tags_render: for a text is once", "tags_render: the value before a parameter of its name",
    "tags_render: each item begins anew", "tags_render: counters begin at 0 in it", "tags_render: break ends the partial only",
    "tags_render: break ends one item only", "tags_render: render in render", "tags_render: used often",
}  # fmt: skip


def comparable() -> list[tuple[str, Case]]:
    """The cases of tags that print something and need none of our options."""
    found = []
    for path in sorted(CASES.glob("tags_*.txt")):
        for case in read(path):
            options = {key for key in json.loads(case.context) if key.startswith("$")}
            if options <= {"$partials"} and not case.expected.startswith(("TemplateSyntaxError", "RenderError")):
                found.append((f"{path.stem}: {case.title}", case))
    return found


@pytest.mark.parametrize(("title", "case"), comparable(), ids=[title for title, _ in comparable()])
def test_a_case_comes_out_the_same(title: str, case: Case) -> None:
    values = json.loads(case.context)
    partials = values.pop("$partials", {})
    assert (theirs(case.template, values, partials) == case.expected) == (title not in TOLD)


# ---- generated templates ---------------------------------------------------------------------------------------------------

PARTIALS = {
    "p": "<{{ p }}{{ a }}{% assign x = a %}{{ x }}>",
    "q": "{% for i in l %}{{ i }}{{ forloop.last }}{% endfor %}{% cycle 'a', 'b' %}{{ n }}",
    "r": "{% include 'q' %}{% include 'p' with n, a: 2 %}",
}
simple = st.sampled_from(
    ["n", "s", "t", "x", "y", "1", "2", "'a'", "'2'", "nil", "true", "l.size", "o.k", "l[0]", "forloop.index"]
)
lists = st.sampled_from(["l", "o.l", "(1..3)", "(n..4)", "nope", "l2"])
bounds = st.sampled_from(["", " limit: 2", " offset: 1", " limit: 1 offset: 1", " limit: l2[2]"])
conditions = st.tuples(simple, st.sampled_from(["==", "!=", "<>"]), simple).map(" ".join) | simple
ends = st.sampled_from(["", "{% break %}", "{% continue %}"])


def filled(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A template with parts in the places of `@`."""
    return st.tuples(*parts).map(lambda found: fill(pattern, found))


def fill(pattern: str, found: Sequence[str]) -> str:
    return "".join(piece + part for piece, part in zip(pattern.split("@"), [*found, ""], strict=True))


BODY = None  # in a pattern below: one of the templates made so far
BLOCKS: list[tuple[str, list[st.SearchStrategy[str] | None]]] = [
    ("{% if @ and @ %}@{% elsif @ %}@{% else %}@{% endif %}", [conditions, conditions, BODY, conditions, BODY, BODY]),
    ("{% unless @ or @ %}@{% endunless %}", [conditions, conditions, BODY]),
    ("{% case @ %}{% when @, @ %}@{% else %}@{% when @ %}@{% endcase %}", [simple, simple, simple, BODY, BODY, simple, BODY]),
    ("{%- for i in @@ -%} @@ {%- else %}@{% endfor %}", [lists, bounds, BODY, ends, BODY]),
    ("{% for i in @ limit: 1 %}@{% endfor %}{% for i in @ offset: continue %}@{% endfor %}", [lists, BODY, lists, BODY]),
    ("{% for j in @ reversed @ %}{{ forloop.parentloop.index }}{{ forloop.rindex }}@{% endfor %}", [lists, bounds, BODY]),
    ("{% tablerow cell in (1..@) cols: 2 %}{{ tablerowloop.row }}@{% endtablerow %}", [st.sampled_from("1234"), BODY]),
    ("{% capture y %}@{% endcapture %}{{ y }}", [BODY]),
    ("{% ifchanged %}@{% endifchanged %}", [BODY]),
    ("{% liquid\nif @\necho @\nelse\nassign x = @\nendif\n# @\n%}", [conditions, simple, simple, simple]),
]


@st.composite
def blocks(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    pattern, parts = draw(st.sampled_from(BLOCKS))
    found = ["".join(draw(st.lists(inner, max_size=3))) + "." if part is BODY else draw(part) for part in parts]  # never blank
    return fill(pattern, found)


leaves = st.one_of(
    st.sampled_from(
        [" text ", "\n", "<b>", "{%- comment -%} {{ x }} {%- endcomment %}", "{% # note %}", "{% doc %}{{{% enddoc %}"]
    ),
    filled("{{ @ }}", simple),
    filled("{{- @ | upcase -}}", simple),
    filled("{% echo @ %}", simple),
    filled("{% assign @ = @ %}", st.sampled_from("xy"), simple),
    filled("{% cycle 'a', 'b', 'c' %}{% cycle @: 1, 2 %}", st.sampled_from(["'g'", "s", "nope"])),
    filled("{% @crement c %}{{ c }}", st.sampled_from(["in", "de"])),
    filled("{% include 'p', a: @ %}", simple),
    filled("{% include '@' %}", st.sampled_from("qr")),
    filled("{% include 'p' for @, a: 1 %}", st.sampled_from(["l", "n"])),
    filled("{% render 'p', a: @ %}", simple),
    filled("{% render 'p' for @ %}", st.sampled_from(["l", "n"])),
    filled("{% render 'q' with @ as n %}", st.sampled_from(["s", "n"])),
)
templates = st.lists(st.recursive(leaves, blocks, max_leaves=8), min_size=1, max_size=5).map("".join)
values = st.fixed_dictionaries(
    {
        "n": st.integers(0, 4),
        "s": st.sampled_from(["", "a", "é", "2"]),
        "t": st.booleans(),
        "l": st.lists(st.integers(0, 3) | st.sampled_from(["a", "b"]), max_size=4),
        "l2": st.just([1, 1, 2, 2, 3]),
        "o": st.fixed_dictionaries({"k": st.sampled_from([1, "a"]), "l": st.lists(st.integers(0, 3), max_size=3)}),
    }
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(templates, values)
def test_a_generated_template_comes_out_the_same(template: str, values: dict[str, Any]) -> None:
    assert ours(template, values, PARTIALS) == theirs(template, values, PARTIALS)
