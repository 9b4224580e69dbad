"""Style sheets are written into elements, and nothing else of the HTML changes, not a byte."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.content.errors import TemplateProblem
from core.content.html.inlining import inline_css
from core.content.liquid import spans
from render_ext import compile


def one(css: str, body: str) -> str:
    """The body with the styles in it; the style sheet stays before it."""
    head = f"<style>{css}</style>"
    made = inline_css(head + body)
    assert made.source.startswith(head)
    return made.source.removeprefix(head)


def warned(source: str) -> list[tuple[str, int | None, int | None]]:
    return [(warning.code, warning.line, warning.column) for warning in inline_css(source).warnings]


@pytest.mark.parametrize(
    ("css", "body", "expected"),
    [
        ("p{a:b}", "<p>x</p>", '<p style="a: b">x</p>'),
        ("p{a:b}", "<P\n class=x>x", '<P style="a: b"\n class=x>x'),
        ("p{a:b}", '<p style="c:d">', '<p style="a: b; c:d">'),
        ("p{a:b}", "<p style='c:d'>", "<p style='a: b; c:d'>"),
        ("p{a:b}", "<p style=c:d>", '<p style="a: b; c:d">'),
        ("p{a:b}", '<p style="">', '<p style="a: b;">'),
        ("p{a:b}", '<p style="a:c">', '<p style="a:c">'),
        ("p{a:b !important}", '<p style="a:c">', '<p style="a: b !important; a:c">'),
        ("p{a:b}", '<br><img src="x"/>&copy;<p>', '<br><img src="x"/>&copy;<p style="a: b">'),
        ('p{font:"A B"}', "<p>", "<p style=\"font: 'A B'\">"),
        ("p{b:url(x?a&b)}", "<p>", '<p style="b: url(x?a&amp;b)">'),
        ("p{a:b} .x{a:c} p.x{d:e}", "<p class=x>", '<p style="a: c; d: e" class=x>'),
        ("p{a:b} @media (max-width:1px){p{a:c}} a:hover{d:e}", "<p><a>", '<p style="a: b"><a>'),
        ("@font-face{font-family:x;src:url(y)} @import url(/etc/passwd); p{a:b}", "<p>", '<p style="a: b">'),
        # Liquid in the style sheet
        ('p{a:{{ b | default: "c" }}}', "<p>", '<p style="a: {{ b | default: "c" }}">'),
        ("p{a:{{ b }}px; {% if c %}d:e{% endif %}}", "<p>", '<p style="a: {{ b }}px">'),
        ("{% comment %}p{x:y}{% endcomment %}p{a:b}", "<p>", '<p style="a: b">'),
        # Liquid in elements
        ("p{a:b}", '<p title="{{ a | append: ">" }}">', '<p style="a: b" title="{{ a | append: ">" }}">'),
        ("p{a:b}", '<p style="{% if x %}a:c;{% endif %} d:{{ e }}">', '<p style="a: b; {% if x %}a:c;{% endif %} d:{{ e }}">'),
        ("p{a:b;d:f}", '<p style="d:{{ e }}">', '<p style="a: b; d: f; d:{{ e }}">'),
        (".x{a:b}", "<p {% if y %}class=x{% endif %}>", "<p {% if y %}class=x{% endif %}>"),
        (".x{a:b} .y{c:d}", '<p class="y {% if z %}x{% endif %}">', '<p style="c: d" class="y {% if z %}x{% endif %}">'),
        ("p{a:b}", "<p {% if y %}style='c:d'{% endif %}>", "<p {% if y %}style='c:d'{% endif %}>"),
        (
            "td{a:b}",
            "<table>{% for x in y %}<tr><td>{{ x }}</td></tr>{% endfor %}</table>",
            '<table>{% for x in y %}<tr><td style="a: b">{{ x }}</td></tr>{% endfor %}</table>',
        ),
        (
            "table td{a:b}",
            "<table>{{ caption }}words<tr>{{ cell }}<td></table>",
            '<table>{{ caption }}words<tr>{{ cell }}<td style="a: b"></table>',
        ),
        # what HTML would take apart, and what it would drop
        ("td{a:b}", "<!--[if mso]><td {{ x }}><v:rect><![endif]-->", "<!--[if mso]><td {{ x }}><v:rect><![endif]-->"),
        ("p{a:b}", "<!--[if !mso]><!--><p><!--<![endif]-->", '<!--[if !mso]><!--><p style="a: b"><!--<![endif]-->'),
        ("p{a:b}", "<p id=a id=b CLASS='c' class=d>", "<p style=\"a: b\" id=a id=b CLASS='c' class=d>"),
        ("b{a:b} i{c:d}", "<b><i>x</b>y</i>", '<b style="a: b"><i style="c: d">x</b>y</i>'),
        ("p{a:b}", "<p <p>", '<p style="a: b" <p>'),
        ("p{a:b}", "<textarea><p></textarea><p>", '<textarea><p></textarea><p style="a: b">'),
        ("*{a:b}", "<v:rect x:y=z /><o:p>", '<v:rect style="a: b" x:y=z /><o:p style="a: b">'),
    ],
)  # fmt: skip
def test_styles_go_into_elements_and_the_rest_stays(css: str, body: str, expected: str) -> None:
    assert one(css, body) == expected
    assert one(css, expected) == expected  # doing it twice is doing it once


def test_documents_keep_doctype_and_head() -> None:
    source = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">\r\n<html xmlns:v="urn:x"><head><title>a &amp; b</title>'
        "<style>*{a:b}</style><meta name=x></head>\r\n<body bgcolor=red></body></html>\r\n"
    )
    assert inline_css(source).source == source.replace("<body", '<body style="a: b"')


def test_what_the_template_assigns_is_not_moved_to_where_it_means_something_else() -> None:
    css = "<style>a{color:{{ product.color }};b:{{ brand }}}</style>"
    source = css + "{% for product in products %}<a></a>{% endfor %}"
    assert inline_css(source).source == source.replace("<a>", '<a style="b: {{ brand }}">')
    assert warned(source) == [("CSS_NOT_INLINED", 1, source.index("<a>") + 1)]


@pytest.mark.parametrize(
    "head",
    [
        "{% if a %}<style>p{a:b}</style>{% endif %}",
        "<style>{% if a %}p{a:b}{% endif %}</style>",
        '<style media="print">p{a:b}</style>',
        '<style type="text/x">p{a:b}</style>',
        '<style media="screen and (max-width:1px)">p{a:b}</style>',
        "<!--[if mso]><style>p{a:b}</style><![endif]-->",
        "<!-- <style>p{a:b}</style> -->",
    ],
)
def test_what_is_not_for_everybody_stays_where_it_is(head: str) -> None:
    source = head + "<p>"
    assert inline_css(source).source == source
    assert [code for code, _, _ in warned(source)] == ["CSS_NOT_INLINED"] * ("{%" in head)


def test_what_could_not_be_written_is_told_at_its_place() -> None:
    css = "<style>p{a:b}</style>\n"
    assert warned(css + "<p {% if x %}style=c{% endif %}>") == [("CSS_NOT_INLINED", 2, 1)]
    assert warned(css + '<b><p class="{{ x }}">') == [("CSS_NOT_INLINED", 2, 4)]
    assert warned(css + "{% if x %}<div>{% endif %}</div>") == [("CSS_NOT_INLINED", 2, 16)]
    assert warned(css + "{% if x %}<p>y</p>{% else %}<div></div>{% endif %}") == []


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    sheet = tmp_path / "x.css"
    sheet.write_text("p{a:b}")
    for href in (str(sheet), sheet.as_uri(), "https://x.example/x.css"):
        source = f'<link rel="stylesheet" href="{href}"><style>@import "{href}"; i{{c:d}}</style><p>'
        assert inline_css(source).source == source
        assert warned(source) == [("CSS_LINKED", 1, 1)]


def test_only_the_given_style_sheets() -> None:
    source = "<style>p{a:b}</style><p>"
    assert inline_css(source, ("p{c:d}",), sheets_too=False).source == "<style>p{a:b}</style>" + '<p style="c: d">'


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("<style>p{a:b}</style>" + "<div>" * 1_001, "CSS_TOO_DEEP"),
        ("<style>p{a:b}</style>" + "<div/>" * 50_000, "CSS_TOO_DEEP"),
        ("<style>p{a:b}</style>" + "<div></i>" * 50_000, "CSS_TOO_DEEP"),
        ("<style>p{a:b}</style><p>" + "<b>" * 400 + "</p>" + "<p><br></p>" * 50_000, "CSS_TOO_DEEP"),
        ("<style>" + "p{a:b}" * 5_000 + "</style>" + "<br>" * 5_000, "CSS_TOO_LARGE"),
        ("<style>" + "p," * 5_000 + "p{a:b}</style>" + "<br>" * 5_000, "CSS_TOO_LARGE"),
        ("<style>p{" + "a:b;" * 2_100 + "}</style>" + "<p>" * 1_000, "CSS_TOO_LARGE"),
        ("<style>p{a:" + "b" * 200_000 + "}</style>" + "<p>" * 600, "CSS_TOO_LARGE"),
    ],
)
def test_what_the_inliner_has_no_stack_or_time_for_is_refused(html: str, code: str) -> None:
    with pytest.raises(TemplateProblem) as caught:
        inline_css(html)
    assert caught.value.code == code


LONG = 20_000  # what is quadratic in this many takes long


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"<p title='{'{% if a %}x{% endif %}' * LONG}'>", '<p style="a: b" '),
        (f"<p style='{'{% if a %}x:y;{% endif %}' * LONG}'>", "<p style='a: b; {"),
        (f"<style>p{{c:d}}{'{% if a %}p{x:y}{% endif %}' * LONG}</style><p>", '<p style="a: b; c: d">'),
        (f"<style>p{{c:d}}{{% if a %}}p{{x:{'{{ a }} ' * LONG}}}{{% endif %}}</style><p>", '<p style="a: b; c: d">'),
        (f"<style>p{{c:d}}{' ' * LONG * 10}{'{{ a }} ' * LONG}</style><p>", '<p style="a: b; c: d">'),
        (f"<style>p{{c:d}}{'/* ' * LONG}</style><p>", '<p style="a: b; c: d">'),
    ],
    ids=["attribute", "style", "blocks", "block", "outputs", "comments"],
)
def test_long_sources_are_no_trouble(source: str, expected: str) -> None:
    assert expected in inline_css("<style>p{a:b}</style>" + source).source


def test_long_lists_without_end_tags_are_fine() -> None:
    assert one("li{a:b}", "<ul>" + "<li>x<p>y" * 2_000).count('style="a: b"') == 2_000


# ---- whatever is written

_PIECES = st.sampled_from(
    [
        "<p>", "</p>", "<table>", "<tr>", "<td class=x>", "</td>", "</table>", "<b>", "</b>", "</div>",
        "<div style='c:d; a:e'>", "<svg>", "<style>.x{g:h}</style>", "&nbsp;", "<title>", "<body>", "<html>",
        "<!--[if mso]>", "<![endif]-->", "<!-- ", "-->", "<a style=q:r href=x>", "words", "<p ", "\"", "'",
        "{{ a }}", '{{ a | default: ">" }}', "{% if a %}", "{% else %}", "{% endif %}", "{% for i in a %}", "{% endfor %}",
        'style="a:{{ b }}"', 'class="{% if a %}x{% endif %}"', ">", "lq0z000000z", "<select>", "<template>",
    ]
)  # fmt: skip
_ADDED = re.compile(r"(?: style=\"(?:a: b|c: \{\{ d \}\}|g: h)(?:; (?:a: b|c: \{\{ d \}\}|g: h))*\")")


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=14))
def test_liquid_survives_anything(pieces: list[str]) -> None:
    source = "<style>*{a:b} .x{c:{{ d }}}</style>" + "".join(pieces)
    made = inline_css(source).source
    assert inline_css(made).source == made
    mine, theirs = liquid(source), liquid(made)
    assert [text for text in theirs if text != "{{ d }}"] == [text for text in mine if text != "{{ d }}"]


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES.filter(lambda piece: "style" not in piece), max_size=14))
def test_without_the_new_attributes_the_source_is_as_it_was(pieces: list[str]) -> None:
    source = "<style>*{a:b} .x{c:{{ d }}}</style>" + "".join(pieces)
    assert _ADDED.sub("", inline_css(source).source) == source


_DECLARATION = st.sampled_from(
    [
        "zz:{{ v }}",
        "zz:{% echo v %}px",
        "zz:0{% if x %}1{% endif %}",
        "zz:{% cycle 1, 2 %}",
        "zz:{{ h | raw }}",
        "zz:{{- v -}} !important",
        "{% if x %}zz:{{ v }};{% endif %}",
        "zz:{% capture v %}'{% endcapture %}{{ v }}",
        "zz:{% raw %}'\"{% endraw %}",
        'zz:"it\'s"',
        "zz:{% increment n %}",
        "{% assign v = h %}zz:a",
        "/* {{ v }} */zz:{% for i in l %}{{ i }}{% endfor %}",
        "zz:url(x",
        "{{ v }}:a",
    ]
)
_RULE = st.builds(
    lambda around, selector, inner: around[0] + selector + "{ " + inner + " }" + around[1],
    st.sampled_from(
        [("", ""), ("", ""), ("{% if x %}", "{% endif %}"), ("{% if x %}.x {% endif %}", ""), ("@media print{", "}")]
    ),
    st.sampled_from(["p", ".x", "*", "p i", "[title]"]),
    st.lists(_DECLARATION, min_size=1, max_size=3).map(";".join),
)
_ELEMENT = st.recursive(
    st.sampled_from(
        ["words", "{{ v }}", "{% increment n %}", "{% cycle 1, 2 %}", "{{ h | raw }}", "{% raw %}<p>{% endraw %}", "&copy"]
    ),
    lambda inner: st.builds(
        lambda around, tag, attributes, parts: f"{around[0]}<{tag} {attributes}>{''.join(parts)}</{tag}>{around[1]}",
        st.sampled_from(
            [("", ""), ("{% if x %}", "{% endif %}"), ("{% for i in l %}", "{% endfor %}"), ("<!--[if mso]>", "<![endif]-->")]
        ),
        st.sampled_from(["p", "i", "td", "div"]),
        st.sampled_from(
            ["", "class='x {{ v }}'", "style='zy:{{ q }}'", 'style="{% if x %}zz:own{% endif %}"', 'title="{{ q }}"', "{{ v }}"]
        ),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


class _Document(HTMLParser):
    """What another parser finds in a document, `style` attributes left out."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[object] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [one for one in attrs if one[0] != "style"]))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_comment(self, data: str) -> None:
        self.found.append(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(_RULE, max_size=3), st.lists(_ELEMENT, max_size=3), st.booleans(), st.sampled_from(["red", "\"'&<"]))
def test_what_is_rendered_is_the_same_but_for_styles(rules: list[str], elements: list[str], x: bool, v: str) -> None:
    source = f"<style>{''.join(rules)}</style>{''.join(elements)}"
    values = {"x": x, "v": v, "q": "\"'", "h": "<b>", "l": ["1", "2"]}
    made = inline_css(source).source
    written, inlined = (compile(html, escape="html").render(values) for html in (source, made))
    assert _Document(inlined).found == _Document(written).found
    letters = iter(made)
    assert all(letter in letters for letter in source)  # nothing is taken away


def liquid(source: str) -> list[str]:
    return [source[span.start : span.end] for span in spans(source)]


def test_a_quoted_output_in_a_style_renders() -> None:
    made = one('p{a:{{ b | default: "c" }}}', "<p>")
    assert compile(made, escape="html").render({}) == '<p style="a: c">'
