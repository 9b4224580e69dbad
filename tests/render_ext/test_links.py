"""Tracked links in templates: the token in the page, the target behind it, and no way for a value out of its place."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import Identity, Link, TemplateSyntaxError, TokenKey, TokenKind, TokenSigner, compile, verify

KEY = TokenKey(3, b"k" * 32)
SIGNER = TokenSigner("https://t.example.com", KEY)
IDENTITY = Identity(9, 1, 77, 2)


def tokens(page: str) -> list[tuple[TokenKind, int, int]]:
    """Kind, link and occurrence of every token in a page."""
    found = []
    for text in re.findall(r"https://t\.example\.com/[cmou]/([A-Za-z0-9_-]+)", page):
        token = verify(text, {3: KEY})
        assert token is not None
        assert token.identity == IDENTITY
        found.append((token.kind, token.link, token.link_occurrence))
    return found


def test_each_writing_of_a_link_has_its_occurrence() -> None:
    program = compile(
        "{% link 4 %}https://a.example/{% endlink %} {% for p in l %}{% link 2 %}https://b.example/{{ p }}{% endlink %} "
        "{% endfor %}{% link 4 %}https://a.example/again{% endlink %}",
        links=True,
        signer=SIGNER,
    )
    page = program.render({"l": ["x", "y"]}, identity=IDENTITY)
    click = TokenKind.CLICK
    assert tokens(page) == [(click, 4, 0), (click, 2, 0), (click, 2, 1), (click, 4, 1)]
    values = {"l": ["x", "y"]}
    assert program.resolve_link(values, 4, 0) == "https://a.example/"
    assert program.resolve_link(values, 4, 1) == "https://a.example/again"
    assert program.resolve_link(values, 2, 0) == "https://b.example/x"
    assert program.resolve_link(values, 2, 1) == "https://b.example/y"
    for number, occurrence in ((2, 2), (4, 2), (3, 0), (5, 0), (9999, 0), (2, -1), (-1, 0), (2, 10**30)):
        assert program.resolve_link(values, number, occurrence) is None


def test_zeros_before_the_number_of_a_link_do_not_make_another_one() -> None:
    source = "{% link 7 %}https://a.example/{% endlink %} {% link 0007 %}https://b.example/{% endlink %}"
    program = compile(source, links=True, signer=SIGNER)
    assert [link.number for link in program.links] == [7, 7]
    assert tokens(program.render({}, identity=IDENTITY)) == [(TokenKind.CLICK, 7, 0), (TokenKind.CLICK, 7, 1)]
    assert program.resolve_link({}, 7, 1) == "https://b.example/"


@pytest.mark.parametrize("number", ["00007", "0" * 5_000 + "7", "9" * 5_000, "-1", "1.0", "١"])
def test_numbers_that_no_link_has(number: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        compile("\n{% link " + number + " %}https://a.example/{% endlink %}", links=True)
    assert (caught.value.line, caught.value.column) == (2, 9)


def test_system_urls() -> None:
    program = compile("{% open_pixel_url %} {% mirror_url %} {% unsubscribe_url %}", links=True, signer=SIGNER)
    page = program.render({}, identity=IDENTITY)
    assert [kind for kind, _, _ in tokens(page)] == [TokenKind.OPEN, TokenKind.MIRROR, TokenKind.UNSUBSCRIBE]
    assert [part.split("/")[3] for part in page.split()] == ["o", "m", "u"]
    assert program.render({}) == "# # #"


def test_a_branch_that_is_not_taken_does_not_count() -> None:
    program = compile(
        "{% if a %}{% link 1 %}https://a.example/{% endlink %}{% endif %}{% link 1 %}https://b.example/{% endlink %}",
        links=True,
        signer=SIGNER,
    )
    assert program.resolve_link({"a": True}, 1, 0) == "https://a.example/"
    assert program.resolve_link({"a": False}, 1, 0) == "https://b.example/"
    assert program.resolve_link({"a": False}, 1, 1) is None


def test_many_rows_at_once_count_each_for_itself() -> None:
    program = compile("{% link 0 %}https://a.example/{% endlink %}", links=True, signer=SIGNER)
    rows: list[dict[str, Any]] = [{}, {}]
    first, second = program.render_many(rows, identities=[IDENTITY, IDENTITY])
    assert first == second
    with pytest.raises(ValueError, match="one identity for each row"):
        program.render_many(rows, identities=[IDENTITY])


def test_the_links_of_a_program() -> None:
    program = compile("a\n{% link 7 %}https://a.example/?{{ x }}{% endlink %}", links=True)
    assert program.links == (Link(number=7, target="https://a.example/?{{ x }}", line=2),)
    assert [variable.path for variable in program.variables] == [("x",)]


@given(st.text() | st.integers() | st.lists(st.text()) | st.none())
def test_no_value_breaks_out_of_a_target(value: Any) -> None:
    """Neither the host nor the line nor the HTML around it, with or without `raw`."""
    program = compile(
        "<a href='{% link 1 %}https://shop.example/{{ x }}/{{ x | raw }}?q={{ x }}{% endlink %}'>",
        escape="html",
        links=True,
    )
    target = program.resolve_link({"x": value}, 1)
    assert target is not None
    assert re.fullmatch(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=%._~-]*", target)
    assert urlsplit(target).netloc == "shop.example"
    page = program.render({"x": value})
    assert re.fullmatch(r"<a href='[^'<>\"]*'>", page)


@given(st.text())
def test_a_value_in_a_query_reads_back(value: str) -> None:
    program = compile("{% link 1 %}https://shop.example/?q={{ x }}&z=1{% endlink %}", links=True)
    target = program.resolve_link({"x": value}, 1)
    assert target is not None
    query = urlsplit(target).query
    assert query.endswith("&z=1")
    assert unquote(query[2:-4]) == re.sub("[\ud800-\udfff]", "\ufffd", value)


@pytest.mark.parametrize("escape", ["none", "html"])
def test_a_signer_that_shows_targets(escape: Any) -> None:
    link = "{% link 2 %}https://b.example/?q={{ p }}&z{% endlink %}"
    source = "{% for p in l %}" + link + " {% endfor %}{% mirror_url %} {% open_pixel_url %}"
    showing = TokenSigner("https://t.example.com", KEY, show_targets=True)
    assert (showing.show_targets, SIGNER.show_targets) == (True, False)
    values = {"l": ["x", "<"]}
    program = compile(source, escape=escape, links=True, signer=showing)
    page = program.render(values, identity=IDENTITY)
    assert page == compile(source, escape=escape, links=True).render(values)
    assert page.replace("&amp;", "&") == "https://b.example/?q=x&z https://b.example/?q=%3C&z # #"
    assert program.resolve_link(values, 2, 1) == "https://b.example/?q=%3C&z"
    assert len(tokens(program.bind(SIGNER).render(values, identity=IDENTITY))) == 4
