"""Liquid in style sheets: what can be moved into elements is, and of the rest nothing is cut out and nothing is lost."""

from __future__ import annotations

import pytest

from core.content.html.inlining import inline_css


def body(css: str) -> str:
    """`<p>` with what was written into it; the style sheet itself never changes."""
    head = f"<style>{css}</style>"
    made = inline_css(head + "<p>").source
    assert made.startswith(head)
    return made.removeprefix(head)


def warned(css: str) -> list[str]:
    """The first words of what is told."""
    found = inline_css(f"<style>{css}</style><p>").warnings
    assert all(warning.code == "CSS_NOT_INLINED" for warning in found)
    return [" ".join(warning.message.split()[:3]) for warning in found]


BOTH = "this style is"
MOVED = "a style has"
PLACE = "this Liquid is"
CUT = "a block of"


@pytest.mark.parametrize(
    ("css", "added", "told"),
    [
        # within a value
        ("p{width:{% echo w %}0px}", "width: {% echo w %}0px", []),
        ("p{width:{% if a %}1{% else %}2{% endif %}00px;c:d}", "c: d", [MOVED]),
        ("p{width:{% for i in l %}{{ i }}{% endfor %};c:d}", "c: d", [MOVED]),
        ("p{width:{% cycle 1, 2 %}px;c:d}", "c: d", [MOVED]),
        ("p{width:{% increment n %}px;c:d}", "c: d", [MOVED]),
        ("p{width:{% liquid\n echo w\n%}px;c:d}", "c: d", [MOVED]),
        ("p{a:x{% if a %};b:c{% endif %};c:d}", "c: d", [MOVED]),
        ("p{c:{% raw %}red 1px{% endraw %}}", "c: {% raw %}red 1px{% endraw %}", []),
        ("p{a:b{% comment %}x{% endcomment %}c}", "a: bc", []),
        ("p{a:0 {%- assign x = 1 -%} px}", "a: 0px", []),
        # what may print a quote as it is could end the attribute
        ("p{a:{{ w | raw }};c:d}", "c: d", [MOVED]),
        ("p{a:{% echo w | upcase | raw %};c:d}", "c: d", [MOVED]),
        ("p{a:{% raw %}'x\"{% endraw %};c:d}", "c: d", [MOVED]),
        ("p{a:{{ w | raw | escape_once }}}", "a: {{ w | raw | escape_once }}", []),
        # what the template gives a value itself
        ("{% liquid\n assign w = 1\n%}p{a:{{ w }};c:d}", "c: d", [MOVED]),
        ("{% capture 'w' %}{% endcapture %}p{a:{{ w }};c:d}", "c: d", [MOVED]),
        # between rules and declarations
        ("p{a:b;{% if x %}c:d{% endif %}}", "a: b", [BOTH]),
        ("p{a:b;{% if x %}c:d;{% if y %}e:f{% endif %}{% else %}g:h;{% endif %}i:j}", "a: b", [BOTH, MOVED]),
        ("p{a:b;{% if x %}c:d;{% if y %}e:f;{% endif %}{% else %}g:h;{% endif %}i:j}", "a: b; i: j", [BOTH]),
        ("p{a:b}{% if x %}p{c:d}{% else %}p{e:f}{% endif %}p{g:h}", "a: b; g: h", [BOTH]),
        ("/* {% if x %} */p{c:d}/* {% endif %} */p{a:b}", "a: b", [BOTH]),
        ("/* {{ x }} {% if y %}z{% endif %} */p{a:b}", "a: b", []),
        ("p{a:b;{% if x %}c:d{% endif %} e:f}", "a: b", [BOTH]),
        # in the middle of something
        ("{% if x %}.x {% endif %}p{a:b}p{c:d}", "c: d", [BOTH]),
        ("p{ {{ name }}: b; c:d}", "c: d", [PLACE, MOVED]),
        ("{{ rules }} p{a:b}p{c:d}", "c: d", [PLACE]),
        ("{% raw %}p{a:b}{% endraw %}p{c:d}p{e:f}", "e: f", [PLACE]),
        ("@media (max-width:{{ w }}px){p{a:b}}p{c:d}", "c: d", []),
        ("p{ {% if x %}a:b} {% else %}a:c} {% endif %}p{d:e}", "", [CUT]),
        ("p{ {% if x %}a:b{% else %}a:c{% endif %} }} {% if y %} } {% endif %} p{d:e}", "", [CUT]),
        ("{% if x %}p{a:b}", "", [CUT]),
        # braces in texts and comments are none
        ("{% if x %}p{a:'}'}/* } */{% endif %}p{c:d}", "c: d", [BOTH]),
    ],
)  # fmt: skip
def test_liquid_in_a_style_sheet(css: str, added: str, told: list[str]) -> None:
    assert body(css) == (f'<p style="{added}">' if added else "<p>")
    assert warned(css) == told


def test_what_sets_the_same_property_stays_beside_what_cannot_be_moved() -> None:
    assert body("p{background-color:blue;background:{% if x %}red{% endif %};color:red}") == '<p style="color: red">'
    assert body("p{font:{% if x %}a{% endif %} b;line-height:1;-webkit-font-smoothing:c;d:e}") == '<p style="d: e">'


def test_styles_for_some_are_told_to_lose_against_styles_in_elements() -> None:
    (warning,) = inline_css("<style>p{a:b}{% if x %}p{a:c}{% endif %}</style><p>").warnings
    assert "styles in elements win over it" in warning.message
    assert (warning.line, warning.column) == (1, 14)


@pytest.mark.parametrize("css", ["p{--x:{a", "p{a:[x", "p{a:url('x}", "p{a:url(x'y)}", "p{a:'x\"y'}", 'p{a:f("it\'s")}'])
def test_a_style_of_ones_own_is_not_swallowed_by_one_that_never_ends(css: str) -> None:
    source = f'<style>{css}</style><p style="own:1">'
    made = inline_css(source)
    assert made.source == source
    assert [warning.code for warning in made.warnings] == ["CSS_NOT_INLINED"]


def test_comments_in_values_hide_nothing() -> None:
    assert body("p{a:b /* ' */ c;d:e /* ; */}") == '<p style="a: b /**/ c; d: e /**/">'
    assert body("p{a:b/*") == '<p style="a: b/**/">'
    assert body("p{--x:{a;b};c:d}") == '<p style="--x: {a;b}; c: d">'
