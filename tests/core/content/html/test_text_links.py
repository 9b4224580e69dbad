"""Every link that a reader of HTML can follow is a note of the text, and nothing sticks to its address."""

from __future__ import annotations

import re
from collections import Counter
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.content.html.text import text_from_html
from core.content.links.rewriting import rewrite_html
from render_ext import TemplateSyntaxError, compile, verify
from tests.render_ext.test_links import IDENTITY, KEY, SIGNER

PRODUCTS = [{"name": "Tea", "id": 1, "last": False}, {"name": "", "id": 2, "last": False}, {"name": "C", "id": 3, "last": True}]
VALUES: dict[str, Any] = {"list": PRODUCTS, "a": True, "b": False, "none": []}


def notes(text: str) -> list[str]:
    """The addresses at the end of a text, whose marks are all there."""
    lines = takewhile(lambda line: re.fullmatch(r"\[\d+\] \S+", line), reversed(text.rstrip("\n").split("\n")))
    found = [line.split(" ") for line in reversed(list(lines))]
    assert [mark for mark, _ in found] == [f"[{number}]" for number in range(1, len(found) + 1)]
    assert all(text.count(mark) > 1 for mark, _ in found)
    return [address for _, address in found]


def shown(html: str, values: dict[str, Any] | None = None) -> str:
    return compile(text_from_html(rewrite_html(html).source), links=True).render(VALUES if values is None else values)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('{% if a %}<a href="https://a.example/">{% else %}<a href="https://b.example/">{% endif %}Shop</a> now',
         "Shop [1] now\n\n[1] https://a.example/\n"),
        ('{% if b %}<a href="https://a.example/">{% else %}<a href="https://b.example/">{% endif %}Shop</a>',
         "Shop [1]\n\n[1] https://b.example/\n"),
        ('{% if b %}<a href="https://a.example/">{% endif %}Shop{% if b %}</a>{% endif %}', "Shop\n"),
        ('{% if a %}<a href="https://a.example/">{% endif %}Shop{% if a %}</a>{% endif %}.',
         "Shop [1].\n\n[1] https://a.example/\n"),
        ('{% if a %}<a href="#x">{% else %}<a href="https://b.example/">{% endif %}Shop</a>', "Shop\n"),
        ('<a href="https://a.example/">Shop{% if a %}</a>{% else %}s</a>{% endif %} now',
         "Shop [1] now\n\n[1] https://a.example/\n"),
        ('{% for p in list %}<a href="https://x.example/{{ p.id }}">x{% if p.last %}{% break %}{% endif %}</a>{% endfor %}',
         "x [1]x [2]x [3]\n\n[1] https://x.example/1\n[2] https://x.example/2\n[3] https://x.example/3\n"),
        ('<a href="https://x.example/">{% for p in list %}{{ p.id }}{% if p.last %}{% break %}{% endif %}{% endfor %}</a>',
         "123 [1]\n\n[1] https://x.example/\n"),
        ('<a href="https://x.example/">one {% if a %}{% break %}{% endif %}two</a>', "one  [1]\n\n[1] https://x.example/\n"),
        ('<a href="https://x.example/">one {% if b %}{% break %}{% endif %}two</a>', "one two [1]\n\n[1] https://x.example/\n"),
        ('{% for p in list %}<a href="https://x.example/">x {% liquid\n if p.last\n break\n endif %}</a>{% endfor %}',
         "x [1] x [2] x [3] \n\n[1] https://x.example/\n[2] https://x.example/\n[3] https://x.example/\n"),
        ('<a href="https://o.example/">{% fragment "x" %}<a href="https://i.example/">in{% endfragment %} out</a>',
         "in [1] out [2]\n\n[1] https://i.example/\n[2] https://o.example/\n"),
        ("Hi <a {% if b %}href='https://a.example/'{% endif %}>x</a>, <a class='{% if b %}y{% endif %}' href='https://b.example/'>z</a>",
         "Hi x, z [1]\n\n[1] https://b.example/\n"),
        ("a <a href='mailto:'>e</a>", "a e\n"),
        ('<p>never closed <a href="https://x.example/">here</p>', "never closed here [1]\n\n[1] https://x.example/\n"),
        ('<ul><li>a</li><li><a href="https://x.example/"><img src="i"></a></li></ul>',
         "* a\n* [1]\n\n[1] https://x.example/\n"),
        ('<a href="https://x.example/{{ a }}">x{% assign a = 2 %}</a>{{ a }}', "x [1]2\n\n[1] https://x.example/true\n"),
        ('<a href="https://x.example/"> Shop </a>now', "Shop [1] now\n\n[1] https://x.example/\n"),
        ("<a href='tel:+4930123'>+49 (30) 123</a>, <a href='TEL:+4930123'>call</a>, <a href='mailto:a@b.example'><img></a>z",
         "+49 (30) 123, call <+4930123>, <a@b.example>z\n"),
    ],
)  # fmt: skip
def test_a_note_belongs_to_the_start_tag_that_was_executed(html: str, text: str) -> None:
    assert shown(html) == text


