"""MJML becomes HTML; what the author wrote into it, Liquid above all, comes over byte for byte or is refused at its place."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.content.errors import TemplateProblem
from core.content.html.inlining import inline_css
from core.content.liquid import spans
from core.content.mjml.components import is_mjml
from core.content.mjml.conversion import Converted, convert
from render_ext import compile


def body(inner: str) -> str:
    return f"<mjml>\n<mj-body>{inner}</mj-body></mjml>"


def column(inner: str) -> str:
    return body(f"<mj-section><mj-column>{inner}</mj-column></mj-section>")


def refused(source: str) -> TemplateProblem:
    with pytest.raises(TemplateProblem) as caught:
        convert(source)
    assert caught.value.hint
    return caught.value


REPEATED = {"mj-title": 2, "background-url": 4}  # what MJML writes more than once: for the eyes and ears, for each mail program


def liquid(source: str) -> list[str]:
    return [source[span.start : span.end] for span in spans(source)]


@pytest.mark.parametrize(
    ("source", "yes"),
    [
        ("<mjml></mjml>", True),
        (' \n<!-- x -->{% assign a = "<p>" %}<MJML>', True),
        ("<p><mjml>", False),
        ("a <mjml>", False),
        ("<!-- <mjml> -->", False),
        ("{% comment %}<mjml>{% endcomment %}", False),
    ],
)
def test_mjml_is_what_begins_with_it(source: str, yes: bool) -> None:
    assert is_mjml(source) is yes


@pytest.mark.parametrize(
    "inner",
    [
        '{{ a | default: "<b>" }}',
        "{% if a > 1 %}<b>{% else %}</b>{% endif %}",
        "&nbsp; &copy; &amp;amp; <br> <p>never closed <img src=x>",
        "<!--[if mso]><table><tr><td {{ a }}><![endif]-->x<!--[if mso]></td></tr></table><![endif]-->",
        "<a {% if a %}href='https://x.example/{{ b }}?a=1&b=2'{% endif %}>x</a>",
        "{% raw %}{{ not }} </mj-text> {% endraw %}{% comment %} </mj-text> {% endcomment %}",
        "<table>{% for a in b %}<tr><td>{{ a }}</td></tr>{% endfor %}</table>",
        "  leading and trailing  \n\t",
        "zażółć \U0001f600 \ufeff",
    ],
)
@pytest.mark.parametrize("name", ["mj-text", "mj-table", "mj-raw", "mj-button"])
def test_what_stands_in_a_component_comes_over_byte_for_byte(name: str, inner: str) -> None:
    assert convert(column(f"<{name}>{inner}</{name}>")).html.count(f">{inner}<") == 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (column('<mj-text color="{{ c | default: "red" }}">x</mj-text>'), 'color:{{ c | default: "red" }};'),
        (column("<mj-text css-class='a {% if b %}c{% endif %}'>x</mj-text>"), 'class="a {% if b %}c{% endif %}"'),
        (column('<mj-text padding="{{ p }}px 3px">x</mj-text>'), "padding:{{ p }}px 3px;"),
        (
            column("<mj-button href='https://x.example/{{ a }}?b=1&c=\"2\"'>x</mj-button>"),
            'href="https://x.example/{{ a }}?b=1&c=&quot;2&quot;"',
        ),
        (column('<mj-image src="https://x.example/{{ a }}.png" alt="{{ b }}" />'), 'src="https://x.example/{{ a }}.png"'),
        (body('<mj-section background-url="https://x.example/{{ a }}"/>'), "background:url('https://x.example/{{ a }}')"),
        (body("{% for a in b %}<mj-section/>{% endfor %}"), "{% for a in b %}<!--[if mso"),
        (body("<mj-section>{% if a %}<mj-column/>{% endif %}</mj-section>"), "{% if a %}<!--[if mso | IE]><td"),
        (column("{% if a %}<mj-text>x</mj-text>{% endif %}"), "<tbody>{% if a %}<tr>"),
        (column("<mj-raw>{% if a %}</mj-raw><mj-text>x</mj-text><mj-raw>{% endif %}</mj-raw>"), "</tr>{% endif %}</tbody>"),
        ("{% assign a = 1 %}\n" + body("x").replace("x", ""), "{% assign a = 1 %}\n<!doctype html>"),
        (body("") + "{% comment %}x{% endcomment %}", "</html>{% comment %}x{% endcomment %}"),
        (
            "<mjml><mj-head><mj-style>a > b{color:{{ c }}}</mj-style></mj-head><mj-body/></mjml>",
            ">a > b{color:{{ c }}}</style>",
        ),
        ("<mjml><mj-head><mj-title>{{ t }}</mj-title></mj-head><mj-body/></mjml>", 'aria-label="{{ t }}"'),
        (column("<mj-text css-class='{{ a | raw | escape_once }}'>x</mj-text>"), 'class="{{ a | raw | escape_once }}"'),
        (column('<mj-text css-class="{{ a | raw }}">x</mj-text>'), 'class="{{ a | raw }}"'),
        (body("<mj-wrapper>{% if a %}<mj-section/>{% endif %}</mj-wrapper>"), "{% if a %}<tr>"),
        ('<mjml><mj-raw position="file-start">{{ t }}</mj-raw><mj-body/></mjml>', "{{ t }}<!doctype"),
    ],
)
def test_liquid_stays_where_it_was_written(source: str, expected: str) -> None:
    made = convert(source).html
    assert expected in made
    times = next((times for word, times in REPEATED.items() if word in source), 1)
    assert Counter(liquid(made)) == Counter(liquid(source) * times)
    compile(made)


@pytest.mark.parametrize(
    ("source", "code", "line", "column"),
    [
        ("<mjml>", "MJML_SYNTAX", 1, 1),
        (column("<mj-text>a</mj-txt>"), "MJML_SYNTAX", 2, 33),
        (column("<mj-text>a</mj-text"), "MJML_SYNTAX", 2, 33),
        (column("<mj-text>a</mj-text></mj-column>"), "MJML_SYNTAX", 2, 65),
        (body("") + "<p>", "MJML_SYNTAX", 2, 27),
        (body("<mj-section>" * 100), "MJML_SYNTAX", 2, 754),
        (column("<mj-txt>a</mj-txt>"), "MJML_UNKNOWN", 2, 33),
        (body("<div></div>"), "MJML_UNKNOWN", 2, 10),
        (body("\nwords"), "MJML_TEXT", 3, 1),
        (column("<mj-image><mj-text/></mj-image>"), "MJML_PLACE", 2, 43),
        (column("<!--[if mso]><i><![endif]-->"), "MJML_PLACE", 2, 33),
        (body("<mj-wrapper><mj-raw><p></mj-raw></mj-wrapper>"), "MJML_PLACE", 2, 22),
        (column('<mj-include path="/etc/passwd" />'), "MJML_INCLUDE", 2, 33),
        (column("<mj-text {% if a %}color='red'{% endif %}>x</mj-text>"), "MJML_LIQUID", 2, 42),
        (column("<mj-text color='{% if a %}red'>x</mj-text>"), "MJML_LIQUID", 2, 49),
        (column("<mj-text>{% if a %}</mj-text><mj-text>{% endif %}</mj-text>"), "MJML_LIQUID", 2, 42),
        (body("{% if a %}<mj-section>{% endif %}</mj-section>"), "MJML_LIQUID", 2, 32),
        (column("<mj-social>{% if a %}{% endif %}</mj-social>"), "MJML_LIQUID", 2, 44),
        (body("<mj-wrapper>{{ a }}</mj-wrapper>"), "MJML_LIQUID", 2, 22),
        (body("<mj-wrapper>{% echo a %}</mj-wrapper>"), "MJML_LIQUID", 2, 22),
        (body("<mj-wrapper>{% cycle 1, 2 %}</mj-wrapper>"), "MJML_LIQUID", 2, 22),
        (body("<mj-wrapper>{% liquid\n echo a\n%}</mj-wrapper>"), "MJML_LIQUID", 2, 22),
        (body("<mj-wrapper>{% raw %}x{% endraw %}</mj-wrapper>"), "MJML_LIQUID", 2, 22),
        (body("<mj-wrapper>{% tablerow a in b %}<mj-section/>{% endtablerow %}</mj-wrapper>"), "MJML_LIQUID", 2, 22),
        (body("<mj-wrapper><mj-raw>{{ a }}</mj-raw></mj-wrapper>"), "MJML_PLACE", 2, 22),
        (body("<mj-wrapper><mj-raw>{% echo a %}</mj-raw></mj-wrapper>"), "MJML_PLACE", 2, 22),
        (body("<mj-wrapper><mj-raw><!-- {% if a %} -->{% endif %}</mj-raw></mj-wrapper>"), "MJML_LIQUID", 2, 30),
        (body("<!-- {% assign a = 1 %} -->"), "MJML_LOST", 2, 15),
        (column("<mj-text css-class='{{ a | raw }}'>x</mj-text>"), "MJML_LIQUID", 2, 53),
        (column("<mj-text css-class={{a|raw}}>x</mj-text>"), "MJML_LIQUID", 2, 52),
        (column("<mj-text css-class='{% if b %}{% echo a | raw %}{% endif %}'>x</mj-text>"), "MJML_LIQUID", 2, 63),
        ("{% capture a %}{{ b }}{% endcapture %}" + column("<mj-text css-class='{{ a }}'>x</mj-text>"), "MJML_LIQUID", 2, 53),
        ("<mjml><mj-head><mj-title>{{ a | raw }}</mj-title></mj-head></mjml>", "MJML_LIQUID", 1, 26),
        ("<mjml><mj-head>{% if a %}<mj-style></mj-style>{% endif %}</mj-head></mjml>", "MJML_LIQUID", 1, 16),
        (column("<mj-text colour='{{ a }}'>x</mj-text>"), "MJML_LOST", 2, 50),
        (column("<mj-image width='{{ a }}px' src='x' />"), "MJML_LOST", 2, 50),
        (column("<mj-text href='https://x.example/'>x</mj-text>"), "MJML_LOST", 2, 48),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_place(source: str, code: str, line: int, column: int) -> None:
    error = refused(source)
    assert (error.code, error.line, error.column) == (code, line, column)
    assert error.path == f"parts.html:{line}:{column}"


def test_defaults_may_go_unused_but_not_multiply_without_bound() -> None:
    head = '<mjml><mj-head><mj-attributes><mj-all color="{}" /></mj-attributes></mj-head><mj-body>{}</mj-body></mjml>'
    assert "{{ a }}" not in convert(head.format("{{ a }}", "")).html
    assert (
        "color:{{ a }}"
        in convert(head.format("{{ a }}", "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>")).html
    )
    assert refused(head.format("a" * 100_000, "<mj-section/>" * 1_000)).code == "MJML_TOO_LARGE"


def test_a_style_that_is_to_be_inlined_is_handed_on() -> None:
    made = convert('<mjml><mj-head><mj-style inline="inline">.a{b:c}</mj-style></mj-head><mj-body/></mjml>')
    assert made.styles == (".a{b:c}",)
    assert ".a{b:c}" not in made.html


@pytest.mark.parametrize(
    "css", ["a{b:c}{% if d %}a{e:f}{% endif %}", "a{b:{% cycle 1, 2 %}}", "a{b:{{ c | raw }}}", "{{ d }} a{b:c}"]
)
def test_a_style_that_is_to_be_inlined_is_all_inlined_or_refused(css: str) -> None:
    source = "<mjml><mj-head><mj-style {}>{}</mj-style></mj-head><mj-body/></mjml>"
    assert css in convert(source.format("", css)).html
    error = refused(source.format('inline="inline"', css))
    assert (error.code, error.line) == ("MJML_LOST", 1)


def test_comments_between_components_are_left_out() -> None:
    assert "secret" not in convert(column("<!-- secret {{ a }} --><mj-text>x</mj-text>")).html
    wrapper = convert(body("<mj-wrapper><mj-raw><!-- x --></mj-raw><mj-section/></mj-wrapper>")).html
    assert "<!-- x -->" not in wrapper  # it would end the conditional comment that MJML writes there


def test_quotes_cannot_leave_an_attribute() -> None:
    assert 'bgcolor="x&quot; onclick=&quot;y"' in convert(body("<mj-section background-color='x\" onclick=\"y'/>")).html
    raw = convert(column("<mj-text css-class='{% raw %}x\" y{% endraw %}'>z</mj-text>")).html
    assert 'class="{% raw %}x&quot; y{% endraw %}"' in raw
    title = convert('<mjml><mj-head><mj-title>Say "hi"</mj-title></mj-head><mj-body/></mjml>').html
    assert "<title>Say &quot;hi&quot;</title>" in title
    assert 'aria-label="Say &quot;hi&quot;"' in title


@pytest.mark.parametrize("value", ["x--><i>", "{% raw %}x--><i>{% endraw %}", "x-{% if a %}->{% endif %}"])
def test_values_cannot_end_the_comment_that_mjml_writes_for_outlook(value: str) -> None:
    made = convert(body(f'<mj-section background-color="{value}" background-url="https://x.example/{value}"/>')).html
    assert made.count("-->") == convert(body('<mj-section background-color="x" background-url="x"/>')).html.count("-->")


def test_carousels_have_a_bound() -> None:
    image = '<mj-carousel-image src="https://x.example/a.png" />'
    carousel = "<mj-carousel>{}</mj-carousel>"
    assert convert(column(carousel.format(image * 100))).html.count("a.png") >= 100
    assert refused(column(carousel.format(image * 101))).code == "MJML_TOO_LARGE"
    assert refused(column(carousel.format(image * 51) * 2)).code == "MJML_TOO_LARGE"


def test_places_in_the_html_lead_back_to_the_source() -> None:
    source = column('\n<mj-text>a <a href="https://x.example">b</a></mj-text><mj-image src="https://x.example/c.png" />')
    made = convert(source)
    for text in ('<a href="https', "b</a>", "https://x.example/c.png"):
        assert made.origin(made.html.index(text)) == source.index(text)
    assert made.origin(made.html.index("<img")) == source.index("https://x.example/c.png")
    assert made.origin(0) == 0


@pytest.mark.parametrize(
    "before", ["<!-- <mjml> -->\n", "{% comment %}<mjml>{% endcomment %}", "{% assign a = '<mjml>' %}", "<!-- İ -->"]
)
def test_what_mjml_made_itself_leads_back_to_the_root(before: str) -> None:
    made = convert(before + '<MJML><mj-body background-color="red"></mj-body></MJML>')
    assert made.origin(made.html.index("<body")) == len(before)


# ---- whatever is written where it may stand

_OUTPUT = st.sampled_from(["{{ a }}", '{{ a | default: "<x>" }}', "{{- a -}}", "{{ '\"' }}", "{% raw %}<{% endraw %}"])
_BLOCK = st.sampled_from(
    [
        ("{% if a > 1 %}", "{% endif %}"),
        ("{% for i in a %}", "{% endfor %}"),
        ('{%- unless a == "<" -%}', "{% else %}{% endunless %}"),
        ("{% comment %}", "{% endcomment %}"),
    ]
)
_VALUE = st.lists(st.one_of(_OUTPUT, _BLOCK.map("x".join), st.sampled_from(["a", " ", "#fff"])), min_size=1, max_size=3).map(
    "".join
)
_COMMENT = st.one_of(
    _VALUE.map("<!--[if mso]><table><tr><td {}><![endif]-->".format),
    _VALUE.map("<!--[if mso]>{}<v:rect href='https://x.example/{{{{ a }}}}'></v:rect><![endif]-->".format),
    _VALUE.map("<!--[if !mso]><!-->{}<!--<![endif]-->".format),
    _VALUE.map("<!-- {} -->".format),
)
_ROWS = _VALUE.map("<table><tr><td class='{0}'>{0}</td></tr></table>".format)
_HTML = st.lists(
    st.one_of(_VALUE, _COMMENT, _ROWS, st.sampled_from(["<p>", "</p>", "&nbsp;", "\n", "lq0z000001z", "<3"])), max_size=5
).map("".join)


@st.composite
def _component(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(["mj-text", "mj-button", "mj-table"]))
    css_class = draw(_VALUE)
    inner = draw(_HTML)
    before, after = draw(st.one_of(_BLOCK, st.just(("", ""))).filter(lambda pair: "comment" not in pair[0]))
    return f'{before}<{name} css-class="{css_class}">{inner}</{name}>{after}'


@settings(max_examples=150, deadline=None)
@given(st.lists(_component(), max_size=4), st.lists(_BLOCK.filter(lambda pair: "comment" not in pair[0]), max_size=2))
def test_every_piece_of_liquid_is_there_as_often_as_it_was_and_in_order(
    components: list[str], around: list[tuple[str, str]]
) -> None:
    inner = "".join(components)
    source = column(inner)
    for before, after in around:
        source = source.replace("<mj-section>", f"{before}<mj-section>").replace("</mj-section>", f"</mj-section>{after}")
    made = convert(source).html
    assert liquid(made) == liquid(source)
    compile(made)
    assert made == again(convert(source))
    assert liquid(inline_css(made, ("td, p{zz:y}",)).source) == liquid(source)


def again(made: Converted) -> str:
    """The HTML with all that came over taken from the source once more."""
    parts: list[str] = []
    position = 0
    for start, end, origin in made.origins:
        parts += [made.html[position:start], made.source[origin : origin + end - start]]
        position = end
    return "".join([*parts, made.html[position:]])
