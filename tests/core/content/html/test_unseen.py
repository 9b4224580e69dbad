"""What of an HTML part nobody sees."""

from __future__ import annotations

import pytest

from core.content.html.markup import Kind, read
from core.content.html.unseen import Unseen
from core.content.liquid import literal_text


def seen(source: str) -> list[str]:
    """The words that are seen."""
    unseen = Unseen(source)
    shown = [(piece, not unseen.hides(piece)) for piece in read(source)]
    texts = [source[piece.start : piece.end] for piece, is_seen in shown if is_seen and piece.kind is Kind.TEXT]
    return " ".join(literal_text(text) for text in texts).split()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        # Ends that HTML knows without a tag; the same as html5lib has them.
        ("<p hidden>no<p>yes", "yes"),
        ("<p hidden>no<b>no<div>yes</div>", "yes"),
        ("<p hidden>no<table><tr><td>yes</table>", "yes"),
        ("<div><p hidden>no</div>yes", "yes"),
        ("<ul><li hidden>no<ul><li>no</ul><li>yes</ul>", "yes"),
        ("<ul><li hidden>no<h1><li>no</h1></ul>yes", "yes"),
        ("<ul><li hidden>no</ul>yes", "yes"),
        ("<dl><dt hidden>no<dd>yes<dt>yes</dl>", "yes yes"),
        ("<table><tr hidden><td>no<td>no<tr><td>yes</table>", "yes"),
        ("<table><tr><td hidden>no<table><tr><td>no</table>no<td>yes</table>", "yes"),
        ("<table><thead hidden><tr><td>no<tbody><tr><td>yes</table>", "yes"),
        ("<div hidden><table><tr><td>no</div>no</table>no</div>yes", "yes"),
        ("<span hidden>no</i>no</span>yes", "yes"),
        ("<svg/>yes<svg>no<g></g>no</svg>yes<div hidden/>no", "yes yes"),
        ("<img hidden>yes<br style='display:none'>yes", "yes yes"),
        ("<head>no<body>yes", "yes"),
        ("<template><div>no</div></template><select>no</select>yes", "yes"),
        # Styles.
        ("<p style='color:red;DISPLAY : none'>no</p>yes", "yes"),
        ("<p style='display:none;display:block'>yes</p>", "yes"),
        ("<p style='display:none!important;display:block'>no</p>", ""),
        ("<p style='visibility:hidden'>no</p><p style='visibility:visible'>yes</p>", "yes"),
        ("<p style='mso-display:none;x-display:none'>yes</p>", "yes"),
        ("<p style='display:none;color:{{ c }}'>no</p>yes", "yes"),
        ("<p style='display:{{ d }}'>yes</p>", "yes"),
        # What Liquid decides.
        ("<p style='{% if a %}display:none{% endif %}'>yes</p>", "yes"),
        ("<p style='display:none;{% if a %}display:block{% endif %}'>yes</p>", "yes"),
        ("<p {% if a %}hidden{% endif %}>yes</p>", "yes"),
        ("<p {% if a %} hidden {% else %} style='display:none' {% endif %}>yes</p>", "yes"),
        ("<p {% if a %}class='x'{% endif %} hidden>no</p>yes", "yes"),
        ("<p class='{% if a %}x{% endif %}' style='display:none'>no</p>yes", "yes"),
        ("{% if a %}<div hidden>no</div>{% else %}yes{% endif %}yes", "yes yes"),
        ("{% if a %}<div hidden>{% else %}<div>{% endif %}yes</div>yes", "yes yes"),
        ("<div hidden>no{% if a %}no</div>yes{% else %}half</div>yes{% endif %}yes", "yes half yes yes"),
        ("<div hidden>{% for i in b %}<p>no</p>{% else %}no{% endfor %}no</div>yes", "yes"),
        ("{% for i in b %}<tr hidden><td>no</td>{% endfor %}</table>yes", "yes"),
        # Outlook's own is no part of it.
        ("<!--[if mso]><div hidden><![endif]-->yes<!--[if mso]></div><![endif]-->", "yes"),
        ("<div hidden><!--[if mso]></div><![endif]-->no</div>yes", "yes"),
    ],
)  # fmt: skip
def test_what_is_hidden_whatever_liquid_does_is_not_seen(source: str, words: str) -> None:
    assert seen(source) == words.split()


def test_ten_thousands_of_tags_are_followed_in_a_moment() -> None:
    assert seen("<b>" * 25_000 + "</i>" * 25_000 + "yes") == ["yes"]
    assert seen("<p hidden>no" * 20_000 + "<div>yes") == ["yes"]
