"""Links are found where a mail reader finds them, numbered in order, and nothing else of the HTML changes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.content.links import rewriting
from core.content.links.numbers import LinkNumbers
from core.content.links.rewriting import Rewritten, html_places, rewrite_html, rewrite_text
from tests.core.content.links.generated_html import Written, documents

LINK = re.compile(r"\{% link (\d+) %\}(.*?)\{% endlink %\}", re.DOTALL)


def targets(rewritten: Rewritten) -> list[tuple[int, str]]:
    return [(int(number), target) for number, target in LINK.findall(rewritten.source)]


def one(source: str) -> str:
    """The single target of a source."""
    rewritten = rewrite_html(source)
    assert not rewritten.problems
    ((number, target),) = targets(rewritten)
    assert number == 1
    return target


def codes(source: str) -> list[str]:
    return [problem.code for problem in rewrite_html(source).problems]


def test_links_after_many_that_lead_nowhere_are_numbered_all_the_same() -> None:
    rewritten = rewrite_html('<a href="/x">x</a>' * 150 + '<a href="https://a.example/">A</a>')
    assert targets(rewritten) == [(1, "https://a.example/")]
    assert len(rewritten.warnings) == 100


def test_the_label_of_a_tag_is_looked_for_once_however_many_addresses_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def look(*found: object) -> str:
        looked.append(found)
        return "x"

    monkeypatch.setattr(rewriting, "_label", look)
    source = f"<a {{% if a %}}{'href=x ' * 1_000}{{% endif %}}>x</a>"
    assert [found.label for found in html_places(source)] == ["x"] * 1_000
    assert len(looked) == 1  # it reads all of them


def test_links_are_numbered_in_order_and_the_rest_stays() -> None:
    source = "<p>Hi</p>\n<a href=\"https://a.example/1\">One</a> <A\n HREF = 'http://b.example'>Two</A><area href=https://c.example/x>"
    rewritten = rewrite_html(source)
    assert rewritten.source == (
        '<p>Hi</p>\n<a href="{% link 1 %}https://a.example/1{% endlink %}">One</a> '
        "<A\n HREF = '{% link 2 %}http://b.example{% endlink %}'>Two</A>"
        "<area href={% link 3 %}https://c.example/x{% endlink %}>"
    )
    assert [(link.number, link.url, link.label) for link in rewritten.links] == [
        (1, "https://a.example/1", "One"),
        (2, "http://b.example", "Two"),
        (3, "https://c.example/x", None),
    ]


@pytest.mark.parametrize(
    "untouched",
    [
        '<a href="mailto:a@b.example?subject=https://x.example">',
        '<a href="tel:+49123">',
        '<a href="#top">',
        '<a href="">',
        "<a href>",
        "<a name=x>",
        '<a href="{% mirror_url %}">',
        '<a href=" {%- unsubscribe_url -%}">',
        '<a data-href="https://x.example/">',
        '<a title="href=https://x.example/">',
        '<link href="https://x.example/style.css">',
        '<img src="https://x.example/i.png" alt="<a href=https://y.example>">',
        '<!-- <a href="https://x.example/"> -->',
        '<style>a[href="https://x.example/"]{} <a href="https://x.example/"></style>',
        '<script>"<a href=https://x.example/>"</script>',
        '<title><a href="https://x.example/"></title>',
        '<abbr href="https://x.example/">',
        "{% comment %}<a href='https://x.example/'>{% endcomment %}",
        "{% raw %}<a href='https://x.example/'>{% endraw %}",
        '</a href="https://x.example/">',
        "a < b and <3 and </ > <",
        '<a href="https://x.example/',
        "<a href='https://x.example/' <!-- never closed",
    ],
)
def test_what_is_no_link_to_the_web_is_left_alone(untouched: str) -> None:
    rewritten = rewrite_html(untouched)
    assert rewritten.source == untouched
    assert rewritten.links == ()
    assert rewritten.problems == ()


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("https://x.example/?a=1&amp;b=2", "https://x.example/?a=1&b=2"),
        ("https://x.example/?a=1&b=2", "https://x.example/?a=1&b=2"),
        ("https://x.example/?a=1&copy=2&copyright=3", "https://x.example/?a=1&copy=2&copyright=3"),
        ("https://x.example/?q=&#x4f;&#75;", "https://x.example/?q=OK"),
        ("&#104;ttps&colon;//x.example/", "https://x.example/"),
        ("  https://x.example/a b  ", "https://x.example/a%20b"),
        ("https://x.example/a\n\tb", "https://x.example/ab"),
        ("HTTPS://X.example/Ä?q=é", "https://X.example/%C3%84?q=%C3%A9"),
        ("https://müller.example/", "https://xn--mller-kva.example/"),
        ("https://x.example:8443/", "https://x.example:8443/"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]/"),
        ("https://x.example/100%25", "https://x.example/100%25"),
        ("https://x.example/&#123;&#123; evil }}", "https://x.example/%7B%7B%20evil%20%7D%7D"),
        ("https://x.example/{id}", "https://x.example/%7Bid%7D"),
        ("https://x.example/{{ a }}{{ b }}", "https://x.example/{{ a }}{{ b }}"),
        ("https://x.example/?u={{ profile.id }}&amp;v=1", "https://x.example/?u={{ profile.id }}&v=1"),
        ("https://x.example#{{ a }}", "https://x.example#{{ a }}"),
        ("https://x.example?{% if a %}b=1{% endif %}", "https://x.example?{% if a %}b=1{% endif %}"),
    ],
)
def test_the_target_is_the_address_that_a_browser_would_open(value: str, target: str) -> None:
    assert one(f'<a href="{value}">x</a>') == target


def test_liquid_in_a_value_may_hold_quotes_and_angle_brackets() -> None:
    source = """<a class="{{ 'a' | default: "b" }}" href="https://x.example/{{ a | default: "b>c" }}" id=z>"""
    assert one(source) == 'https://x.example/{{ a | default: "b>c" }}'
    assert rewrite_html(source).source.endswith('{% endlink %}" id=z>')


def test_only_the_first_of_two_addresses_counts() -> None:
    source = '<a href="https://a.example/" href="https://b.example/">'
    assert rewrite_html(source).source == ('<a href="{% link 1 %}https://a.example/{% endlink %}" href="https://b.example/">')


def test_both_addresses_count_where_liquid_chooses() -> None:
    source = '<a {% if a %}href="https://a.example/"{% else %}href="https://b.example/"{% endif %}>'
    assert targets(rewrite_html(source)) == [(1, "https://a.example/"), (2, "https://b.example/")]


def test_a_link_in_a_loop_is_one_link() -> None:
    source = '{% for p in products %}<a href="https://x.example/{{ p.sku }}">{{ p.name }}</a>{% endfor %}'
    rewritten = rewrite_html(source)
    assert targets(rewritten) == [(1, "https://x.example/{{ p.sku }}")]
    assert rewritten.links[0].label == "{{ p.name }}"


def test_outlook_sees_its_conditional_comments_and_so_do_we() -> None:
    source = (
        '<!--[if mso]><v:roundrect href="https://a.example/"><w:anchorlock/></v:roundrect><![endif]-->'
        '<!--[if !mso]><!--><a href="https://b.example/">B</a><!--<![endif]-->'
        '<!--[if !mso]>--><a href="https://c.example/">C</a><!--<![endif]-->'
        '<![if !vml]><a href="https://d.example/">D</a><![endif]>'
    )
    rewritten = rewrite_html(source)
    assert [(link.number, link.url, link.conditional) for link in rewritten.links] == [
        (1, "https://a.example/", True),
        (2, "https://b.example/", False),
        (3, "https://c.example/", False),
        (4, "https://d.example/", False),
    ]
    assert LINK.sub(r"\2", rewritten.source) == source


def test_vector_shapes_outside_conditional_comments_are_nobodys_links() -> None:
    assert rewrite_html('<v:rect href="https://a.example/">').links == ()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("javascript:alert(1)", "LINK_SCRIPT"),
        (" JaVa\nScript:alert(1)", "LINK_SCRIPT"),
        ("javascript&colon;alert(1)", "LINK_SCRIPT"),
        ("&#1;javascript:alert(1)", "LINK_SCRIPT"),
        ("vbscript:x", "LINK_SCRIPT"),
        ("data:text/html,x", "LINK_SCRIPT"),
        ("{{ product.url }}", "LINK_NOT_LITERAL"),
        ("ht{{ x }}", "LINK_NOT_LITERAL"),
        ("{% if a %}https://a.example/{% else %}https://b.example/{% endif %}", "LINK_NOT_LITERAL"),
        ("https://{{ host }}/", "LINK_NOT_LITERAL"),
        ("https://x.example{{ path }}", "LINK_NOT_LITERAL"),
        ("https://x.example:{{ port }}/", "LINK_NOT_LITERAL"),
        ("https://x.example@{{ host }}/", "LINK_NOT_LITERAL"),
        ("https://good.example@evil.example/", "LINK_INVALID"),
        ("https:x.example/", "LINK_INVALID"),
        ("https:///x", "LINK_INVALID"),
        ("https://", "LINK_INVALID"),
        ("https://a b/", "LINK_INVALID"),
        ("https://x.example/{% if a %}", "LINK_UNBALANCED"),
        ("https://x.example/{% endif %}", "LINK_UNBALANCED"),
        ("https://x.example/{% else %}b", "LINK_UNBALANCED"),
    ],
)
def test_an_address_that_could_lead_anywhere_is_refused(value: str, code: str) -> None:
    assert codes(f'<a href="{value}">') == [code]


def test_a_problem_says_where() -> None:
    (problem,) = rewrite_html('<p>\n<p>\n  <a href="javascript:x">').problems
    assert (problem.part, problem.line, problem.column) == ("html", 3, 12)
    assert problem.path == "parts.html:3:12"


def test_relative_links_are_warned_about() -> None:
    rewritten = rewrite_html('<a href="/sale"><a href="//x.example/"><a href="page.html?{{ a }}">')
    assert [warning.code for warning in rewritten.warnings] == ["RELATIVE_LINK"] * 3
    assert rewritten.links == ()


def test_bare_addresses_in_text_are_links() -> None:
    numbers = LinkNumbers()
    rewrite_html('<a href="https://a.example/">', numbers=numbers)
    source = (
        "See https://a.example/, (https://b.example/x_(y)) or <https://b.example/x_(y)>.\n"
        "{% if a %}https://c.example/?q={{ profile.city }}{% endif %} "
        "https://d.example{% if b %}!{% endif %} e.https://e.example/{% if a %}1{% endif %}; "
        "mailto:a@f.example {{ 'https://g.example' }} xhttps://h.example"
    )
    rewritten = rewrite_text(source, numbers=numbers)
    assert rewritten.problems == ()
    assert targets(rewritten) == [
        (1, "https://a.example/"),
        (2, "https://b.example/x_(y)"),
        (2, "https://b.example/x_(y)"),
        (3, "https://c.example/?q={{ profile.city }}"),
        (4, "https://d.example"),
        (5, "https://e.example/{% if a %}1{% endif %}"),
    ]
    assert [link.number for link in rewritten.links] == [2, 3, 4, 5]
    assert LINK.sub(r"\2", rewritten.source) == source


def test_text_addresses_obey_the_same_rules() -> None:
    (problem,) = rewrite_text("Hello\nhttps://{{ host }}/x").problems
    assert (problem.code, problem.part, problem.line, problem.column) == ("LINK_NOT_LITERAL", "text", 2, 1)


# Pieces of HTML, good and broken, that hypothesis puts together in any order. The addresses are in normal
# form: a target is exactly what stood in the source.
FRAGMENTS = [
    '<a href="https://x.example/a?b=1">', "<a href='https://x.example/{{ a | b: \"c\" }}'>", "</a>",
    "<A HREF=https://x.example/z>", "<area  href = https://x.example/z >", '<a class=x href="mailto:a@b.c">',
    "<!-- ", " -->", "<!--[if mso]>", "<![endif]-->", "<!--[if !mso]><!-->", "<!--<![endif]-->", "<!-->",
    "<style>", "</style>", "<script>", "</script>", "<title>", "</title>", "<textarea>", "</textarea >",
    '"', "'", "<", ">", " ", "&amp;", "{{ a }}", "{{ '>' }}", "{% if a > 1 %}", "{% endif %}", "{% raw %}",
    "{% endraw %}", "{% comment %}", "{% endcomment %}", "<p title='", "text", "\n", "é", "</", "<?xml ",
    "<!doctype html>", "<a ", "href=", "{", "}", "%", "<td", "<v:rect href='https://x.example/v'>",
]  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_taking_the_links_out_leaves_the_source(source: str) -> None:
    rewritten = rewrite_html(source)
    assert [number for number, _ in targets(rewritten)] == [link.number for link in rewritten.links]
    between = LINK.sub("\0", rewritten.source).split("\0")
    assert _fits(source, between, [target for _, target in targets(rewritten)])


def _fits(source: str, between: list[str], found: list[str]) -> bool:
    """Whether a source is, byte for byte, what stands between the links, with an address for each of them in between."""
    if not found:
        return source == between[0]
    if not source.startswith(between[0]):
        return False
    rest = source[len(between[0]) :]
    ends = (end for end in range(len(rest) + 1) if rest.startswith(between[1], end))
    return any(_letters(rest[:end]) == _letters(found[0]) and _fits(rest[end:], between[1:], found[1:]) for end in ends)


def _letters(address: str) -> str:
    """An address but for what is percent-encoded in it, or a reference to a character."""
    kept = re.sub(r"%[0-9A-F]{2}|&amp;", "", address)
    return "".join(character for character in kept if character.isalnum() or character in "<>:/?#")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_with_links_masked_the_html_is_byte_for_byte_what_it_was(written: Written) -> None:
    rewritten = rewrite_html(written.source)
    assert LINK.sub("@", rewritten.source) == written.masked
    assert [target for _, target in targets(rewritten)] == list(written.targets)


class Anchors(HTMLParser):
    """What the standard library sees: the addresses of `a` and `area`."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "area"):
            self.found += [value for name, value in attrs if name == "href" and value]


