"""Whichever way a rendering goes through the conditions of a document, it has what is added exactly once."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.content.html.insertions import MOST_PLACES, insert_at_end, insert_preheader
from render_ext import compile as compile_template

MARK = "[E]"
FLAGS = ("a", "b")


def marked(html: str) -> str:
    """With both additions, written in short."""
    made = insert_at_end(insert_preheader(html, "pre"), MARK)
    return re.sub(r'<div style="display:none.*?</div>', "[P]", made, flags=re.DOTALL)


def renderings(source: str) -> list[str]:
    """What is made for every kind of recipient."""
    program = compile_template(source, escape="html")
    return [program.render(dict(zip(FLAGS, chosen, strict=True))) for chosen in product((1, 2, None), repeat=len(FLAGS))]


F, M = "<html><body>F</body></html>", "<html><body>M</body></html>"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            f"{{% if a %}}{F}{{% else %}}{M}{{% endif %}}",
            "{% if a %}<html><body>[P]F[E]</body></html>{% else %}<html><body>[P]M[E]</body></html>{% endif %}",
        ),
        (
            "<html>{% if a %}<body class=a>{% else %}<body class=b>{% endif %}x</body></html>",
            "<html>{% if a %}<body class=a>[P]{% else %}<body class=b>[P]{% endif %}x[E]</body></html>",
        ),
        ("{% if a %}<body>{% endif %}x</body>", "{% if a %}<body>[P]{% else %}[P]{% endif %}x[E]</body>"),
        (
            "{% case a %}{% when 1 %}<body>x{% when 'b', 'c' %}<body>y{% endcase %}</body>",
            "{% case a %}{% when 1 %}<body>[P]x{% when 'b', 'c' %}<body>[P]y{% else %}[P]{% endcase %}[E]</body>",
        ),
        ("{% case a %}{% when b %}<body>x{% endcase %}", "[P]{% case a %}{% when b %}<body>x{% endcase %}[E]"),
        ("{% case a %}{% when 1, 01 %}<body>x{% endcase %}", "[P]{% case a %}{% when 1, 01 %}<body>x{% endcase %}[E]"),
        ("{% for i in a %}<body>x</body>{% endfor %}", "[P]{% for i in a %}<body>x</body>{% endfor %}[E]"),
        ("{% if a %}</head>{% endif %}<body>x", "{% if a %}</head>{% endif %}<body>[P]x[E]"),
        (
            "<html><style>{% if a %}</style><body>{% else %}</style>{% endif %}",
            "<html>[P]<style>{% if a %}</style><body>{% else %}</style>{% endif %}[E]",
        ),
        (
            "{% if a %}x</body>{% else %}<style>{% endif %}</style>",
            "[P]{% if a %}x</body>{% else %}<style>{% endif %}</style>[E]",
        ),
        ("<html><body {% if a %}>x{% else %}id=b>{% endif %}", "<html>[P]<body {% if a %}>x{% else %}id=b>{% endif %}[E]"),
        ("x{% if a %}y<p title='{% endif %}never closed", "[P]x[E]{% if a %}y<p title='{% endif %}never closed"),
        (
            "{% fragment 'layout' %}<body>{% endfragment %}x{% fragment 'end' %}</body>{% endfragment %}",
            "{% fragment 'layout' %}<body>[P]{% endfragment %}x{% fragment 'end' %}[E]</body>{% endfragment %}",
        ),
        (
            "{% fragment 'page' for a as b %}<body>x</body>{% endfragment %}",
            "[P]{% fragment 'page' for a as b %}<body>x</body>{% endfragment %}[E]",
        ),
    ],
)
def test_additions_stand_in_each_body_that_a_condition_chooses(html: str, expected: str) -> None:
    assert marked(html) == expected


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    flag = st.sampled_from(FLAGS)
    tests = st.builds("{} == {}".format, flag, st.sampled_from(["1", "2", "nil"]))
    whens = st.sampled_from(["1", "2", "'x'", "1, 2", "1 or 1", "b", "01", "nil"])
    return st.one_of(
        st.builds("{{% if {} %}}{}{{% endif %}}".format, tests, inner),
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, tests, inner, inner),
        st.builds("{{% unless {} %}}{}{{% elsif {} %}}{}{{%- endunless -%}}".format, tests, inner, tests, inner),
        st.builds("{{% case {} %}}{{% when {} %}}{}{{% endcase %}}".format, flag, whens, inner),
        st.builds(
            "{{% case {} %}}{{%- when {} -%}}{}{{% when {} %}}{}{{% else %}}{}{{% endcase %}}".format,
            flag, whens, inner, whens, inner, inner,
        ),
        st.builds("{{% for i in (1..{}) %}}{}{{% else %}}{}{{% endfor %}}".format, flag, inner, inner),
        st.builds("{{% capture c %}}{}{{% endcapture %}}{{{{ c }}}}{{{{ c }}}}".format, inner),
        st.builds("{{% ifchanged %}}{}{{% endifchanged %}}".format, inner),
        st.lists(inner, max_size=4).map("".join),
    )  # fmt: skip


PIECES = st.sampled_from(
    [
        "x", F, "<!doctype html>", "<html>", "<head></head>", "<body>", "</body>", "</html>", "<style>", "</style>",
        "<p title='", "'>", "<!--", "-->", "<!--[if mso]>", "<![endif]-->", "<body ", "",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.recursive(PIECES, _blocks, max_leaves=12))
def test_every_rendering_has_each_addition_once(html: str) -> None:
    for rendering in renderings(marked(html)):
        assert (rendering.count("[P]"), rendering.count(MARK)) == (1, 1), rendering


def test_deep_and_wide_blocks_are_looked_at_once() -> None:
    inner = "</style><!doctype html><html></head><body>"
    deep = "<style>" + "{% if a %}" * 90 + inner + "{% endif %}" * 90
    assert marked(deep) == f"[P]{deep}[E]"
    wide = "{% case a %}" + "".join(f"{{% when {n} %}}{{% if b %}}<body>{{% endif %}}" for n in range(20_000)) + "{% endcase %}"
    assert marked(wide) == f"[P]{wide}[E]"


@pytest.mark.parametrize(
    "html", ["{% if a == N %}<body>x</body>{% endif %}", "{% if a == N %}<body>x{% else %}", "<body></body>"]
)
def test_additions_stand_only_in_so_many_places(html: str) -> None:
    source = "".join(html.replace("N", str(number)) for number in range(90)) + "{% endif %}" * (90 * html.count("{% else"))
    made = marked(source)
    assert max(made.count("[P]"), made.count(MARK)) <= MOST_PLACES
    assert [(one.count("[P]"), one.count(MARK)) for one in renderings(made)] == [(1, 1)] * 9
