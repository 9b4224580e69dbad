"""What contents read of an event: shown where one is kept, refused where there is none, empty where nobody knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.content.contents import check_sendable
from core.content.errors import ContentInvalid
from core.content.placements import NO_FRAGMENTS, Library
from core.content.preview import preview
from core.content.readable import OURS, with_event, without_event
from core.content.records import ContentDraft, Preview
from tests.core.authors import PARTS, REGISTRY
from tests.core.content.test_compile import DATE, SIGNER, ZOE, channel
from tests.core.content.test_expansion import fragment, library
from tests.core.hostile import HOSTILE

DRAFT = ContentDraft(name="order", label="Order", channel="email", parts=PARTS)
PAYLOAD = {"order_id": "A-7 <b>", "total": 12.5, "gift": False, "items": [{"sku": "tea", "n": 2}, {"sku": "cake", "n": 1}]}
OF_ORDER = Library(readable=with_event(OURS, "order", PAYLOAD))
OF_NOTHING = Library(readable=without_event(OURS))


def seen(text: str, library: Library = OF_ORDER, data: Any = None, **parts: str) -> Preview:
    draft = replace(DRAFT, parts={**DRAFT.parts, "text": text, **parts}, data=data or {})
    return preview(draft, channel(), SIGNER, row_values=ZOE, address="zoe@example.com", date=DATE, library=library)


def refused(text: str, library: Library = OF_ORDER, **parts: str) -> list[tuple[str, str | None, str, str | None]]:
    with pytest.raises(ContentInvalid) as caught:
        seen(text, library, **parts)
    return [(one.code, one.path, one.message, one.hint) for one in caught.value.problems]


def test_a_preview_shows_type_and_payload_everywhere() -> None:
    found = seen(
        "{{ event.type }} {{ event.payload.order_id }}:"
        " {% for item in event.payload.items %}{{ item.n }} {{ item.sku }};{% endfor %}"
        " {{ event.payload.total | times: 2 }} {% if event.payload.gift %}gift{% else %}no gift{% endif %}",
        subject="Your order {{ event.payload.order_id }}",
        html='<p>{{ event.payload.order_id }}</p><a href="https://shop.example/?o={{ event.payload.order_id }}">Order</a>'
        '<a href="{% unsubscribe_url %}">Bye</a>',
    )
    assert found.text == "order A-7 <b>: 2 tea;1 cake; 25.0 no gift"
    assert found.subject == "Your order A-7 <b>"
    assert "<p>A-7 &lt;b&gt;</p>" in (found.html or "")
    assert "https://shop.example/?o=A-7%20%3Cb%3E" in (found.html or "")
    assert [one.code for one in found.warnings if one.code in ("EVENT_NOT_KNOWN", "MISSING_VALUE")] == []


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("event.payload.ordr_id", "'event.payload' has no 'ordr_id' in the event", "Did you mean 'order_id'?"),
        ("event.payload.items[0].price", "'event.payload.items.*' has no 'price' in the event", "There are n, sku."),
        ("event.payload.total.cents", "'event.payload.total' is one value and has no 'cents'", None),
        ("event.type.name", "'event.type' is one value and has no 'name'", None),
        ("event.typ", "there is no 'event.typ'", "Did you mean 'event.type'?"),
        ("event.customer", "there is no 'event.customer'", "There are event.type, event.payload."),
        ("event", "the event cannot be read as a whole", "Write event.type, or a value such as event.payload.order_id."),
        ("evnt.type", "there is no 'evnt'", "Did you mean 'event'?"),
    ],
)
def test_what_the_event_lacks_is_refused_with_what_was_meant(path: str, message: str, hint: str | None) -> None:
    ((code, place, told, advice),) = refused(f"Hello {{{{ {path} }}}}")
    assert (code, place, told) == ("UNKNOWN_VARIABLE", "parts.text:1:10", message)
    assert hint is None or advice == hint


def test_an_event_without_a_payload_says_so() -> None:
    bare = Library(readable=with_event(OURS, "order", None))
    assert seen("{{ event.type }}", bare).text == "order"
    ((code, _, message, hint),) = refused("{{ event.payload.order_id }}", bare)
    assert (code, message, hint) == ("UNKNOWN_VARIABLE", "the event has no payload", "Give the test profile an eventPayload.")


def test_what_nobody_knows_is_empty_and_told_once_at_its_first_place() -> None:
    text = "{{ event.type }} {{ event.payload.order_id | default: 'none' }} {{ event.type | upcase }}"
    found = seen(text, NO_FRAGMENTS)
    assert (found.text or "").split() == ["none"]
    assert [(one.message, one.part, one.line, one.column) for one in found.warnings if one.code == "EVENT_NOT_KNOWN"] == [
        ("there is no event to take 'event.type' from", "text", 1, 4),
        ("there is no event to take 'event.payload.order_id' from", "text", 1, 21),
    ]
    assert check_sendable(REGISTRY, replace(DRAFT, parts={**PARTS, "text": text})), "it can be saved"
    assert refused("{{ event.typ }}", NO_FRAGMENTS)[0][3] == "Did you mean 'event.type'?"


def test_where_there_is_no_event_it_is_refused_in_every_part_and_fragment() -> None:
    told = "there is no event: a delivery is sent to an audience"
    assert [(one[1], one[2]) for one in refused("{{ event.type }}", OF_NOTHING, subject="{{ event.payload.x }}")] == [
        ("parts.subject:1:4", told), ("parts.text:1:4", told),
    ]  # fmt: skip
    used = library(fragment("order", "<p>{{ event.payload.order_id }}</p>"))
    html = '{% render "order" %}<a href="{% unsubscribe_url %}">x</a>'
    assert "<p>A-7 &lt;b&gt;</p>" in (seen("x", replace(used, readable=OF_ORDER.readable), html=html).html or "")
    ((code, path, message, _),) = refused("x", replace(used, readable=OF_NOTHING.readable), html=html)
    assert (code, path, message) == ("UNKNOWN_VARIABLE", "fragments.order.html:1:7", f"{told} (in the fragment 'order')")


@pytest.mark.parametrize("library", [OF_ORDER, OF_NOTHING, NO_FRAGMENTS])
def test_an_event_of_the_content_itself_is_that(library: Library) -> None:
    found = seen("{{ event.title }}", library, {"event": {"title": "Summer party"}})
    assert found.text == "Summer party"
    found = seen("{% assign event = things[0] %}{{ event.title }}", library, {"things": [{"title": "Own"}]})
    assert found.text == "Own"
    found = seen("{% for event in things %}{{ event.title }}{% endfor %}", library, {"things": [{"title": "Own"}]})
    assert found.text == "Own"
    assert "EVENT_NOT_KNOWN" not in [one.code for one in found.warnings]


def test_one_event_says_nothing_of_others() -> None:
    """No condition is taken to hold always, and no filter is refused, because of what this one event has."""
    text = "{% if event.payload.gift %}gift{% endif %}{% if event.payload.total > 10 %}much{% endif %}"
    found = seen(f"Hello {text}")
    assert found.text == "Hello much"
    assert [one.code for one in found.warnings if one.part == "text"] == ["NO_UNSUBSCRIBE_LINK"]


def test_no_payload_does_harm() -> None:
    for text in HOSTILE:
        if "\0" in text or "\ud800" in text:
            continue  # no test profile keeps it
        held = Library(readable=with_event(OURS, "order", {"x": text, text: "1"}))
        found = seen("a{{ event.payload.x }}b", held, html='<p>{{ event.payload.x }}</p><a href="{% unsubscribe_url %}">x</a>')
        assert found.text == f"a{text}b".replace("\r\n", "\n"), [one.message for one in found.warnings]
        assert "<script" not in (found.html or "")
