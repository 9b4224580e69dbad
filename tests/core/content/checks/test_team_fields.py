"""What checks know of the fields that a team has published."""

from __future__ import annotations

from dataclasses import replace

from channels.email import EmailChannel
from core.content.placements import Library
from core.content.readable import OURS, readable_of
from core.content.records import ContentDraft
from core.content.review import review
from core.content.validate import check_content
from core.datamodel.records import Choice, Entity, FieldKind, Link, LinkKind, Model
from tests.core.authors import PARTS
from tests.core.datamodel.model import field

TIERS = (Choice(name="gold", label="Gold"), Choice(name="silver", label="Silver"))
SHOP = Link(name="shop", label="Shop", target="store", kind=LinkKind.MANY_TO_ONE, reverse_name="people", reverse_label="People")
MODEL = Model(
    entities=(
        Entity(
            name="profile", label="Profile", built_in=True, links=(SHOP,),
            fields=(
                field("tier", FieldKind.ENUMERATION, choices=TIERS),
                field("points", FieldKind.INTEGER),
                field("spent", FieldKind.DECIMAL),
                field("prefs", FieldKind.JSON),
            ),
        ),
        Entity(name="delivery", label="Delivery", built_in=True, fields=(field("theme"),)),
        Entity(name="store", label="Store", fields=(field("city"),)),
    )
)  # fmt: skip
MANIFEST = EmailChannel.manifest
LIBRARY = Library(readable=readable_of(MODEL))


def told(source: str) -> list[tuple[str, str]]:
    """Codes and messages of what is said about a text part."""
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "text": source + "{% unsubscribe_url %}"})
    found = review(draft, MANIFEST, check_content(draft, MANIFEST, LIBRARY), LIBRARY.readable)
    return [(one.code, one.message) for one in found if one.part == "text"]


def test_any_of_them_may_be_nothing_also_through_links() -> None:
    said = "may be empty, and then nothing is printed"
    assert told("{{ profile.tier }}") == [("NULLABLE_FIELD", f"tier {said}")]
    assert told("{{ profile.prefs.colour }}") == []  # nobody knows what is in it
    assert told("{{ profile.shop.city }}{{ profile.shop.id }}") == [
        ("NULLABLE_FIELD", f"shop.city {said}"), ("NULLABLE_FIELD", f"shop.id {said}"),
    ]  # fmt: skip
    assert told("{{ profile.tier | default: 'none' }}{{ delivery.theme }}") == []


def test_their_kinds_are_known() -> None:
    assert [code for code, _ in told("{% if profile.points > 3 and profile.spent >= 2.5 %}x{% endif %}")] == []
    assert [code for code, _ in told("{% if profile.points > 'a' %}x{% endif %}")] == ["COMPARISON_FAILS"]
    assert [code for code, _ in told("{% if profile.tier < 3 %}x{% endif %}")] == ["COMPARISON_FAILS"]


def test_links_are_followed_for_three_steps() -> None:
    own = replace(SHOP, name="parent", target="store", reverse_name="children")
    entities = (*(replace(one, links=(*one.links, own)) if one.name == "store" else one for one in MODEL.entities),)
    readable = readable_of(Model(entities=entities))
    near = ("profile", "shop", "parent", "parent", "city")
    found = readable.find(near)
    assert found is not None
    assert (found.name, len(found.steps)) == ("shop.parent.parent.city", 3)
    assert readable.find((*near[:-1], "parent", "city")) is None
    assert readable.named_in(["{{ profile.shop.parent.city }}"]) == [
        "city", "shop.city", "shop.parent.city", "shop.parent.parent.city",
    ]  # fmt: skip


def test_without_a_model_there_is_what_every_house_has() -> None:
    assert readable_of(Model()).roots.keys() == OURS.roots.keys() == {"profile", "audience", "delivery", "campaign"}
    assert OURS.find(("profile", "tier")) is None
