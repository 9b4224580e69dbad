"""A preview is the message itself, with links that show where they lead and count nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from channels.contract import MessageContent, Program, RecipientRow, RenderedParts
from channels.email import EmailChannel
from core.channel_registry import check_config
from core.content import preview as previews
from core.content.compile import FrozenContent, values
from core.content.placements import NO_FRAGMENTS, Library
from core.content.preview import preview
from core.content.records import ContentDraft, Preview
from core.errors import Invalid
from tests.core.authors import PARTS, SMTP
from tests.core.content.test_compile import BASE, DATE, DRAFT, SIGNER, ZOE, channel
from tests.core.content.test_expansion import fragment, library


def seen(draft: ContentDraft = DRAFT, person: Any = None, library: Library = NO_FRAGMENTS, **parts: str) -> Preview:
    draft = replace(draft, parts={**draft.parts, **parts})
    return preview(
        draft,
        channel(),
        SIGNER,
        row_values=ZOE if person is None else person,
        address="zoe@example.com",
        date=DATE,
        library=library,
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
    assert codes(found) == [("NULLABLE_FIELD", "preheader")]


def test_links_lead_to_their_targets_and_nothing_is_tracked() -> None:
    found = seen()
    html, text = found.html or "", found.text or ""
    assert '<a href="https://shop.example.com/tea%20%26%20co?u=42&amp;b=1">Tea &lt;1&gt;</a>' in html
    assert '<a href="https://shop.example.com/all">All</a>' in html
    assert '<a href="#">Unsubscribe</a>' in html
    assert '<img src="data:image/gif;base64,' in html
    assert "Tea <1> [1] " in text
    assert "\n\n[1] https://shop.example.com/tea%20%26%20co?u=42&b=1\n" in text
    assert BASE not in html + text


def test_missing_values_are_told_once_at_their_first_place() -> None:
    found = seen(person={"id": 42, "city": "", "first_name": None, "gender": 0})
    missing = [(one.message, one.part, one.line) for one in found.warnings if one.code == "MISSING_VALUE"]
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
         [("SUBJECT_MAY_BE_EMPTY", "subject"), ("NULLABLE_FIELD", "subject"), ("MISSING_VALUE", "subject"),
          ("EMPTY_SUBJECT", "subject")]),
        ({"html": "{% unsubscribe_url %}<img src=https://i.example/x><img src=https://i.example/y alt>"},
         [("IMAGE_WITHOUT_ALT", "html")]),
        ({"html": "{% unsubscribe_url %}<a href='/x'>y</a>"}, [("RELATIVE_LINK", "html")]),
        ({"html": "{% unsubscribe_url %}<p title='x"}, [("HTML_UNCLOSED", "html")]),
        ({"html": "{% unsubscribe_url %}" + "x" * 120_000}, [("HTML_CLIPPED", "html")]),
        ({"html": "", "text": "{% if profile.last_name %}{% unsubscribe_url %}{% endif %}"},
         [("NO_UNSUBSCRIBE_LINK", "text"), ("MISSING_VALUE", "text"), ("EMPTY_TEXT", "text")]),
    ],
)  # fmt: skip
def test_what_an_author_should_look_at(parts: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert codes(seen(PLAIN, **parts)) == expected


def test_warnings_have_places() -> None:
    found = seen(PLAIN, html="{% unsubscribe_url %}\n  <img src=https://i.example/x>")
    assert [(warning.line, warning.column) for warning in found.warnings] == [(2, 3)]


def test_what_fails_for_this_profile_is_a_warning() -> None:
    found = seen(
        PLAIN,
        html="{% unsubscribe_url %}{{ 1 | divided_by: profile.latitude }}",
    )
    assert (found.subject, found.html, found.text) == (None, None, None)
    assert codes(found)[0][0] == "RENDERING_FAILED"


FAILS = "{{ 1 | divided_by: profile.latitude }}"
SECTION = "<mj-section><mj-column><mj-text>%s</mj-text></mj-column></mj-section>"


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"subject": f"Hello\n  {FAILS}"}, ("subject", 2, 10)),
        ({"preheader": f"{{{{ profile.city }}}}{FAILS}"}, ("preheader", 1, 26)),
        ({"text": f"a\n\n{FAILS}"}, ("text", 3, 8)),
        ({"html": f"<p>\n<a href='https://a.example'>x</a>\n<b>{FAILS}</b>", "preheader": "Hi"}, ("html", 3, 11)),
        ({"html": f"<mjml><mj-body>\n{SECTION % 'a'}\n{SECTION % FAILS}\n</mj-body></mjml>"}, ("html", 3, 40)),
        ({"html": '<p>{% render "piece" %}</p>'}, ("fragments.piece.html", 2, 12)),
        ({"to_name": FAILS}, ("to_name", 1, 8)),
        ({"headers": f"X-A: b\nX-B: c {FAILS}"}, ("headers", 2, 15)),
    ],
)  # fmt: skip
def test_a_rendering_that_fails_is_told_where_it_was_written(parts: dict[str, str], place: tuple[str, int, int]) -> None:
    piece = fragment("piece", f"<p>\n<b> {FAILS}</b>")
    found = seen(PLAIN, library=library(piece), **parts)
    (failed,) = [one for one in found.warnings if one.code == "RENDERING_FAILED"]
    assert (failed.part, failed.line, failed.column) == place
    assert failed.message.startswith("filter `divided_by`: ")


def test_what_the_channel_refuses_in_a_fragment_is_told_there() -> None:
    piece = fragment("piece", "", "{{ profile.city }}:{{ profile.id }}")
    with pytest.raises(Invalid) as caught:
        seen(PLAIN, library=library(piece), feedback_id='a:{% render "piece" %}:shop1')
    assert (caught.value.code, caught.value.path) == ("CONTENT_REFUSED", "fragments.piece.text:1:4")


def test_what_the_channel_refuses_is_an_error() -> None:
    with pytest.raises(Invalid) as caught:
        seen(PLAIN, from_address="nobody")
    assert caught.value.code == "CONTENT_REFUSED"


LINKS = "{% for n in numbers %}<a href='https://a.example/{{ n }}?x=1&amp;y=2'>x</a>{% endfor %}{% unsubscribe_url %}"


def test_every_link_shows_its_own_target() -> None:
    found = seen(replace(PLAIN, data={"numbers": list(range(500))}), html=LINKS)
    assert re.findall(r"a\.example/([^']+)", found.html or "") == [f"{n}?x=1&amp;y=2" for n in range(500)]
    assert re.findall(r"a\.example/(\S+)", found.text or "") == [f"{n}?x=1&y=2" for n in range(500)]


class Counted(EmailChannel):
    """Notes how often a message is rendered or a link looked up."""

    rendered: ClassVar[list[str]] = []

    def compile(self, content: MessageContent) -> Program:
        program, rendered = super().compile(content), self.rendered

        class Counting:
            def render(self, rows: Sequence[RecipientRow]) -> Any:
                raise AssertionError("a preview sends nothing")

            def parts(self, row: RecipientRow) -> RenderedParts:
                rendered.append("parts")
                return program.parts(row)

            def link_target(self, row: RecipientRow, link: int, occurrence: int) -> str | None:
                rendered.append("link")
                return program.link_target(row, link, occurrence)

        return Counting()


def test_a_message_is_not_rendered_again_for_every_link() -> None:
    Counted.rendered.clear()
    draft = replace(PLAIN, parts={**PARTS, "html": LINKS}, data={"numbers": list(range(50))})
    counted = Counted({**check_config(EmailChannel.manifest, SMTP).config, "password": "s3cret"})
    preview(draft, counted, SIGNER, row_values=ZOE, address="zoe@example.com", date=DATE)
    assert Counted.rendered == ["parts", "parts"]  # as it is sent, and with its links shown


def test_a_template_that_computes_for_ever_is_a_warning() -> None:
    html = "{% assign s = (1..200000) | join %}{% for i in (1..200000) %}{% assign t = s | upcase %}{% endfor %}"
    found = seen(PLAIN, html=html)
    assert found.html is None
    assert [(one.message, one.line, one.column) for one in found.warnings if one.code == "RENDERING_FAILED"] == [
        ("filter `upcase`: the limit steps=1000000 was reached", 1, html.index("upcase") + 1)
    ]


def test_only_what_a_ledger_row_would_carry_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Mapping[str, Any]] = []

    def noted(frozen: FrozenContent, row: Mapping[str, Any]) -> dict[str, Any]:
        given.append(row)
        return values(frozen, row)

    monkeypatch.setattr(previews, "values", noted)
    seen(PLAIN, person={"first_name": "Zoë", "city": "Ulm"})
    assert given == [{"first_name": "Zoë"}]
