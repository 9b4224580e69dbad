"""Dynamic content: what is checked of it, and which variant somebody sees, as the database decides."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.access import Actor
from core.content import contents
from core.content.dynamic import MOST_PLACES, MOST_VARIANTS, VARIANTS, check_chosen, check_dynamic, unused
from core.content.placements import NO_FRAGMENTS
from core.content.preview import preview
from core.content.records import ContentDraft, DynamicContent, DynamicVariant
from core.content.stand_ins import SIGNER, stand_in_channel
from core.db import Connection
from core.delivery.recipient_values import fetch_values
from core.errors import Invalid
from tests.core.authors import PARTS, REGISTRY

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def place(*conditions: str, name: str = "hero", html: str = "default") -> DynamicContent:
    variants = tuple(DynamicVariant(label=one, condition=one, html=f"<b>{n}</b>") for n, one in enumerate(conditions))
    return DynamicContent(name=name, variants=variants, html=html)


def wrong(*places: DynamicContent) -> list[tuple[str, str | None, str | None]]:
    return [(one.code, one.path, one.hint) for one in check_dynamic(places)]


def test_conditions_are_checked_where_they_stand() -> None:
    assert wrong(place("country = 'FR'", "country =", name="a"), place("id > 0", "contry = 'FR'", "gender = 'femal'")) == [
        ("EXPRESSION_SYNTAX", "dynamic.a.variants.1.condition:1:10", "Expected a field, a value or an opening parenthesis."),
        ("UNKNOWN_FIELD", "dynamic.hero.variants.1.condition:1:1", "Expected a field of profile. Did you mean country?"),
        ("BAD_VALUE", "dynamic.hero.variants.2.condition:1:10",
         "Expected one of 'unknown', 'male', 'female'. Did you mean female?"),
    ]  # fmt: skip


def test_names_counts_and_sizes_have_bounds() -> None:
    assert wrong(place("id > 0", name="a-b"))[0][:2] == ("BAD_DYNAMIC_NAME", "dynamic.a-b")
    assert wrong(place("id > 0"), place("id > 1"))[0][:2] == ("BAD_DYNAMIC_NAME", "dynamic.hero")
    assert wrong(place())[0][:2] == ("TOO_MANY_VARIANTS", "dynamic.hero")
    assert wrong(place(*["id > 0"] * MOST_VARIANTS)) == []
    assert wrong(place(*["id > 0"] * (MOST_VARIANTS + 1)))[0][:2] == ("TOO_MANY_VARIANTS", "dynamic.hero")
    assert wrong(*(place("id > 0", name=f"a{n}") for n in range(MOST_PLACES))) == []
    assert wrong(*(place("id > 0", name=f"a{n}") for n in range(MOST_PLACES + 1)))[0][:2] == ("TOO_MANY_VARIANTS", "dynamic")
    assert wrong(place("id > 0", html="\0"))[0][:2] == ("BAD_TEXT", "dynamic.hero.html")
    long = " or ".join(f"id = {n}" for n in range(600))
    assert wrong(*(place(long, name=f"a{n}") for n in range(20)))[0][:2] == ("EXPRESSION_TOO_LARGE", "dynamic")


def test_only_what_there_is_can_be_asked_for() -> None:
    def told(asked: dict[str, int]) -> list[str]:
        return [one.code for one in check_chosen([place("id > 0")], asked)]

    assert told({"hero": 1}) == []
    assert told({"hreo": 1}) == ["UNKNOWN_DYNAMIC"]
    assert told({"hero": 2}) == told({"hero": -1}) == ["UNKNOWN_VARIANT"]
    assert told({"hreo": 1, "hero": 2}) == ["UNKNOWN_DYNAMIC", "UNKNOWN_VARIANT"]


def test_what_nothing_shows_is_a_warning() -> None:
    found = unused([place("id > 0"), place("id > 0", name="vip")], {"vip": ()})
    assert [(one.code, one.part) for one in found] == [("DYNAMIC_UNUSED", "dynamic.hero")]
    assert all(one.hint for one in found)


async def test_what_nothing_shows_is_told_at_the_save_and_a_preview_knows_all_languages(conn: Connection, actor: Actor) -> None:
    dynamic = (place("id > 0"), place("id > 0", name="vip"), place("id > 0", name="none"))
    translations = {"de": {"html": '{% dynamic "hero" %}', "subject": "{% if dynamic.vip == 1 %}Hallo{% else %}Tag{% endif %}"}}
    draft = ContentDraft(name="x", label="X", channel="email", parts=PARTS, translations=translations, dynamic=dynamic)
    content = await contents.create_content(conn, actor, REGISTRY, draft)
    told = await contents.warnings_of(REGISTRY, content, NO_FRAGMENTS)
    assert [one.part for one in told if one.code == "DYNAMIC_UNUSED"] == ["dynamic.none"]
    email = stand_in_channel(REGISTRY, "email")
    shown = preview(content, email, SIGNER, row_values={}, address="zoe@shop.example", date=NOW)
    assert [one.part for one in shown.warnings if one.code == "DYNAMIC_UNUSED"] == ["dynamic.none"]


async def test_it_is_kept_with_the_content(conn: Connection, actor: Actor) -> None:
    parts = {**PARTS, "html": '{% dynamic "hero" %}'}
    draft = ContentDraft(name="x", label="X", channel="email", parts=parts, dynamic=(place("id > 0"),))
    content = await contents.create_content(conn, actor, REGISTRY, draft)
    assert (await contents.get_content(conn, content.id)).dynamic == draft.dynamic
    changed = await contents.update_content(conn, actor, REGISTRY, content.id, {"dynamic": (place("id > 0", "id > 1"),)})
    assert (len(changed.dynamic[0].variants), changed.version) == (2, 2)
    with pytest.raises(Invalid) as caught:
        await contents.update_content(conn, actor, REGISTRY, content.id, {"dynamic": ()})
    assert (caught.value.code, caught.value.path) == ("UNKNOWN_DYNAMIC", "parts.html:1:1")


async def test_the_first_condition_that_is_true_wins(conn: Connection) -> None:
    async def numbers(*conditions: str, **more: object) -> list[int]:
        columns = ", ".join(more) or "first_name"
        values = list(more.values()) or [None]
        marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        key = await conn.fetchval(f"INSERT INTO profile ({columns}) VALUES ({marks}) RETURNING id", *values)
        found = await fetch_values(conn, key, ["city"], {"hero": conditions, "again": conditions[::-1]}, NOW)
        assert found["city"] == more.get("city")
        return [found[VARIANTS]["hero"], found[VARIANTS]["again"]]

    assert await numbers("country = 'FR'", "city = 'Paris'", country="FR", city="Paris") == [1, 1]
    assert await numbers("country = 'FR'", "city = 'Paris'", country="FR", city="Lyon") == [1, 2]
    assert await numbers("country = 'FR'", "city = 'Paris'", country="FR") == [1, 2]
    # Nothing is known: neither a comparison nor its opposite in SQL would be true; here the opposite is
    assert await numbers("country = 'FR'", "city = 'Paris'") == [0, 0]
    assert await numbers("country = 'FR'", "not country = 'FR'") == [2, 1]
    assert await numbers("created_at > now - 1 days", "created_at <= now - 1 days", created_at=NOW) == [1, 2]
