"""HTML is read as HTML parsers read it."""

from __future__ import annotations

import pytest
from css_inline import CSSInliner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.content.html.markup import Kind, decode_attribute, read, unescaped

_PARSER = CSSInliner(inline_style_tags=False)  # has the HTML parser of a browser in it
_REFERENCE = st.one_of(
    st.from_regex(r"&#0{0,6}[1-9][0-9]{0,6};", fullmatch=True),
    st.from_regex(r"&#[xX]0{0,4}[0-9a-fA-F]{1,6};", fullmatch=True),
    st.sampled_from(
        [
            "&amp;",
            "&lt;",
            "&copy;",
            "&copy",
            "&notit;",
            "&hellip;",
            "&nothing;",
            "&copy=",
            "&ampx",
            "&#;",
            "&#x;",
            "&",
            "&#38;lt;",
        ]
    ),
    st.integers(0x80, 0x9F).map(lambda code: f"&#{code};"),
)


def parsed(html: str) -> str:
    """What a parser reads between two marks, with as few references as possible."""
    text = _PARSER.inline(html).split("\x02")[1]
    for written, meant in (("&nbsp;", "\xa0"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(written, meant)
    return text.replace("\r", "\n")


@given(st.lists(st.one_of(_REFERENCE, st.sampled_from(["a", " ", ";", "=", "1"])), max_size=6).map("".join))
def test_character_references(text: str) -> None:
    if "\x02" not in unescaped(text):
        assert unescaped(text).replace("\r", "\n") == parsed(f"<p>\x02{text}\x02</p>")
        assert decode_attribute(text).replace("\r", "\n") == parsed(f'<p title="\x02{text}\x02">')


@pytest.mark.parametrize(
    "digits", ["9" * 5_000, "0" * 5_000 + "1" * 9, "x" + "f" * 5_000, "x" + "0" * 5_000, "0", "55296", "1114112"]
)
def test_a_reference_to_no_character_is_the_replacement_character(digits: str) -> None:
    for decode in (unescaped, decode_attribute):
        assert decode(f"a&#{digits};b") == "a\ufffdb"
        assert decode(f"a&#{digits}-") == "a\ufffd-"


@pytest.mark.parametrize(
    ("digits", "character"),
    [("0" * 5_000 + "65", "A"), ("x" + "0" * 5_000 + "41", "A"), ("000000000128", "€"), ("129", "\x81")],
)
def test_zeros_before_a_number_do_not_count(digits: str, character: str) -> None:
    assert unescaped(f"&#{digits};") == decode_attribute(f"&#{digits};") == character


COMMENTS = ["<!--", "<!-->", "<!--->", "<!", "--!>", "-->", "-", "!", ">", "1", "[if mso]>", "<![endif]", "</", "/>", "é", "?"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(COMMENTS), max_size=8).map("".join))
@example("<!--[if mso]>x--!>")
@example("<!--[if mso]>--!>")
@example('</é a=">')
def test_comments_end_where_parsers_end_them(source: str) -> None:
    html = f"<p>{source}<a href=x>y</a>"
    starts = [piece for piece in read(html) if piece.kind is Kind.START and piece.name == "a" and not piece.conditional]
    assert len(starts) == _PARSER.inline(html).count('<a href="x">')
