"""Footnotes: marks where they are made, the notes at the end of the text, and nothing left over for the next one."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import JsonSource, Limits, RenderError, SmsSource, TemplateSyntaxError, compile
from tests.render_ext.test_email import DATE, body, parsed, row, sent, source
from tests.render_ext.test_links import IDENTITY, SIGNER, tokens

LINK = "{% footnote %}{% link 1 %}https://x.example/{{ p }}{% endlink %}{% endfootnote %}"


def shown(template: str, values: dict[str, Any] | None = None, **options: Any) -> str:
    return compile(template, links=True, **options).render(values or {})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a {% footnote %}x{% endfootnote %} b", "a [1] b\n\n[1] x\n"),
        ("a {% footnote %}x{% endfootnote %}\n", "a [1]\n\n[1] x\n"),
        ("a {% footnote %}x{% endfootnote %}\n\n\n", "a [1]\n\n\n[1] x\n"),
        ("a{% footnote %}x{% endfootnote %}\r\n", "a[1]\r\n\n[1] x\n"),
        ("{% footnote %} \n{{ nothing }} {% endfootnote %}a", "a"),
        ("{% footnote %} b\n c {% endfootnote %}", "[1]\n\n[1] b c\n"),
        ("{% capture a %}x{% footnote %}y{% endfootnote %}{% endcapture %}{{ a }}{{ a }}", "x[1]x[1]\n\n[1] y\n"),
        ("{% capture a %}x{% footnote %}y{% endfootnote %}{% endcapture %}", "[1] y\n"),
        ("{% footnote %}a{% footnote %}b{% endfootnote %}{% endfootnote %}", "[2]\n\n[1] b\n[2] a[1]\n"),
        ("{% if true %} {% footnote %}a{% endfootnote %} {% endif %}", " [1] \n\n[1] a\n"),
        ("{% for i in (1..9) %}{% footnote %}{{ i }}{% if i == 2 %}{% break %}{% endif %}x{% endfootnote %}{% endfor %}",
         "[1][2]\n\n[1] 1x\n[2] 2\n"),
        ("{% for i in (1..3) %}{% footnote %}{% continue %}{% endfootnote %}{% endfor %}a", "a"),
        ("a{% footnote %}x{% endfootnote %}{% break %}b", "a[1]\n\n[1] x\n"),
        ("{% liquid\nfootnote\necho 'x'\nendfootnote\n%}", "[1]\n\n[1] x\n"),
        ("{% fragment 'f' %}{% footnote %}x{% endfootnote %}{% endfragment %}{% footnote %}y{% endfootnote %}",
         "[1][2]\n\n[1] x\n[2] y\n"),
        ("no notes", "no notes"),
    ],
)  # fmt: skip
def test_notes_stand_at_the_end(template: str, text: str) -> None:
    assert shown(template) == text


def test_notes_are_counted_through_loops_and_partials() -> None:
    partials = {"a": "{% footnote %}{{ p }}{% endfootnote %}"}
    template = "{% for p in (1..2) %}{% include 'a' %}{% render 'a', p: 'r' %}{% endfor %}{% render 'a' for list as p %}"
    assert shown(template, {"list": ["x", "y"]}, partials=partials) == (
        "[1][2][3][4][5][6]\n\n[1] 1\n[2] r\n[3] 2\n[4] r\n[5] x\n[6] y\n"
    )


def test_a_break_in_a_partial_ends_the_text_with_its_notes() -> None:
    partials = {"a": "{% footnote %}x{% endfootnote %}{% break %}"}
    assert shown("a {% include 'a' %} b", partials=partials) == "a [1]\n\n[1] x\n"


@pytest.mark.parametrize("escape", ["html", "url", "json", "header"])
def test_only_what_is_read_as_text_has_notes(escape: Any) -> None:
    for main, partials in (("\n{% footnote %}x{% endfootnote %}", {}), ("{% render 'a' %}", {"a": "\n{% footnote %}"})):
        with pytest.raises(TemplateSyntaxError) as caught:
            compile(main, escape=escape, partials=partials)
        assert (caught.value.line, caught.value.column) == (2, 4)
        assert "the address in its place" in str(caught.value.expected)


def test_short_messages_and_payloads_have_no_notes() -> None:
    for made in (
        SmsSource(text="{% footnote %}x{% endfootnote %}", date=DATE),
        JsonSource(document='{"a": "{% footnote %}x{% endfootnote %}"}', date=DATE),
    ):
        with pytest.raises(TemplateSyntaxError, match="outside of the text part"):
            made.compile(SIGNER)


@pytest.mark.parametrize(
    "template",
    ["{% footnote %}", "{% endfootnote %}", "{% footnote a %}x{% endfootnote %}", "{% footnote %}x{% endfootnote a %}",
     "{% link 1 %}https://a.example/{% footnote %}x{% endfootnote %}{% endlink %}",
     "{% liquid\nfootnote\n%}{% endfootnote %}"],
)  # fmt: skip
def test_mistakes_are_told(template: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        compile(template, links=True)


# ---- links -------------------------------------------------------------------------------------------------------


def test_links_in_notes_have_their_tokens_in_the_same_order_every_time() -> None:
    program = compile("{% for p in list %}" + LINK + "{% endfor %}", links=True, signer=SIGNER)
    values = {"list": ["a", "b", "c"]}
    text = program.render(values, identity=IDENTITY)
    assert [(number, occurrence) for _, number, occurrence in tokens(text)] == [(1, 0), (1, 1), (1, 2)]
    assert re.fullmatch(r"(\[\d\]){3}\n\n(\[\d\] https://\S+\n){3}", text)
    assert program.render(values, identity=IDENTITY) == text
    assert [program.resolve_link(values, 1, n) for n in range(4)] == [
        "https://x.example/a", "https://x.example/b", "https://x.example/c", None,
    ]  # fmt: skip


def test_notes_without_a_recipient_show_the_target() -> None:
    assert shown(LINK + " {% footnote %}{% unsubscribe_url %}{% endfootnote %}", {"p": "a"}) == (
        "[1] [2]\n\n[1] https://x.example/a\n[2] #\n"
    )


# ---- batches, encodings, limits ----------------------------------------------------------------------------------


def test_each_row_begins_with_its_first_note() -> None:
    program = compile("{{ n | divided_by: d }}{% footnote %}{{ n }}{% endfootnote %}")
    rows = [{"n": 1, "d": 1}, {"n": 2, "d": 1}]
    assert program.render_many(rows) == [b"1[1]\n\n[1] 1\n", b"2[1]\n\n[1] 2\n"]
    failing = compile("{% footnote %}{{ n }}{% endfootnote %}{{ n | divided_by: d }}")
    with pytest.raises(RenderError):
        failing.render({"n": 1, "d": 0})
    assert failing.render({"n": 2, "d": 1}) == "[1]2\n\n[1] 2\n"


@given(st.text(alphabet="aé =\n\r.\t", max_size=90), st.text(alphabet="aé =", min_size=1, max_size=200))
def test_notes_go_through_the_encoding_of_the_part(before: str, note: str) -> None:
    values = {"a": before, "b": note}
    text = "{{ a }}é{% footnote %}{{ b }}é{% endfootnote %}\n"
    message = parsed(sent(source(text=text).compile(SIGNER), row(values)))
    assert body(message, "plain") == re.sub("\r\n|\r", "\n", compile(text).render(values))


def test_limits_hold() -> None:
    notes = "{% for i in (1..1000) %}{% footnote %}{{ a }}{% endfootnote %}{% endfor %}"
    for limits, name in (
        (Limits(steps=3000), "steps"), (Limits(output_bytes=20_000), "output_bytes"), (Limits(value_bytes=50), "value_bytes"),
    ):  # fmt: skip
        with pytest.raises(RenderError) as caught:
            compile(notes, limits=limits).render({"a": "x" * 60})
        assert caught.value.limit == name
    with pytest.raises(RenderError) as caught:
        compile(notes, limits=Limits(steps=20_000)).render({"a": "x" * 6000})
    assert caught.value.limit == "steps"


def test_thousands_of_notes_are_kept_and_let_go() -> None:
    program = compile("{% for i in (1..50000) %}{% footnote %}{{ a }}{% endfootnote %}{% endfor %}")
    value = "x" + "y" * 10
    before = sys.getrefcount(value)
    lines = program.render({"a": value}).split("\n")
    assert lines[-2] == f"[50000] {value}"
    assert sys.getrefcount(value) == before


def test_a_link_leads_where_it_is_shown_also_behind_what_another_says() -> None:
    first = "{% link 0 %}https://a.example/{% endlink %}"
    source = (
        f"{{% capture x %}}{{% footnote %}}{first}{{% endfootnote %}}{{% endcapture %}}"
        "{% if x != '' %}{% link 1 %}https://b.example/{% endlink %}{% endif %}"
    )
    program = compile(source, links=True)
    assert program.render({}) == "https://b.example/\n\n[1] https://a.example/\n"
    assert (program.resolve_link({}, 0), program.resolve_link({}, 1)) == ("https://a.example/", "https://b.example/")
