"""What readers see and hear: texts for images, words of links, ampersands, the subject. And where each finding points."""

from __future__ import annotations

import pytest

from tests.core.content.checks.test_checks import BYE, codes, told


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<img src='https://i.example/a' alt=' '>", ["IMAGE_WITHOUT_ALT"]),
        ("<img src='https://i.example/a' alt='&nbsp;'>", ["IMAGE_WITHOUT_ALT"]),
        ("<input type=IMAGE src='https://i.example/a'>", ["IMAGE_WITHOUT_ALT"]),
        ("<a href='https://a.example/' title='&nbsp;'>&#x2800;</a>", ["LINK_WITHOUT_LABEL"]),
        (
            "<a href='https://a.example/'><img src='https://i.example/a' alt=' '></a>",
            ["LINK_WITHOUT_LABEL", "IMAGE_WITHOUT_ALT"],
        ),
        ("<img src='https://i.example/a' alt=''><img src='https://i.example/a' alt><input type=text><input>", []),
        ("<img src='https://i.example/a' alt=' {{ word }} '><input type=image alt=x src='https://i.example/a'>", []),
        ("<!--[if mso]><v:image src='https://i.example/a' /><![endif]-->", []),
    ],
)
def test_blanks_say_nothing(source: str, expected: list[str]) -> None:
    assert codes(source) == expected


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("https://a.example/?a=1&currency=EUR", ["&currency"]),
        ("https://a.example/?a=1&notify=2", ["&notify"]),
        ("<a href='https://a.example/?a=1&para;=3'>x</a>", ["&para"]),
        ("<img src='https://i.example/a' alt='Tea &amp;amp; cake' title='a&amp;nbsp;b'>", ["&amp;amp", "&amp;nbsp"]),
        ("<a href='https://a.example/?a=1&currency=EUR&notify=2'>x</a>", []),  # attributes are read otherwise
        ("<a href='https://a.example/?a=1&amp;=4&amp;para=1'>x</a>", []),
        ("AT&T, R&D=x, a&b=c, ?a=1&utm_source=x, &amp;notify=2, &currency 2030", []),
        ("<img src='https://i.example/a' alt='Tea &amp; cake &amp;lt;'>", []),
    ],
)
def test_ampersands_that_are_read_otherwise(source: str, places: list[str]) -> None:
    found = told("html", source)
    assert [(one.code, one.column) for one in found] == [("AMPERSAND", len(BYE) + source.index(one) + 1) for one in places]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("\u200b\u200b", [("SUBJECT_MAY_BE_EMPTY", 1, 1)]),
        ("{% if profile.city %}Tea{% endif %}\u2060", [("SUBJECT_MAY_BE_EMPTY", 1, 1)]),
        ("Hello\nyou", [("SUBJECT_CHARACTER", 1, 6)]),
        ("{% raw %}a\nb{% endraw %}", [("SUBJECT_CHARACTER", 1, 11)]),
        ("Tea\u202e gnp", [("SUBJECT_CHARACTER", 1, 4)]),
        ("x" * 79, [("SUBJECT_LONG", 1, 79)]),
        ("\n{{ word }}" + "x" * 78, [("SUBJECT_LONG", 2, 87)]),
        ("\u200b{{ word }}", []),
        ("\n{% if profile.city %}\nTea\n{% else %}\nCake {{ word }}\n{% endif %}\n", []),
        ("{% assign a = 1 %}\nTea {{ a }}", []),
        ("\u05d0\u200f\u2067b\u2069 \u2615\ufe0f", []),
    ],
)
def test_subjects(source: str, expected: list[tuple[str, int, int]]) -> None:
    assert [(one.code, one.line, one.column) for one in told("subject", source)] == expected


@pytest.mark.parametrize("text", ["x" * 105_000, "\u00fc" * 60_000, "<p>x</p>" * 15_000])
def test_html_that_is_clipped_is_told_where_it_is_cut(text: str) -> None:
    (found,) = told("html", "\n" + text)
    assert (found.code, found.line) == ("HTML_CLIPPED", 2)
    before = BYE + "\n" + text[: found.column]
    assert abs(len(before.encode()) - 102 * 1024) < 100  # an address for {% unsubscribe_url %} is not so long


def test_a_loop_that_makes_html_too_large_is_its_place() -> None:
    (found,) = told("html", "\n<p>{% for i in many %}" + "x" * 60 + "{% endfor %}")
    assert (found.code, found.line, found.column) == ("HTML_CLIPPED", 2, len("<p>{% ") + 1)


def test_styles_that_are_written_into_elements_move_the_place() -> None:
    rule = "<style>p { color: red; background: white; padding: 1px 2px 3px 4px }</style>"
    (found,) = told("html", rule + "<p>x</p>\n" * 2_000, inline_css=True)
    assert found.code == "HTML_CLIPPED"
    assert 1_000 < (found.line or 0) < 2_000
