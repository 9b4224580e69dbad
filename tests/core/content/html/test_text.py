"""A readable text out of HTML, with its Liquid alive."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.content.html.text import message_text, text_from_html
from core.content.links.rewriting import rewrite_html
from core.content.liquid import SpanKind, spans
from render_ext import TemplateSyntaxError, compile


def shown(html: str, values: dict[str, Any] | None = None) -> str:
    """What a recipient of the generated text reads."""
    return compile(text_from_html(html), links=True).render(values or {})


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h1>Big\n  news</h1><p>One&nbsp;two<br>three</p><p>4</p>", "Big news\n\nOne two\nthree\n\n4\n"),
        ("a <b>b</b> <i>c</i>d", "a b cd\n"),
        ("<div>a</div><div>b<div>c</div></div>d", "a\nb\nc\nd\n"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>d", "* a\n* b\n  * c\n\nd\n"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b\n"),
        ("<ol><li><p>a</p></li><li><p>b</p></li></ol>", "1. a\n\n2. b\n"),
        ("<table><tr><th>Item</th><th>Price</th></tr><tr><td>Tea</td><td>3</td></tr></table>",
         "Item  Price\nTea  3\n"),
        ("<table><tr><td><p>Left</p></td><td><p>Right</p></td></tr></table>", "Left\n\nRight\n"),
        ("<p>a</p><hr><p>b</p>", "a\n\n--------------------\n\nb\n"),
        ("<pre>a\n  b &lt;</pre>", "a\n  b <\n"),
        ("x &copy; &#8364; &lt;b&gt; a&shy;b&zwnj;c", "x © € <b> abc\n"),
        ("&#123;&#123; no &#125;} {&#37; no %}", "{{ no }} {% no %}\n"),
        ('<img src="x" alt="Our &quot;logo&quot;"><img src="pixel">', 'Our "logo"\n'),
        ("<a href='https://x.example/?a=1&amp;b=2'>Shop</a> now", "Shop [1] now\n\n[1] https://x.example/?a=1&b=2\n"),
        ("<a href='https://x.example/'>https://x.example/</a>.", "https://x.example/ [1].\n\n[1] https://x.example/\n"),
        ("<a href='https://x.example/'><img alt='Logo' src='x'></a>", "Logo [1]\n\n[1] https://x.example/\n"),
        ("<a href='https://x.example/'><img src='x'></a>x", "[1]x\n\n[1] https://x.example/\n"),
        ("<a href='https://x.example/'><p>Block</p></a><p>b</p>", "Block [1]\n\nb\n\n[1] https://x.example/\n"),
        ("<a href='#top'>up</a> <a href='/x'>y</a> <a>z</a>", "up y z\n"),
        ("<a href='mailto:a@b.example?subject=x'>write</a> <a href='mailto:a@b.example'>a@b.example</a>",
         "write <a@b.example> a@b.example\n"),
        ("<a href='https://a.example/'>one<a href='https://b.example/'>two</a>",
         "one [1]two [2]\n\n[1] https://a.example/\n[2] https://b.example/\n"),
        ("<head><title>t</title><style>p{}</style></head><script>s</script><body>b</body>", "b\n"),
        ("<div style='color:red;Display : NONE'>no<div>no</div>no</div>yes", "yes\n"),
        ("<span hidden>no</span><template>no</template>yes", "yes\n"),
        ("<!-- no --><!--[if mso]><p>no</p><![endif]--><!--[if !mso]><!--><p>y</p><!--<![endif]-->", "y\n"),
        ("", ""),
        ("<p> \n </p><img src=x>", ""),
    ],
)  # fmt: skip
def test_html_reads_well_as_text(html: str, text: str) -> None:
    assert shown(html) == text


def test_loops_and_conditions_keep_their_lines() -> None:
    html = (
        "<p>Hello {{ name }},</p><ul>{% for p in products %}<li><a href='https://x.example/{{ p.id }}'>"
        "{{ p.name }}</a></li>{% endfor %}</ul>{% if vip %}<p>Thank you!</p>{% else %}"
        "<p>Join us.</p>{% endif %}<p>Bye</p>"
    )
    rewritten = rewrite_html(html).source
    products = [{"id": 1, "name": "Tea"}, {"id": 2, "name": "Cake"}]
    text = shown(rewritten, {"name": "Zoë", "products": products, "vip": True})
    assert text == (
        "Hello Zoë,\n\n* Tea [1]\n* Cake [2]\n\nThank you!\n\nBye\n\n[1] https://x.example/1\n[2] https://x.example/2\n"
    )
    assert "Join us.\n\nBye" in shown(rewritten, {"name": "Zoë", "products": [], "vip": False})


def test_numbers_of_a_list_are_not_counted_through_a_loop() -> None:
    assert shown("<ol>{% for p in ps %}<li>{{ p }}</li>{% endfor %}</ol>", {"ps": ["a", "b"]}) == "* a\n* b\n"


def test_assignments_survive_the_elements_that_are_dropped() -> None:
    html = (
        '<head><style>{% assign a = "x" %}</style></head><!-- {% assign b = "y" %} -->'
        '<p {% assign c = "z" %}>{{ a }}{{ b }}{{ c }}</p>'
    )
    assert shown(html).strip() == "xyz"


@pytest.mark.parametrize(
    "dropped",
    [
        "<style>{}</style>", "<p title='{}'>", "<!-- {} -->", "<!--[if mso]>{}<![endif]-->",
        "<div style='display:none'>{}</div>", "<head>{}</head>", "<p {}>",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "tag",
    [
        "{% echo 'no' %}", "{%- liquid echo 'no' -%}", "{% cycle 'no', 'no' %}", "{% increment n %}",
        "{% raw %}no{% endraw %}", "{{ 'no' }}",
        "{% liquid\n for i in (1..2)\n  echo 'no'\n endfor\n raw\n no\n endraw\n%}",
    ],
)  # fmt: skip
def test_what_is_printed_into_what_is_dropped_is_dropped(dropped: str, tag: str) -> None:
    assert shown(f"{dropped.replace('{}', tag)}<p>yes</p>").strip() == "yes"


def test_partials_in_what_is_dropped_are_dropped() -> None:
    html = "<head>{% include 'a' %}</head><!-- {% render 'b', c: 1 %} --><p>{% include 'a' %}</p>"
    assert text_from_html(html).split("\n") == ["{% include 'a' %}", ""]


def test_what_a_liquid_tag_assigns_is_there_where_what_it_prints_is_not() -> None:
    html = "<head>{% liquid\n assign a = 'x'\n echo a\n increment n\n%}</head><p>{{ a }}{% increment n %}</p>"
    assert shown(html).strip() == "x1"


def test_rows_of_a_table_are_lines() -> None:
    html = "<table>{% tablerow i in list cols: 2, limit: 3 %}<b>{{ i }}</b>{%- endtablerow -%}</table><p>end</p>"
    assert shown(html, {"list": ["a", "b", "c", "d"]}).split("\n") == ["a", "b", "c", "", "end", ""]
    hidden = "<head>{% tablerow i in list cols:2 %}{{ i }}{% endtablerow %}</head><p>end</p>"
    assert shown(hidden, {"list": ["a", "b"]}).strip() == "end"


def test_dashes_take_away_the_white_space_of_the_html_and_not_the_lines_of_the_text() -> None:
    html = (
        "<p>a</p>\n{%- if x -%}\n<p>b {{- x -}} c {%- comment -%}{%- endcomment -%} d</p>{%- endif -%}"
        "<p>e {% if x -%} f{%- endif %}</p>"
    )
    assert shown(html, {"x": "x"}) == "a\n\nbxcd\n\ne f\n"
    assert shown("<ul>{%- for i in list -%}<li>{{- i -}}</li>{%- endfor -%}</ul>", {"list": [1, 2]}) == "* 1\n* 2\n"


def test_raw_words_are_words() -> None:
    assert shown("<p>{% raw %}{{ a }} &amp; {% b %}{% endraw %}</p>") == "{{ a }} & {% b %}\n"


def test_a_tag_in_a_written_address_is_not_written_twice() -> None:
    html = '<a href="https://x.example/?{% if a %}b={{ a }}{% endif %}">go</a>'
    assert text_from_html(html).count("{% if a %}") == 1
    assert shown(html, {"a": 1}) == "go [1]\n\n[1] https://x.example/?b=1\n"


def test_where_liquid_chooses_the_address_the_text_chooses_too() -> None:
    html = '<a {% if a %}href="https://a.example/"{% else %}href="https://b.example/"{% endif %}>go</a>'
    rewritten = rewrite_html(html).source
    assert shown(rewritten, {"a": True}) == "go [1]\n\n[1] https://a.example/\n"
    assert shown(rewritten, {"a": False}) == "go [1]\n\n[1] https://b.example/\n"


def test_system_addresses_and_tracked_links_are_carried_over() -> None:
    html = '<a href="https://x.example/">Shop</a> <a href=" {% unsubscribe_url %} ">Unsubscribe</a>'
    assert text_from_html(rewrite_html(html).source) == (
        "Shop {% footnote %}{% link 1 %}https://x.example/{% endlink %}{% endfootnote %} "
        "Unsubscribe {% footnote %}{% unsubscribe_url %}{% endfootnote %}\n"
    )


PRODUCTS = {"products": [{"name": name} for name in "TCD"], "rows": [[1, 2], [3, 4]], "a": True}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr>{% for p in products %}<td>{{ p.name }}</td>{% endfor %}</tr></table>", "T  C  D\n"),
        ("<table><tr><td>x</td>{% for p in products %}<td>{{ p.name }}</td>{% endfor %}<td>y</td></tr></table>",
         "x  T  C  D  y\n"),
        ("<table>{% for row in rows %}<tr>{% for c in row %}<td>{{ c }}</td>{% endfor %}</tr>{% endfor %}</table>end",
         "1  2\n3  4\n\nend\n"),
        ("<table><tr>{% for p in products %}<td>{% if p.name == 'C' %}{% else %}{{ p.name }}{% endif %}</td>{% endfor %}</tr>",
         "T    D\n"),
        ("{% for p in products %}<br>{{ p.name }}{% endfor %}", "T\nC\nD\n"),
        ("{% for p in products %}{{ p.name }}<br>{% endfor %}", "T\nC\nD\n"),
        ("x{% for p in products %}<br>{{ p.name }}{% endfor %}", "x\nT\nC\nD\n"),
        ("{% for r in rows %}{% for c in r %}<br>{{ c }}{% endfor %}{% endfor %}", "1\n2\n3\n4\n"),
        ("<p>{% for p in products %} {{ p.name }}{% endfor %}</p>", "T C D\n"),
        ("{% for p in products %}{% if a %}<br>{% endif %}{{ p.name }}{% endfor %}", "T\nC\nD\n"),
        ("{% for p in none %}x{% else %}<br>y{% endfor %}", "y\n"),
        ("words{% if a %}<br>{% endif %}more", "words\nmore\n"),
        ("a{% if b %}<p>b</p>{% else %}<br>c{% endif %}d", "a\ncd\n"),
        ("<table><tr><td>1</td><td></td><td>3</td></tr></table>", "1    3\n"),
        ("<table><tr><td>1</td><td>&nbsp;</td><td></td></tr></table>", "1\n"),
        ("<table><tr><td> </td><td>layout</td></tr></table>", "layout\n"),
        ("<table><tr><th></th><th>A</th><th>B</th></tr><tr><td></td><td></td><td>3</td></tr></table>", "  A  B\n    3\n"),
        ('<ol start="5"><li>a<li>b<li value="9">c<li>d</ol>', "5. a\n6. b\n9. c\n10. d\n"),
        ('<ol start="{{ n }}"><li>a</ol><ol start="x"><li>a</ol>', "* a\n\n1. a\n"),
        ("{% capture c %}<br>x{% endcapture %}a{{ c }}", "ax\n"),
    ],
)  # fmt: skip
def test_what_separates_is_there_in_every_round_and_branch(html: str, text: str) -> None:
    assert re.sub(r" +$", "", shown(html, PRODUCTS), flags=re.MULTILINE) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("{{ city | escape }} {{ city | h }} {% echo city | escape_once %}", "Köln & Bonn Köln & Bonn Köln & Bonn\n"),
        ('{{ "<b>x</b>" | raw }}', "x\n"),
        ("{{ html | raw }}!", "One\nTwo\nThree!\n"),
        ("{{ lines | newline_to_br }}", "a\nb\n"),
        ("{{ city | escape | newline_to_br | raw -}} x", "Köln & Bonnx\n"),
        ("{{ html | raw | newline_to_br }}", "One\nTwo\nThree\n"),
        ('{{ "a | escape" }}{{ "|raw" | append: "| h" }}', "a | escape|raw| h\n"),
        ("{{ city | escape | upcase }}", "KÖLN &AMP; BONN\n"),
        ('<img alt="{{ city | escape }}">', "Köln & Bonn\n"),
    ],
)
def test_outputs_read_as_text(html: str, text: str) -> None:
    values = {"city": "Köln & Bonn", "lines": "a\nb", "html": "<p>One</p><p>Two<br/><i>Three</i></p>"}
    assert shown(html, values) == text


ROOM = "&#847;&zwnj;&nbsp;&#8199;&shy;" * 20


@pytest.mark.parametrize(
    ("html", "preheader", "text"),
    [
        ("<p>Hi</p>", "Only today,\n{{ name | escape }}", "Only today, Zoë & Co\n\nHi\n"),
        ("<p>Hi</p>", "Hi", "Hi\n"),
        ("<p>Hi</p>", " \n", "Hi\n"),
        ("<img src='x'>", "Hi", "Hi\n\nmirror\n"),
        ("<img src='x'>", "", "mirror\n"),
        ("<p>Hi</p>", "50 {% &zwnj;", "50 {% &zwnj;\n\nHi\n"),
        (f"<head><title>t</title></head><body><div style='display:none'>For {{{{ name }}}}{ROOM}</div><p>Hi</p>", "",
         "For Zoë & Co\n\nHi\n"),
        (f"<body><div style='display:none'>Theirs{ROOM}</div><p>Hi</p>", "Ours", "Ours\n\nHi\n"),
        (f"<span style='display:none'><b>Hi</b>{ROOM}</span><p>Hi</p><p>Hi</p>", "", "Hi\n\nHi\n"),
        (f"<div style='display:none'>{ROOM}</div><div style='display:none'>Second</div>Hi", "", "Second\n\nHi\n"),
        ("<div style='display:none'>{% if name %}a{% else %}b{% endif %}</div>Hi", "", "a\n\nHi\n"),
        ("<p>Hi</p><div style='display:none'>later</div>", "", "Hi\n"),
        ("<div style='display:none'>first</div><div style='display:none'>second</div>Hi", "", "first\n\nHi\n"),
        ("<div style='display:none'><a href='https://x.example/'>a link</a></div>Hi", "", "Hi\n"),
        ("<div style='display:none'>{% if name %}</div>Hi{% endif %}", "", "Hi\n"),
        ("<div style='display:none'>never closed", "", "mirror\n"),
        ("<p>Hi</p>", "{{ none }}", "Hi\n"),
        ("<p>Hi</p>", "{% if none %}no{% endif %}", "Hi\n"),
        ("<p>Hi</p>", " {{ name | escape }} ", "Zoë & Co\n\nHi\n"),
        ("<div style='display:none'>{{ none }}</div><p>Hi</p>", "", "Hi\n"),
        ("<div style='display:none'> {{ name }} </div><p>Hi</p>", "", "Zoë & Co\n\nHi\n"),
        ("<div style='display:none'>{{ name }}</div><p>{{ name }}</p>", "", "Zoë & Co\n"),
        (f"{{% if name %}}<i hidden>A{ROOM}</i>{{% else %}}<i hidden>B</i>{{% endif %}}<p>Hi</p>", "", "A\n\nHi\n"),
        (f"{{% if none %}}<i hidden>A{ROOM}</i>{{% else %}}<i hidden>B</i>{{% endif %}}<p>Hi</p>", "", "B\n\nHi\n"),
        ("{% if none %}<i hidden>A</i>{% endif %}<i hidden>B</i><p>Hi</p>", "", "Hi\n"),
    ],
)  # fmt: skip
def test_the_preheader_is_the_first_line(html: str, preheader: str, text: str) -> None:
    made = message_text(html, preheader, wordless="mirror\n")
    assert compile(made).render({"name": "Zoë & Co"}) == text


FRAGMENTS = [
    "<p>", "</p>", "<div>", "</div>", "<ul>", "<ol>", "<li>", "</li>", "</ol>", "<table>", "<tr>", "<td>",
    "</table>", "<br>", "<style>", "</style>", "<head>", "</head>", "<a href='https://x.example/{{ a }}'>",
    "</a>",
    "<img alt='{{ a }}'>", "<pre>", "</pre>", "<!--", "-->", "<!--[if mso]>", "<![endif]-->",
    "<span style='display:none'>", "</span>", "word", " ", "&nbsp;", "{", "&#123;", "{{ a }}", "{% if a %}",
    "{% else %}", "{% endif %}", "{% for i in list %}", "{% endfor %}", "{{ i }}", "{% assign a = 'b' %}",
    "<p class='{% if a %}x{% endif %}'>", "{% comment %}", "{% endcomment %}", "{% raw %}", "{% endraw %}",
    "{% liquid\n assign a = 'c'\n if a\n echo a\n break\n endif\n%}", "{% echo a %}", "{% cycle 1, 2 %}",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_a_valid_template_makes_a_valid_text_with_the_same_blocks(html: str) -> None:
    try:
        compile(html, escape="html", links=True)
    except TemplateSyntaxError:
        return
    text = text_from_html(html)
    if text:
        compile(text, links=True).render({"a": "x", "list": [1, 2]})
        blocks = ("if", "else", "endif", "for", "endfor", "assign")
        assert _tags(text, blocks) == _tags(html, blocks)


def _tags(source: str, names: tuple[str, ...]) -> list[str]:
    return [span.name for span in spans(source) if span.kind is SpanKind.TAG and span.name in names]


@pytest.mark.parametrize(
    "unseen",
    [
        '<!--[if mso]><v:rect href="https://x.example/{% if a %}b{% endif %}"></v:rect><![endif]-->',
        '<a style="display:none" href="https://x.example/{{ a }}">b</a>',
    ],
)
def test_links_that_readers_of_text_do_not_see_leave_nothing(unseen: str) -> None:
    text = text_from_html(rewrite_html(f"<p>Hello</p>{unseen}{{% if c %}}<p>you</p>{{% endif %}}").source)
    assert "link" not in text
    assert compile(text).render({"c": 1}).split() == ["Hello", "you"]
