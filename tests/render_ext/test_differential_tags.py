"""Tags against python-liquid: generated templates and those of the case files.

python-liquid follows Ruby's Liquid closely, not exactly. Where the two of us differ, the difference stands in DIFFERENCES with
its reason and an example, and the example must differ: what is not listed there is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import liquid
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from render_ext import RenderExtError, compile
from render_ext.parser import Parser
from tests.render_ext.test_cases import CASES, Case, read

ERROR = "error"
THEIRS = liquid.Environment()
TAG = re.compile(r"\{%-?\s*(\w+|#)")


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
    Difference(
        "an empty list, and what is none, is an empty row",
        "{% tablerow x in l %}{% endtablerow %}", f"{ROW}</tr>\n", "", {"l": []},
    ),
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
    Difference(
        "before a when, empty and blank are the empty text", "{% case empty %}{% when l %}a{% endcase %}", "", "a", {"l": []},
    ),
    Difference(
        "a when reads its values one after the other, each after what the one before has done",
        "{% case n %}{% when n, x %}{% assign x = n %}a{% endcase %}", "aa", "a", {"n": 0},
    ),
    Difference("blank and empty may have keys", "{{ empty.a }}", "1", ERROR, {"empty": {"a": 1}}),
    Difference("what a partial gets may be written out", "{% render 'p' for 'abc' %}", "abc", ERROR, {}, {"p": "{{ p }}"}),
    Difference("as is possible without a value", "{% include 'p' as a %}", "", ERROR, {}, {"p": "{{ a }}"}),
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
# Those in which a listed difference shows, by its reason; all others come out the same.

TOLD = {
    "a captured text may be white space alone": ["tags_capture: white space in it is kept"],
    "so may what changed": ["tags_ifchanged: white space"],
    "raw text is kept in a blank block": ["tags_comments_and_raw: raw in a blank block is kept"],
    "a dash on the inner side of raw changes nothing": ["tags_comments_and_raw: raw keeps dashes inside"],
    "a dash on the outer side does": ["tags_comments_and_raw: raw takes white space outside"],
    "a name in quotes can be captured to": ["tags_capture: a name in quotes"],
    "an interrupted capture keeps what it has": [
        "tags_capture: break ends the capture and the loop", "tags_capture: break in two captures",
        "tags_include: break in a capture", "tags_tablerow: break in a capture in a cell",
    ],
    "an interrupted ifchanged prints what it has": ["tags_ifchanged: break in it"],
    "a list in a cycle is joined as in an output": ["tags_cycle_and_counters: values that are lists and nothing"],
    "a counter begins at the value of its name": [
        "tags_cycle_and_counters: a number given is where it starts", "tags_cycle_and_counters: a fraction given",
        "tags_render: counters begin at 0 in it",  # that outside of it does not
    ],
    "echo without a value prints nothing": ["tags_liquid_and_echo: echo nothing"],
    "liquid may be empty": ["tags_liquid_and_echo: empty"],
    "any line may stand in a comment in liquid": ["tags_liquid_and_echo: a comment in several"],
    "comments nest in liquid": ["tags_liquid_and_echo: comments in comments"],
    "raw in liquid (Ruby's has none)": ["tags_liquid_and_echo: raw lines"],
    "an empty list, and what is none, is an empty row": [
        "tags_tablerow: an empty list is an empty row", "tags_tablerow: a number is an empty row",
    ],
    "no columns are one row": ["tags_tablerow: cols that are no number"],  # which is 0
    "a limit that is nothing is 0 in a tablerow": ["tags_tablerow: limit that is nothing is 0"],
    "an assigned tablerowloop keeps its row (it is a copy)": ["tags_tablerow: the object itself"],
    "a negative limit takes nothing": ["tags_loops: a negative limit"],
    "a pair is printed as a list": ["tags_loops: over an object"],
    "break outside a loop ends the template": ["tags_loops: continue outside a loop ends the template"],
    "before a when, empty and blank are the empty text": [
        "tags_case: empty and blank are words of a when; before it they are the empty text",
    ],
    "what a partial gets may be written out": [
        "tags_include: a path is called by its last part",  # and gets a 5
        "tags_render: for a text is once", "tags_render: the value before a parameter of its name",
    ],
    "as is possible without a value": ["tags_include: as without a value"],
    "include for a range": ["tags_include: for a range"],
    "render for a range": ["tags_render: for a range", "tags_render: used often"],
    "render for an object": ["tags_render: for an object"],
    "each item of a render begins anew": ["tags_render: each item begins anew"],
    "a render within a render sees no parameters": ["tags_render: render in render"],
    "break in a partial that is rendered ends it": [
        "tags_render: break ends the partial only", "tags_render: break ends one item only",
    ],
    "break in an include outside a loop ends all": ["tags_include: break outside a loop ends the template"],
    "a parameter of an include sees those before it": ["tags_include: a parameter sees the ones before it"],
}  # fmt: skip
DIFFERENT = {title for titles in TOLD.values() for title in titles}


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
    assert (theirs(case.template, values, partials) == case.expected) == (title not in DIFFERENT)


def test_every_case_that_differs_has_its_reason() -> None:
    assert set(TOLD) <= {found.reason for found in DIFFERENCES}
    assert {title for title, _ in comparable()} >= DIFFERENT


# ---- generated templates ---------------------------------------------------------------------------------------------------

PARTIALS = {
    "p": "<{{ p }}{{ a }}{% assign x = a %}{{ x }}>",
    "q": "{% for i in l %}{{ i }}{{ forloop.last }}{% endfor %}{% cycle 'a', 'b' %}{{ n }}",
    "r": "{% include 'q' %}{% include 'p' with n, a: 2 %}",
}
simple = st.sampled_from(
    ["n", "s", "t", "x", "y", "1", "2", "'a'", "'2'", "nil", "true", "l.size", "o.k", "l[0]", "forloop.index"]
)
steady = simple.filter(lambda name: name not in ("x", "y"))  # which no branch assigns
lists = st.sampled_from(["l", "o.l", "(1..3)", "(n..4)", "nope", "l2"])
bounds = st.sampled_from(["", " limit: 2", " offset: 1", " limit: 1 offset: 1", " limit: l2[2]"])
whole = st.sampled_from(["n", "1", "2", "l.size", "l2[2]", "s.size", "forloop.index", "nope", "nil"])
written = st.sampled_from(["s", "'a'", "'2'", "''", "'b'"])
conditions = st.one_of(
    simple,
    st.tuples(simple, st.sampled_from(["==", "!=", "<>"]), simple).map(" ".join),
    st.tuples(whole, st.sampled_from(["<", "<=", ">", ">="]), whole).map(" ".join),
    st.tuples(written, st.sampled_from(["<", "<=", ">", ">="]), written).map(" ".join),
    st.tuples(st.sampled_from(["l", "l2", "s", "nope", "(1..3)", "(n..4)"]), st.just("contains"), whole).map(" ".join),
    st.tuples(st.sampled_from(["l", "s", "o", "'ab'"]), st.just("contains"), written).map(" ".join),
    st.tuples(st.sampled_from(["l", "s", "o", "n", "t"]), st.sampled_from(["==", "!="]), st.just("empty")).map(" ".join),
)
ENDS = ["", "{% break %}", "{% continue %}"]


def fill(pattern: str, found: Sequence[str]) -> str:
    """A template with parts in the places of `@`."""
    return "".join(piece + part for piece, part in zip(pattern.split("@"), [*found, ""], strict=True))


BODY = None  # in a pattern below: one of the templates made so far
BLOCKS: list[tuple[str, list[st.SearchStrategy[str] | None]]] = [
    ("{% if @ and @ %}@{% elsif @ %}@{% else %}@{% endif %}", [conditions, conditions, BODY, conditions, BODY, BODY]),
    ("{% unless @ or @ %}@{% endunless %}", [conditions, conditions, BODY]),
    ("{% case @ %}{% when @, @ %}@{% else %}@{% when @ %}@{% endcase %}", [steady, steady, steady, BODY, BODY, steady, BODY]),
    ("{%- for i in @@ -%} @@ {%- else %}@{% endfor %}", [lists, bounds, BODY, st.sampled_from(ENDS), BODY]),
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


LEAVES: list[tuple[str, list[st.SearchStrategy[str]]]] = [
    (" text ", []),
    ("\n", []),
    ("<b>", []),
    ("{%- comment -%} {{ x }} {%- endcomment %}", []),
    ("{% # note %}", []),
    ("{% doc %}{{{% enddoc %}", []),
    ("{% raw %}{{ x }} {% if %}{% endraw %}", []),
    ("{{ @ }}", [simple]),
    ("{{- @ | upcase -}}", [simple]),
    ("{% echo @ %}", [simple]),
    ("{% assign @ = @ %}", [st.sampled_from("xy"), simple]),
    ("{% cycle 'a', 'b', 'c' %}{% cycle @: 1, 2 %}", [st.sampled_from(["'g'", "s", "nope"])]),
    ("{% increment c %}{{ c }}", []),
    ("{% decrement c %}{{ c }}", []),
    ("{% include 'p', a: @ %}", [simple]),
    ("{% include '@' %}", [st.sampled_from("qr")]),
    ("{% include 'p' for @, a: 1 %}", [st.sampled_from(["l", "n"])]),
    ("{% render 'p', a: @ %}", [simple]),
    ("{% render 'p' for @ %}", [st.sampled_from(["l", "n"])]),
    ("{% render 'q' with @ as n %}", [st.sampled_from(["s", "n"])]),
]
leaves = st.sampled_from(LEAVES).flatmap(lambda leaf: st.tuples(*leaf[1]).map(lambda found: fill(leaf[0], found)))
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


def test_every_tag_is_held_against_python_liquid() -> None:
    ours = set(Parser("", "template", 1, links=False).tags) | {"liquid", "raw", "doc"}
    assert ours - set(THEIRS.tags) == {"footnote", "fragment", "raw"}  # two of ours; and theirs, but no tag of its own there
    assert set(THEIRS.tags) - ours == {"content", "illegal", "output"}  # names for what is no tag
    patterns = [*ENDS, *(pattern for pattern, _ in [*BLOCKS, *LEAVES])]
    assert {name for pattern in patterns for name in TAG.findall(pattern)} >= ours - {"footnote", "fragment"}
