"""MJML and style sheets on the way from saving to preview; problems and warnings lead back to the author's own lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.email import EmailChannel
from core.access import Actor
from core.channel_registry import check_config
from core.content.compile import FrozenContent, freeze
from core.content.contents import create_content, get_content, update_content
from core.content.errors import ContentInvalid
from core.content.preview import preview
from core.content.records import ContentDraft, Preview
from core.content.validate import check_content
from core.db import Connection
from render_ext import TokenKey, TokenSigner
from tests.core.authors import PARTS, REGISTRY, SMTP

MJML = """{% assign shop = "https" %}
<mjml>
  <mj-head><mj-style inline="inline">.lead div { color: {{ brand | default: "teal" }} !important }</mj-style></mj-head>
  <mj-body>
    {% for p in products %}
    <mj-section>
      <mj-column>
        <mj-text css-class="lead">Hello <b>{{ profile.first_name }}</b> &copy;</mj-text>
        <mj-button href="https://shop.example.com/{{ p.sku }}">{{ p.name }}</mj-button>
      </mj-column>
    </mj-section>
    {% endfor %}
    <mj-section><mj-column>
      <mj-image src="https://shop.example.com/a.png" />
      <mj-text><a href="/relative">x</a> <a href="{% unsubscribe_url %}">Bye</a></mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>
"""
DATA = {"products": [{"sku": "tea & co", "name": "Tea"}, {"sku": "c", "name": "Cake"}], "brand": "navy"}
DRAFT = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "html": MJML}, data=DATA)
DATE = datetime(2030, 3, 1, tzinfo=UTC)


def frozen(draft: ContentDraft) -> FrozenContent:
    return freeze(draft, EmailChannel.manifest, label="X", date=DATE, seed="7", base_url="https://t.example.com")


def shown(draft: ContentDraft) -> Preview:
    channel = EmailChannel({**check_config(EmailChannel.manifest, SMTP).config, "password": "s3cret"})
    signer = TokenSigner("https://t.example.com", TokenKey(1, b"k" * 32))
    values = {"id": 42, "first_name": "Zoë <3"}
    return preview(draft, channel, signer, row_values=values, address="zoe@example.com", date=DATE)


def test_the_preview_of_mjml_is_the_first_line_of_the_text() -> None:
    mjml = MJML.replace("<mj-head>", "<mj-head><mj-preview>For {{ profile.first_name }}</mj-preview>")
    seen = shown(replace(DRAFT, parts={**DRAFT.parts, "html": mjml}))
    assert (seen.text or "").startswith("For Zoë <3\n\nHello Zoë <3 ©\n\n")


def problems(html: str, *, inline_css: bool = False) -> list[tuple[str, str | None]]:
    with pytest.raises(ContentInvalid) as caught:
        check_content(replace(DRAFT, parts={**PARTS, "html": html}, inline_css=inline_css), EmailChannel.manifest)
    return [(problem.code, problem.path) for problem in caught.value.problems]


def test_mjml_is_frozen_as_html_with_its_links() -> None:
    content = frozen(DRAFT)
    assert content.parts["html"].startswith('{% assign shop = "https" %}\n<!doctype html>')
    assert "mj-section" not in content.parts["html"]
    assert [(link.number, link.url, link.label) for link in content.links] == [
        (1, "https://shop.example.com/{{ p.sku }}", "{{ p.name }}"),
        (2, "https://t.example.com", None),
    ]
    assert content.fields == ("first_name",)


def test_a_preview_of_mjml_is_what_one_person_gets() -> None:
    seen = shown(DRAFT)
    assert seen.html is not None
    assert seen.html.count("Hello <b>Zoë &lt;3</b> &copy;") == 2
    assert seen.html.count("color: navy !important; font-family") == 2
    assert 'href="https://shop.example.com/tea%20%26%20co"' in seen.html
    assert seen.text is not None
    assert seen.text.startswith("Hello Zoë <3 ©\n\nTea [1]\n\n")
    assert "\n\n[1] https://shop.example.com/tea%20%26%20co\n" in seen.text
    assert [(warning.code, warning.line) for warning in seen.warnings] == [
        ("UNUSED_ASSIGN", 1),
        ("NULLABLE_FIELD", 8),
        ("IMAGE_WITHOUT_ALT", 14),
        ("RELATIVE_LINK", 15),
    ]


@pytest.mark.parametrize(
    ("source", "code", "path"),
    [
        (MJML.replace("{{ p.name }}", "{{ profile.frist_name }}"), "UNKNOWN_VARIABLE", "parts.html:9:67"),
        (MJML.replace("{% endfor %}", ""), "TEMPLATE_SYNTAX", None),
        (MJML.replace("https://shop.example.com/{{ p.sku }}", "{{ p.sku }}"), "LINK_NOT_LITERAL", "parts.html:9:26"),
        (MJML.replace("/relative", "javascript:x"), "LINK_SCRIPT", "parts.html:15:25"),
        (MJML.replace("<mj-image", "<mj-imag"), "MJML_UNKNOWN", "parts.html:14:7"),
    ],
)
def test_problems_are_told_in_the_authors_own_lines(source: str, code: str, path: str | None) -> None:
    ((found, where),) = problems(source)
    assert found == code
    assert path is None or where == path


def test_css_is_inlined_on_request() -> None:
    html = '<style>p { margin: 0 }</style><p>Hello <a href="{% unsubscribe_url %}">Bye</a></p>'
    draft = replace(DRAFT, parts={**PARTS, "html": html})
    assert "<p>" in frozen(draft).parts["html"]
    assert '<p style="margin: 0">' in frozen(replace(draft, inline_css=True)).parts["html"]
    linked = replace(
        draft, parts={**PARTS, "html": '<link rel="stylesheet" href="https://x.example/x.css">' + html}, inline_css=True
    )
    assert [warning.code for warning in shown(linked).warnings] == ["CSS_LINKED"]


def test_problems_of_inlined_html_are_told_where_they_were_written() -> None:
    html = '<style>p { margin: 0 }</style><p>Hello</p><a href="javascript:x">x</a>'
    assert problems(html, inline_css=True) == [("LINK_SCRIPT", f"parts.html:1:{html.index('javascript') + 1}")]


def test_what_grows_beyond_a_parts_size_is_refused() -> None:
    assert problems(f"<mjml><mj-body>{'<mj-section/>' * 2_000}</mj-body></mjml>") == [("PART_TOO_LARGE", "parts.html")]


async def test_the_option_is_kept(conn: Connection, actor: Actor) -> None:
    created = await create_content(conn, actor, REGISTRY, DRAFT)
    assert not created.inline_css
    changes: dict[str, Any] = {"inline_css": True}
    updated = await update_content(conn, actor, REGISTRY, created.id, changes)
    assert (updated.inline_css, updated.version) == (True, 2)
    assert await get_content(conn, created.id) == updated
