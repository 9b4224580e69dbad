"""What is frozen renders the same bytes after a restart, and every number leads where it should."""

from __future__ import annotations

import email
import email.policy
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest

from channels.contract import Channel, OutgoingMessage, Program, RecipientRow
from channels.email import EmailChannel
from core.access import Actor
from core.channel_registry import check_config
from core.content.compile import FrozenContent, freeze, shared_values, thaw, values
from core.content.contents import create_content, get_content
from core.content.errors import ContentInvalid
from core.content.records import ContentDraft
from core.db import Connection
from core.errors import Invalid
from render_ext import Identity, Token, TokenKey, TokenKind, TokenSigner, verify
from tests.core.authors import PARTS, REGISTRY, SMTP

BASE = "https://t.example.com"
KEY = TokenKey(1, b"k" * 32)
SIGNER = TokenSigner(BASE, KEY)
WHO = Identity(delivery_id=7, recipient_kind=1, recipient_id=42)
DATE = datetime(2030, 3, 1, 9, 30, tzinfo=UTC)
DATA = {"products": [{"sku": "tea & co", "name": "Tea <1>"}, {"sku": "c", "name": "Cake"}]}
HTML = """<!DOCTYPE html>
<html><head><title>Sale</title><style>a { color: red }</style></head>
<body class="x">
  <h1>Hello {{ profile.first_name | default: "you" }}</h1>
  {% if profile.gender == "female" %}<p>Madam</p>{% endif %}
  {% for p in products %}
  <a href="https://shop.example.com/{{ p.sku }}?u={{ profile.id }}&amp;b=1">{{ p.name }}</a>
  {% endfor %}
  <a href="https://shop.example.com/all">All</a> <a href="{% mirror_url %}">In the browser</a>
  <a href="{% unsubscribe_url %}">Unsubscribe</a>
</body>
</html>
"""
DRAFT = ContentDraft(
    name="sale",
    label="Sale",
    channel="email",
    data=DATA,
    parts={**PARTS, "html": HTML, "preheader": "Only < 3 & {{ profile.city }}"},
)
ZOE = {"id": 42, "first_name": "Zoë <3", "gender": 2, "city": "Köln & Bonn"}


def frozen(draft: ContentDraft = DRAFT, **options: Any) -> FrozenContent:
    return freeze(draft, EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE, **options)


def channel() -> Channel:
    return EmailChannel({**check_config(EmailChannel.manifest, SMTP).config, "password": "s3cret"})


def row(content: FrozenContent, person: dict[str, Any] | None = None) -> RecipientRow:
    return RecipientRow(address="zoe@example.com", identity=WHO, values=values(content, person or ZOE))


