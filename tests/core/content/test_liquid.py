"""Liquid is found where the engine finds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.content.liquid import (
    SpanKind,
    balanced_prefix,
    blocks,
    is_balanced,
    mask,
    outermost,
    pieces,
    place,
    prints,
    quoted,
    spans,
)
from render_ext import TemplateSyntaxError, compile
from render_ext.lexer import PieceKind
from render_ext.lexer import pieces as engine_pieces

FRAGMENTS = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{",
    "}",
    "%",
    " a ",
    "'",
    '"',
    "\n",
    " raw ",
    " endraw ",
    " doc ",
    " enddoc ",
    "if a",
    "é",
    "<",
    "x",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
def test_what_is_no_liquid_is_what_the_engine_prints_as_it_is(source: str) -> None:
    try:
        expected = [piece.text for piece in engine_pieces(source, "t") if piece.kind in (PieceKind.TEXT, PieceKind.RAW)]
    except TemplateSyntaxError:
        return
    found = []
    for text, span in pieces(source):
        if span is None:
            found.append(text)
        elif span.kind is SpanKind.RAW:
            found.append(text[text.index("%}") + 2 : text.rindex("{%")])
    assert "".join(found) == "".join(expected)


@given(st.text(st.sampled_from("{}%ab '\"-rawcomentdif#"), max_size=60))
def test_a_mask_keeps_every_offset(source: str) -> None:
    masked = mask(source)
    assert len(masked) == len(source)
    covered = {offset for span in spans(source) for offset in range(span.start, span.end)}
    assert all(masked[offset] == source[offset] for offset in range(len(source)) if offset not in covered)
    assert "{{" not in masked or "}}" not in masked[masked.index("{{") :]


def test_comments_within_comments_are_one_comment() -> None:
    source = "a{% comment %}b{% comment %}c{% endcomment %}{{ '%}' }}{% endcomment %}d"
    assert [text for text, span in pieces(source) if span is None] == ["a", "d"]
    assert compile(source).render({}) == "ad"


@pytest.mark.parametrize(
    ("source", "upto"),
    [
        ("abc", 3),
        ("a{{ b }}c", 9),
        ("a{% if b %}c{% endif %}d", 24),
        ("a{% endif %}b", 1),
        ("a{% else %}b", 1),
        ("a{% if b %}c", 1),
        ("a{% if b %}c{% endif %}d{% endfor %}", 24),
        ("a{% for b in c %}{% if d %}{% endif %}", 1),
    ],
)
def test_a_piece_may_stand_alone_as_far_as_its_blocks_are_whole(source: str, upto: int) -> None:
    assert balanced_prefix(source) == upto
    assert is_balanced(source) is (upto == len(source))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a{{ b }}c{% if d %}{{ e }}{% if f %}{% endif %}{% endif %}{% assign g = 1 %}", ["{{ b", "{% if", "{% as"]),
        ("{% fragment 'a' b: 1 %}{{ b }}{% endfragment %}{% endif %}{% for a in b %}x", ["{% fr", "{% en", "{% fo"]),
        ("{% comment %}{% if a %}{% endcomment %}{% raw %}{% if a %}{% endraw %}", ["{% co", "{% ra"]),
    ],
)
def test_outermost_pieces_are_whole_blocks_and_what_is_between(source: str, found: list[str]) -> None:
    units = outermost(source)
    assert [source[unit.start : unit.start + len(text)] for unit, text in zip(units, found, strict=True)] == found
    assert blocks(source) == [(unit.start, unit.end) for unit in units if unit.kind is SpanKind.BLOCK]
    assert [one.start for one in units] == sorted(one.start for one in units)


@pytest.mark.parametrize(
    ("tag", "yes"),
    [
        ("{{ a }}", True), ("{% raw %}a{% endraw %}", True), ("{% echo a %}", True), ("{%- cycle 1, 2 -%}", True),
        ("{% increment a %}", True), ("{% render 'a' %}", True), ("{% mirror_url %}", True),
        ("{% liquid\n assign a = 1\n echo a\n%}", True), ("{% liquid liquid echo a %}", True),
        ("{% liquid\nraw\nx\nendraw %}", True),
        ("{% liquid\n assign echo = 1\n%}", False), ("{% assign a = 1 %}", False), ("{% if a %}", False),
        ("{% comment %}{{ a }}{% endcomment %}", False), ("{% # echo %}", False),
    ],
)  # fmt: skip
def test_what_prints(tag: str, yes: bool) -> None:
    (span,) = spans(tag)
    assert prints(tag, span) is yes


@given(st.text(st.sampled_from("{}%a \"'\\"), max_size=30))
def test_quoted_text_prints_as_itself_wherever_it_stands(text: str) -> None:
    assert compile(quoted(text)).render({}) == text
    assert compile(quoted(text) + "{{ x }}" + quoted(text)).render({"x": "{"}) == text + "{" + text


def test_places_count_from_one() -> None:
    assert [place("ab\nc\n", offset) for offset in range(6)] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
        (2, 2),
        (3, 1),
    ]