def test_an_address_that_only_the_recipient_knows_is_a_note_where_it_is_one() -> None:
    text = text_from_html('<a href="{{ url | escape }}">Shop</a>!')
    assert compile(text).render({"url": "https://x.example/?a&b"}) == "Shop [1]!\n\n[1] https://x.example/?a&b\n"
    assert compile(text).render({}) == "Shop !\n"


def test_thousands_of_links_that_may_be_open_are_read_in_one_go() -> None:
    html = "".join(f'{{% if a %}}<a href="https://x.example/{n}">{{% endif %}}x' for n in range(2_000))
    assert shown(html).count("\n[") == 2_000


WORDS = st.sampled_from(
    ["word", " ", "x", "<br>", "<p>", "</p>", "<td>", "</td>", "<tr>", "{{ p.name }}", "{{ a }}", "<img src='i'>", "&nbsp;",
     "{%- if a -%} y {%- endif -%}", "<li>", "{% echo p.id %}", "<b>", "https://x.example/", "[", "1", "-"]
)  # fmt: skip
STARTS = st.sampled_from(
    ["<a href='https://x.example/{{ p.id }}'>", "<a href='https://y.example/?q={% if a %}1{% else %}2{% endif %}'>", "<a>",
     "<a href='#top'>", "<a {% if a %}href='https://a.example/'{% else %}href='https://b.example/'{% endif %}>"]
)  # fmt: skip
BLOCKS = st.sampled_from(
    [("{% for p in list %}", "{% endfor %}"), ("{% if a %}", "{% endif %}"), ("{% if b %}", "{% else %}x{% endif %}"),
     ("{% if a %}", "{% else %}<a href='https://z.example/'>{% endif %}"), ("{% for p in none %}", "{% endfor %}"),
     ("{% unless p.last %}", "{% endunless %}"), ("{% fragment 'f' %}", "{% endfragment %}"),
     ("{% for p in list %}", "{% if p.last %}{% break %}{% endif %}x{% endfor %}"),
     ("{% for p in list %}{% if p.last %}{% continue %}{% endif %}", "{% endfor %}"),
     ("<a href='https://w.example/'>", "</a>"), ("<table><tr>", "</tr></table>"), ("<ul>", "</ul>")]
)  # fmt: skip
DOCUMENTS = st.recursive(
    WORDS | STARTS | st.just("</a>"),
    lambda inner: st.tuples(BLOCKS, st.lists(inner, max_size=5)).map(lambda one: one[0][0] + "".join(one[1]) + one[0][1]),
    max_leaves=12,
)


@given(st.lists(DOCUMENTS, max_size=6).map("".join))
def test_every_link_that_is_rendered_has_its_note(html: str) -> None:
    rewritten = rewrite_html(html).source
    try:
        page = compile(rewritten, escape="html", links=True).render(VALUES)
    except TemplateSyntaxError:
        assume(False)
    followed = [address for address in re.findall(r"<a href='([^']*)'", page.replace("<a  ", "<a ")) if address != "#top"]
    text = text_from_html(rewritten)
    assert Counter(notes(compile(text, links=True).render(VALUES) if text else "")) == Counter(followed)


@given(st.lists(DOCUMENTS, max_size=6).map("".join))
def test_every_token_of_the_text_is_whole(html: str) -> None:
    text = text_from_html(rewrite_html(html).source)
    program = compile(text or "x", links=True, signer=SIGNER)
    written = program.render(VALUES, identity=IDENTITY)
    addresses = notes(written)
    assert len(addresses) == written.count("https://t.example.com/")
    for address in addresses:
        token = verify(address.removeprefix("https://t.example.com/c/"), {3: KEY})
        assert token is not None
        assert token.identity == IDENTITY
        assert program.resolve_link(VALUES, token.link, token.link_occurrence) is not None