def message(program: Program, one: RecipientRow) -> EmailMessage:
    (sent,) = program.render([one])
    assert isinstance(sent, OutgoingMessage)
    parsed = email.message_from_bytes(sent.body, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def body(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def tokens(text: str) -> list[Token]:
    """Every token in a rendered part, in order."""
    found = [verify(match, {1: KEY}) for match in re.findall(re.escape(BASE) + r"/[a-z]/([\w-]+)", text)]
    assert all(token is not None and token.identity == WHO for token in found)
    return [token for token in found if token is not None]


def test_what_a_reader_gets() -> None:
    content = frozen()
    parsed = message(thaw(content, SIGNER, channel()), row(content))
    html, text = body(parsed, "html"), body(parsed, "plain")
    assert parsed["subject"] == "Hello Zoë <3"
    assert "<h1>Hello Zoë &lt;3</h1>" in html
    assert "<p>Madam</p>" in html
    assert 'aria-hidden="true">Only &lt; 3 &amp; Köln &amp; Bonn&#847;' in html
    assert html.index("Only &lt; 3") > html.index('<body class="x">')
    assert text.startswith("Only < 3 & Köln & Bonn\n\nHello Zoë <3\n\nMadam\n\nTea <1> [1] Cake [2]")
    assert "\n\n[1] https://t.example.com/c/" in text


def test_every_link_leads_where_the_author_meant() -> None:
    content = frozen()
    program = thaw(content, SIGNER, channel())
    one = row(content)
    parsed = message(program, one)
    found = tokens(body(parsed, "html"))
    assert [token.kind for token in found] == [
        TokenKind.CLICK, TokenKind.CLICK, TokenKind.CLICK, TokenKind.MIRROR, TokenKind.UNSUBSCRIBE,
        TokenKind.CLICK, TokenKind.OPEN,
    ]  # fmt: skip
    clicks = [token for token in found if token.kind is TokenKind.CLICK]
    assert [program.link_target(one, token.link, token.link_occurrence) for token in clicks] == [
        "https://shop.example.com/tea%20%26%20co?u=42&b=1",
        "https://shop.example.com/c?u=42&b=1",
        "https://shop.example.com/all",
        BASE,
    ]
    in_text = [token for token in tokens(body(parsed, "plain")) if token.kind is TokenKind.CLICK]
    assert [program.link_target(one, token.link, token.link_occurrence) for token in in_text] == [
        "https://shop.example.com/tea%20%26%20co?u=42&b=1",
        "https://shop.example.com/c?u=42&b=1",
        "https://shop.example.com/all",
    ]
    assert program.link_target(one, 99, 0) is None


def test_links_are_listed_with_their_labels() -> None:
    content = frozen()
    assert [(link.number, link.url, link.label, link.hidden) for link in content.links] == [
        (1, "https://shop.example.com/{{ p.sku }}?u={{ profile.id }}&b=1", "{{ p.name }}", False),
        (2, "https://shop.example.com/all", "All", False),
        (3, BASE, None, True),
    ]
    assert content.hidden_link == 3


def test_the_hidden_link_is_seen_by_no_person() -> None:
    class Hidden(HTMLParser):
        found: dict[str, str | None]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if "display:none" in (dict(attrs).get("style") or "") and tag == "a":
                self.found = dict(attrs)

    content = frozen()
    parser = Hidden()
    html = body(message(thaw(content, SIGNER, channel()), row(content)), "html")
    parser.feed(html)
    (token,) = tokens(str(parser.found["href"]))
    assert token.link == content.hidden_link
    assert (parser.found["aria-hidden"], parser.found["tabindex"]) == ("true", "-1")
    assert frozen(hidden=False).hidden_link is None


def test_rows_carry_just_the_fields_that_are_read() -> None:
    assert frozen().fields == ("city", "first_name", "gender", "id")


async def test_a_program_survives_the_database_byte_for_byte(conn: Connection, actor: Actor) -> None:
    # Given content that went through the database, frozen, stored as JSON and read again
    created = await create_content(conn, actor, REGISTRY, DRAFT)
    content = frozen(await get_content(conn, created.id))
    stored = await conn.fetchval("SELECT $1::jsonb", content.to_json())
    again = FrozenContent.from_json(stored)
    # Then both say the same and render the same
    assert again == content
    people = [ZOE, {}, {"first_name": "=?x?=", "gender": 0}]
    rows = [row(content, person) for person in people]
    first = thaw(content, SIGNER, channel()).render(rows)
    second = thaw(again, SIGNER, channel()).render([row(again, person) for person in people])
    assert first == second
    assert all(isinstance(one, OutgoingMessage) for one in first)


def test_a_frozen_description_is_plain_json() -> None:
    plain = frozen().to_json()
    assert json.loads(json.dumps(plain)) == plain


def test_values_are_made_from_shared_and_own_ones() -> None:
    content = frozen()
    shared = shared_values(content)
    assert values(content, ZOE, shared) == values(content, ZOE)
    made = values(content, ZOE)
    assert made["profile"]["gender"] == "female"
    assert made["delivery"] == {"label": "Spring", "date": DATE}
    assert made["products"] is DATA["products"]
    assert values(content, {"gender": None})["profile"]["gender"] == ""
    plain = frozen(replace(DRAFT, parts=PARTS))
    assert values(plain, ZOE)["profile"] is ZOE  # nothing is copied where nothing is translated


def test_an_authors_own_text_is_tracked_with_the_same_numbers() -> None:
    text = "All: https://shop.example.com/all - More: https://shop.example.com/more. {% unsubscribe_url %}"
    content = frozen(replace(DRAFT, parts={**DRAFT.parts, "text": text}))
    assert [(link.number, link.part) for link in content.links] == [
        (1, "html"),
        (2, "html"),
        (3, "text"),
        (4, "html"),
    ]
    assert content.parts["text"] == (
        "All: {% link 2 %}https://shop.example.com/all{% endlink %} - "
        "More: {% link 3 %}https://shop.example.com/more{% endlink %}. {% unsubscribe_url %}"
    )
    program = thaw(content, SIGNER, channel())
    one = row(content)
    found = tokens(body(message(program, one), "plain"))
    clicks = [token for token in found if token.kind is TokenKind.CLICK]
    assert [program.link_target(one, token.link, token.link_occurrence) for token in clicks] == [
        "https://shop.example.com/all",
        "https://shop.example.com/more",
    ]


def test_a_message_of_text_alone() -> None:
    parts = {**PARTS, "html": "", "preheader": "x", "text": "Hi https://x.example/a"}
    content = frozen(replace(DRAFT, parts=parts))
    assert set(content.parts) == {"subject", "text", "from_name", "from_address"}
    assert content.hidden_link is None
    parsed = message(thaw(content, SIGNER, channel()), row(content))
    assert parsed.get_content_type() == "text/plain"


def test_html_without_words_points_to_the_mirror_page_in_its_text() -> None:
    content = frozen(replace(DRAFT, parts={**PARTS, "html": '<img src="https://x.example/sale.png">'}))
    assert content.parts["text"] == "{% mirror_url %}\n"
    content = frozen(replace(DRAFT, parts={**PARTS, "html": "<img src='https://x.example/sale.png'>", "preheader": "Sale"}))
    assert content.parts["text"] == "Sale\n\n{% mirror_url %}\n"


def test_nothing_is_added_where_nothing_is_tracked() -> None:
    html = '<body><a href="https://x.example/?a=1&amp;b=2">Go</a></body>'
    content = frozen(replace(DRAFT, parts={**PARTS, "html": html}), tracked=False)
    assert content.parts["html"] == html
    assert content.parts["text"] == "Go {% footnote %}https://x.example/?a=1&b=2{% endfootnote %}\n"
    assert (content.links, content.hidden_link) == ((), None)


@pytest.mark.parametrize(
    ("html", "start", "end"),
    [
        ("<html><body>x</body></html>", "<html><body>[P]x", "[E]</body></html>"),
        ("<html><head></head>x</html>", "<html><head></head>[P]x", "[E]</html>"),
        ("<!doctype html>x", "<!doctype html>[P]x", "x[E]"),
        ("x", "[P]x", "x[E]"),
        ("<BODY\nid='>'>x</BODY >", "<BODY\nid='>'>[P]x", "[E]</BODY >"),
        ("<!--<body>--><body>x<!--</body>--></body>", "<!--<body>--><body>[P]x", "[E]</body>"),
        ("<!--[if mso]><body><![endif]--><body>x</body>y</body>", "--><body>[P]x", "y[E]</body>"),
        ("<body>x<p title='never closed", "<body>[P]x", "x[E]<p title='never closed"),
    ],
)
def test_additions_stand_in_the_body(html: str, start: str, end: str) -> None:
    content = frozen(replace(DRAFT, parts={**PARTS, "html": html, "preheader": "pre"}))
    marked = re.sub(r'<div style="display:none.*?</div>', "[P]", content.parts["html"], flags=re.DOTALL)
    marked = re.sub(r'<a href="\{% link 1 %\}.*?</a><img src="\{% open_pixel_url %\}"[^>]*>', "[E]", marked)
    assert start in marked
    assert marked.endswith(end)
    assert marked.replace("[P]", "").replace("[E]", "") == html


@pytest.mark.parametrize("city", [None, "Bonn"])
def test_each_of_several_bodies_has_the_additions(city: str | None) -> None:
    html = "{% if profile.city %}<html><body>F</body></html>{% else %}<html><body>M</body></html>{% endif %}"
    content = frozen(replace(DRAFT, parts={**PARTS, "html": html, "preheader": "pre"}))
    row = RecipientRow(address="a@example.com", identity=WHO, values=values(content, {"city": city}))
    made = thaw(content, SIGNER, channel()).parts(row).html or ""
    found = re.findall(r"<body>|pre&#847;|F|M|<a href|<img|</body>", made)
    assert found == ["<body>", "pre&#847;", "F" if city else "M", "<a href", "<img", "</body>"]


def test_what_is_invalid_cannot_be_frozen() -> None:
    with pytest.raises(ContentInvalid):
        frozen(replace(DRAFT, parts={**PARTS, "html": "{{ profile.nothing }}"}))


def test_a_part_that_the_channel_refuses_is_a_named_error() -> None:
    content = frozen(replace(DRAFT, parts={**PARTS, "from_address": "not an address"}))
    with pytest.raises(Invalid) as caught:
        thaw(content, SIGNER, channel())
    assert caught.value.code == "CONTENT_REFUSED"
