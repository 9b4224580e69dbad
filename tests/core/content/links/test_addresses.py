"""White space in an address: what a dash takes away is gone, the rest is part of the address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.content.links.addresses import examine
from render_ext import compile

VALUES = {"a": "A-1", "no": False}
tags = st.sampled_from(["{{D a D}}", "{%D if a D%}b{%D endif D%}", "{%D if no D%}c{%D endif D%}", "{%D # x D%}",
                        "{%D comment D%} d {%D endcomment D%}", "{%D raw D%}r{%D endraw D%}"])  # fmt: skip
pieces = st.lists(st.text("xy \t\n\f", max_size=4) | tags, max_size=6).map("".join)


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """An address with dashes here and there, without blanks at its very end."""
    rest = draw(pieces)
    while "D" in rest:
        rest = rest.replace("D", draw(st.sampled_from(["-", "", ""])), 1)
    return f"https://a.example/{rest}."


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("https://a.example/{%- if a -%} b {%- endif -%} c", "https://a.example/bc"),
        ("https://a.example/ {{- a -}} b", "https://a.example/A-1b"),
        ("https://a.example/ {{ a }} b", "https://a.example/%20A-1%20b"),
        ("https://a.example/ {%- comment %} x {% endcomment -%} b", "https://a.example/b"),
        ("https://a.example/{{-}} b", "https://a.example/%20b"),
    ],
)
def test_blanks_at_a_dash(address: str, target: str) -> None:
    assert compile(examine(address).target).render(VALUES) == target


@given(addresses())
def test_an_address_is_what_liquid_would_have_written(address: str) -> None:
    written = compile(address).render(VALUES)
    for character in "\t\n":  # browsers leave them out of an address
        written = written.replace(character, "")
    shown = compile(examine(address).target).render(VALUES)
    assert shown == written.replace(" ", "%20").replace("\f", "%0C")