VALUES = st.text(st.sampled_from("abcXYZ019-_ /=?;.,&"), max_size=12)
ATTRIBUTES = st.one_of(
    VALUES.map(lambda value: f' title="{value}"'),
    VALUES.map(lambda value: f" data-x='{value}>'"),
    st.sampled_from([" checked", " class=plain", "\n\tid = 'q'", ' alt="<a href=1>"', " /"]),
)
ADDRESSES = st.from_regex(r"https://x\.example/[a-z0-9/]{0,8}(\?[a-z]=[0-9])?", fullmatch=True)
LINKS = st.builds(
    "<{0}{1} hRef={2}{3}{2}{4} >".format,
    st.sampled_from(["a", "A", "area"]),
    st.lists(ATTRIBUTES, max_size=2).map("".join),
    st.sampled_from(['"', "'", ""]),
    ADDRESSES,
    st.lists(ATTRIBUTES, max_size=2).map("".join),
)
OTHERS = st.one_of(
    VALUES,
    st.sampled_from(["<p>", "</p>", "</a>", "<!-- <a href='https://x.example/'> -->", "<br/>", "&lt;a href=1&gt;"]),
    VALUES.map(lambda value: f"<style>{value}<a href='https://x.example/'></style>"),
    st.lists(ATTRIBUTES, max_size=3).map(lambda found: f"<td{''.join(found)}>"),
)


@given(st.lists(st.one_of(LINKS, OTHERS), max_size=12).map("".join))
def test_the_links_of_well_formed_html_are_those_that_a_parser_sees(source: str) -> None:
    rewritten = rewrite_html(source)
    assert [target for _, target in targets(rewritten)] == Anchors(source).found
    assert LINK.sub(r"\2", rewritten.source) == source
