"""A preview is the message itself, with links that show where they lead and count nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.content.preview import preview
from core.content.records import ContentDraft, Preview
from core.errors import Invalid
from tests.core.authors import PARTS
from tests.core.content.test_compile import BASE, DATE, DRAFT, SIGNER, ZOE, channel


def seen(draft: ContentDraft = DRAFT, person: Any = None, **parts: str) -> Preview:
    draft = replace(draft, parts={**draft.parts, **parts})
    return preview(
        draft,
        channel(),
        SIGNER,
        row_values=ZOE if person is None else person,
        address="zoe@example.com",
        date=DATE,
    )


def codes(found: Preview) -> list[tuple[str, str | None]]:
    return [(warning.code, warning.part) for warning in found.warnings]


def test_a_preview_shows_the_message() -> None:
    found = seen()
    assert found.subject == "Hello Zoë <3"
    assert found.html is not None
    assert found.text is not None
    assert "<h1>Hello Zoë &lt;3</h1>" in found.html
    assert "Only &lt; 3 &amp; Köln" in found.html
    assert found.warnings == ()


def test_links_lead_to_their_targets_and_nothing_is_tracked() -> None:
    found = seen()
    html, text = found.html or "", found.text or ""
    assert '<a href="https://shop.example.com/tea%20%26%20co?u=42&amp;b=1">Tea &lt;1&gt;</a>' in html
    assert '<a href="https://shop.example.com/all">All</a>' in html
    assert '<a href="#">Unsubscribe</a>' in html
    assert '<img src="data:image/gif;base64,' in html
    assert "Tea <1> <https://shop.example.com/tea%20%26%20co?u=42&b=1>" in text
    assert BASE not in html + text


def test_missing_values_are_told_once_at_their_first_place() -> None:
    found = seen(person={"id": 42, "city": "", "first_name": None, "gender": 0})
    missing = [(warning.message, warning.part, warning.line) for warning in found.warnings]
    assert missing == [
        ("first_name is empty for this profile", "subject", 1),
        ("city is empty for this profile", "preheader", 1),
    ]
    assert found.subject == "Hello you"


PLAIN = replace(DRAFT, parts=PARTS, data={})


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"html": "<p>Hi</p>"}, [("NO_UNSUBSCRIBE_LINK", "html")]),
        ({"html": "{% comment %}{% unsubscribe_url %}{% endcomment %}Hi"}, [("NO_UNSUBSCRIBE_LINK", "html")]),
        ({"text": "Hi"}, [("NO_UNSUBSCRIBE_LINK", "text")]),
        ({"subject": "{{ profile.last_name }}"},
         [("MISSING_VALUE", "subject"), ("EMPTY_SUBJECT", "subject")]),
        ({"html": "{% unsubscribe_url %}<img src=x><img src=y alt>"}, [("IMAGE_WITHOUT_ALT", "html")]),
        ({"html": "{% unsubscribe_url %}<a href='/x'>y</a>"}, [("RELATIVE_LINK", "html")]),
        ({"html": "{% unsubscribe_url %}<p title='x"}, [("HTML_UNCLOSED", "html")]),
        ({"html": "{% unsubscribe_url %}" + "x" * 120_000}, [("HTML_CLIPPED", "html")]),
        ({"html": "", "text": "{% if profile.last_name %}{% unsubscribe_url %}{% endif %}"},
         [("MISSING_VALUE", "text"), ("EMPTY_TEXT", "text")]),
    ],
)  # fmt: skip
def test_what_an_author_should_look_at(parts: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert codes(seen(PLAIN, **parts)) == expected


def test_warnings_have_places() -> None:
    found = seen(PLAIN, html="{% unsubscribe_url %}\n  <img src=x>")
    assert [(warning.line, warning.column) for warning in found.warnings] == [(2, 3)]


def test_what_fails_for_this_profile_is_a_warning() -> None:
    found = seen(
        PLAIN,
        html="{% unsubscribe_url %}{{ 1 | divided_by: profile.latitude }}",
    )
    assert (found.subject, found.html, found.text) == (None, None, None)
    assert codes(found)[0][0] == "RENDERING_FAILED"


def test_what_the_channel_refuses_is_an_error() -> None:
    with pytest.raises(Invalid) as caught:
        seen(PLAIN, from_address="nobody")
    assert caught.value.code == "CONTENT_REFUSED"
