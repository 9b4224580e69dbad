"""Tokens stand for pieces of one source, and nobody can write them into it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.content.html.inlining import inline_css
from core.content.mjml.conversion import convert
from core.content.tokens import Tokens


def test_an_author_who_knows_the_tokens_of_a_source_cannot_write_them_into_it() -> None:
    source = "<style>p{a:{{ b }}}</style><p>"
    first = Tokens(source).give("x")
    again = source + first  # which has other tokens
    assert first not in inline_css(source).source
    assert inline_css(again).source == source.replace("<p>", '<p style="a: {{ b }}">') + first
    spelt = source + "".join(f"&#{ord(letter)};" for letter in first) + f"<p title={first.upper()}>"
    assert inline_css(spelt).source.count("{{ b }}") == 3


def test_a_token_of_mjml_that_an_author_wrote_is_text() -> None:
    column = "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"
    forged = Tokens(column.format("{{ a }}")).give("")
    made = convert(column.format("{{ a }}" + forged)).html
    assert "{{ a }}" + forged in made
    assert made.count("{{ a }}") == 1


@given(st.text(), st.lists(st.text(), max_size=5))
def test_what_tokens_stand_for_comes_back(source: str, kept: list[str]) -> None:
    tokens = Tokens(source)
    assert tokens.prefix not in source
    given = [tokens.give(text) for text in kept]
    assert tokens.restore("-".join(given)) == "-".join(kept)
    assert tokens.within("-".join(given)) == list(range(len(kept)))
    assert all(token.isalnum() and token.islower() for token in given)
