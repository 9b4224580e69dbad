"""Conditions of dynamic content call saved filters; what calls them is known."""

from __future__ import annotations

import pytest

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.content.compile import freeze
from core.content.errors import ContentInvalid
from core.content.filter_uses import check_filter_uncalled, renew_contents_calling
from core.content.records import Content, ContentDraft, DynamicContent, DynamicVariant
from core.db import Connection
from core.errors import Conflict
from core.targeting import filters
from core.targeting.catalogue import Kind
from core.targeting.parse import parse_text
from core.targeting.records import Filter, FilterDraft
from tests.core.content.test_dynamic import NOW


async def saved(conn: Connection, name: str, question: str) -> Filter:
    """A filter with a number that may be left out."""
    least = filters.parameter_of(name="least", label="Least", kind=Kind.INTEGER, default=parse_text("18"))
    parameters = (least,) if "parameter" in question else ()
    draft = FilterDraft(name=name, label=name, expression=parse_text(question), parameters=parameters)
    return await filters.create_filter(conn, SYSTEM, draft)


def draft(condition: str, name: str = "hero") -> ContentDraft:
    """Content that is shown to some by a condition."""
    variant = DynamicVariant(label="Some", condition=condition, html="<p>Some</p>")
    hero = DynamicContent(name="hero", html="<p>All</p>", variants=(variant,))
    return ContentDraft(name=name, label="x", channel="memory", parts={"text": '{% dynamic "hero" %}'}, dynamic=(hero,))


async def content_of(conn: Connection, condition: str, name: str = "hero") -> Content:
    return await contents.create_content(conn, SYSTEM, ChannelRegistry.load(), draft(condition, name))


async def test_what_a_filter_asks_is_frozen_with_the_content(conn: Connection) -> None:
    # Given a condition that calls a filter, a filter of a filter, and one that comes with Clarion
    await saved(conn, "grown", "age >= parameter('least')")
    await saved(conn, "french", "country = 'FR' and grown(21)")
    content = await content_of(conn, "french() or not grown() or has_birthday(1)")
    library = await contents.fragments_of(conn, content)
    # When it is frozen, then nothing is called any more
    manifest = ChannelRegistry.load().manifest("memory")
    frozen = freeze(content, manifest, label="x", date=NOW, seed="", base_url="https://x.example", library=library)
    (condition,) = frozen.dynamic["hero"]
    assert condition == "country = 'FR' and age >= 21 or not age >= 18 or anniversary_within(birth_date, 1, 1)"
    reads = await conn.fetchval("SELECT reads FROM content WHERE id = $1", content.id)
    assert reads == ["age", "birth_date", "country", "filter:french", "filter:grown"]


async def test_a_change_of_a_filter_is_another_version_of_what_calls_it(conn: Connection) -> None:
    inner = await saved(conn, "grown", "age >= parameter('least')")
    await saved(conn, "french", "country = 'FR' and grown(21)")
    content = await content_of(conn, "french()")
    other = await content_of(conn, "age > 3", "other")
    await filters.update_filter(conn, SYSTEM, inner.id, {"expression": parse_text("city = 'x' or age > parameter('least')")})
    await renew_contents_calling(conn, "grown")
    assert (await contents.get_content(conn, content.id)).version == content.version + 1
    assert (await contents.get_content(conn, other.id)).version == other.version
    assert "city" in await conn.fetchval("SELECT reads FROM content WHERE id = $1", content.id)


async def test_what_conditions_call_is_neither_deleted_nor_left_without_a_meaning(conn: Connection) -> None:
    one = await saved(conn, "grown", "age >= parameter('least')")
    await content_of(conn, "grown(21)")
    with pytest.raises(Conflict, match="the filter 'grown' is called by the contents 'hero'") as caught:
        await check_filter_uncalled(conn, "grown")
    assert caught.value.code == "IN_USE"
    await check_filter_uncalled(conn, "other")
    await filters.update_filter(conn, SYSTEM, one.id, {"name": "aged"})
    with pytest.raises(Conflict, match="the content 'hero' could not be sent: unknown function 'grown'"):
        await renew_contents_calling(conn, "grown")


@pytest.mark.parametrize(
    ("condition", "code", "place"),
    [
        ("country = 'FR' and nobody(1)", "UNKNOWN_FUNCTION", "dynamic.hero.variants.0.condition:1:20"),
        ("grown('x')", "WRONG_TYPE", "dynamic.hero.variants.0.condition:1:7"),
        ("grown(1, 2)", "EXPRESSION_SYNTAX", "dynamic.hero.variants.0.condition:1:1"),
        ("in_audience('vip')", "UNKNOWN_AUDIENCE", "dynamic.hero.variants.0.condition:1:1"),
    ],
)
async def test_wrong_calls_are_told_at_their_place(conn: Connection, condition: str, code: str, place: str) -> None:
    await saved(conn, "grown", "age >= parameter('least')")
    with pytest.raises(ContentInvalid) as caught:
        await content_of(conn, condition)
    assert [(one.code, one.path) for one in caught.value.problems] == [(code, place)]
