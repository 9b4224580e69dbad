"""Fragments are saved only when they can be used, and changed only where what uses them goes on working."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from core import audit
from core.access import Actor, Permission
from core.content import contents, fragments
from core.content.errors import ContentInvalid
from core.content.records import Content, ContentDraft, Fragment, FragmentDraft, FragmentParameter, WarningLevel
from core.db import Connection, Pool, transaction
from core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from tests.core.authors import PARTS, REGISTRY

TITLE = FragmentParameter(name="title", description="What stands first.")
COLOR = FragmentParameter(name="color", default="red")


async def a_fragment(
    conn: Connection, actor: Actor, name: str = "footer", html: str = "<p>{{ title }}</p>", **more: Any
) -> Fragment:
    draft = FragmentDraft(name=name, label=name, html=html, **{"parameters": (TITLE, COLOR), **more})
    return await fragments.create_fragment(conn, actor, draft)


async def a_content(conn: Connection, actor: Actor, name: str, html: str, **more: Any) -> Content:
    draft = ContentDraft(name=name, label=name, channel="email", parts={**PARTS, "html": html}, **more)
    return await contents.create_content(conn, actor, REGISTRY, draft)


async def change(conn: Connection, actor: Actor, fragment: Fragment, **changes: Any) -> Fragment:
    return await fragments.update_fragment(conn, actor, REGISTRY, fragment.id, changes)


async def test_fragments_are_kept_as_written_with_a_trace(conn: Connection, actor: Actor) -> None:
    parameters = (
        TITLE,
        FragmentParameter(name="n", default=2.5),
        FragmentParameter(name="on", default=True),
        FragmentParameter(name="item", optional=True),
    )
    made = await a_fragment(conn, actor, html=" <p>\r\n{{ title }}😀</p>", text="own", parameters=parameters)
    assert (await fragments.find_fragments(conn, [made.id])) == [made]
    assert (made.parameters, made.html, made.text, made.version) == (parameters, " <p>\r\n{{ title }}😀</p>", "own", 1)

    changed = await change(conn, actor, made, text=None, label="Feet")
    assert (changed.text, changed.label, changed.version) == (None, "Feet", 2)
    assert await change(conn, actor, made, label="Feet") == changed

    told = await audit.list_entries(conn, object_type="fragment", object_ids=[str(made.id)], before_id=None, limit=10)
    assert [entry.action for entry in told] == ["fragment.update", "fragment.create"]
    assert told[0].changes["fields"] == ["text"]
    assert "title" not in str(told)

    await a_fragment(conn, actor, "other")
    page = await fragments.list_fragments(conn, PageRequest(first=1))
    assert ([one.name for one in page.rows], page.has_next) == (["footer"], True)
    assert await fragments.count_fragments(conn) == 2


@pytest.mark.parametrize(
    ("more", "code", "path"),
    [
        ({"html": "<p>\n{{ profile.frist_name }}"}, "UNKNOWN_VARIABLE", "fragment.html:2:4"),
        ({"html": "{% if title %}"}, "TEMPLATE_SYNTAX", "fragment.html:1:4"),
        ({"html": "{{ title | upcas }}"}, "TEMPLATE_SYNTAX", "fragment.html:1:12"),
        ({"html": "x", "text": "{% endif %}"}, "TEMPLATE_SYNTAX", "fragment.text:1:4"),
        ({"html": '{% render "footer", title: 1 %}'}, "UNKNOWN_FRAGMENT", "fragment.html:1:11"),
        ({"html": '{% dynamic "hero" %}'}, "DYNAMIC_PLACE", "fragment.html:1:1"),
        ({"html": '<a href="javascript:x">y</a>'}, "LINK_SCRIPT", "fragment.html:1:10"),
        ({"html": " "}, "PART_MISSING", "html"),
        ({"html": "\0"}, "BAD_TEXT", "html"),
        ({"html": "x" * 1_000_001}, "PART_TOO_LARGE", "html"),
        ({"parameters": (FragmentParameter(name="profile"),)}, "RESERVED_NAME", "parameters.0.name"),
        ({"parameters": (FragmentParameter(name="dynamic"),)}, "RESERVED_NAME", "parameters.0.name"),
        ({"parameters": (FragmentParameter(name="a b"),)}, "BAD_PARAMETER", "parameters.0.name"),
        ({"parameters": (TITLE, TITLE)}, "BAD_PARAMETER", "parameters.1.name"),
        ({"parameters": (FragmentParameter(name="a", default="'\""),)}, "BAD_PARAMETER", "parameters.0.default"),
        ({"parameters": (FragmentParameter(name="a", default="%}"),)}, "BAD_PARAMETER", "parameters.0.default"),
        ({"parameters": (FragmentParameter(name="a", default=2**60),)}, "BAD_PARAMETER", "parameters.0.default"),
        ({"parameters": tuple(FragmentParameter(name=f"a{n}") for n in range(51))}, "BAD_PARAMETER", "parameters"),
    ],
)  # fmt: skip
async def test_what_cannot_be_used_is_not_saved(
    conn: Connection, actor: Actor, more: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(ContentInvalid) as caught:
        await a_fragment(conn, actor, **more)
    assert (caught.value.problems[0].code, caught.value.problems[0].path) == (code, path)
    assert await fragments.count_fragments(conn) == 0


async def test_names_versions_and_permissions(conn: Connection, actor: Actor) -> None:
    made, other = await a_fragment(conn, actor), await a_fragment(conn, actor, "other")
    with pytest.raises(Conflict, match="'footer' is that of another"):
        await a_fragment(conn, actor)
    with pytest.raises(Conflict, match="'footer' is that of another"):
        await change(conn, actor, other, name="footer")
    with pytest.raises(Stale):
        await fragments.update_fragment(conn, actor, REGISTRY, made.id, {"label": "x"}, expected_version=2)
    with pytest.raises(Invalid, match="is not a name"):
        await a_fragment(conn, actor, "Bad name")
    with pytest.raises(NotFound) as missing:
        await fragments.delete_fragment(conn, actor, 0)
    assert missing.value.code == "FRAGMENT_NOT_FOUND"
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ}))
    for attempt in (
        a_fragment(conn, reader, "x"),
        change(conn, reader, made, label="x"),
        fragments.delete_fragment(conn, reader, made.id),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_what_is_in_use_is_neither_deleted_nor_renamed(conn: Connection, actor: Actor) -> None:
    inner = await a_fragment(conn, actor, "inner", "in", parameters=())
    outer = await a_fragment(conn, actor, "outer", '{% render "inner" %}', parameters=())
    content = await a_content(conn, actor, "welcome", '{% render "inner" %}{% render "outer" %}')
    for attempt in (fragments.delete_fragment(conn, actor, inner.id), change(conn, actor, inner, name="within")):
        with pytest.raises(Conflict) as caught:
            await attempt
        assert caught.value.code == "IN_USE"
        assert caught.value.message == "the fragment 'inner' is used by the content 'welcome', the fragment 'outer'"

    await contents.update_content(conn, actor, REGISTRY, content.id, {"parts": {"html": "<p>none</p>"}})
    await change(conn, actor, outer, html="none")
    await change(conn, actor, inner, name="within")
    await fragments.delete_fragment(conn, actor, inner.id)
    await a_content(conn, actor, "again", '{% render "outer" %}')
    await contents.delete_content(conn, actor, (await contents.find_content_by_name(conn, "again") or content).id)
    await fragments.delete_fragment(conn, actor, outer.id)
    assert await fragments.count_fragments(conn) == 0


async def test_a_change_that_would_break_content_is_refused(conn: Connection, actor: Actor) -> None:
    inner = await a_fragment(conn, actor, "inner", "{{ title }}")
    await a_fragment(conn, actor, "outer", '{% render "inner", title: name %}', parameters=())
    await a_content(conn, actor, "near", '{% render "inner", title: 1 %}')
    await a_content(conn, actor, "far", '{% render "outer" %}', data={"name": "x", "color": "blue"})
    await a_content(conn, actor, "apart", "<p>{{ title }}</p>", data={"title": "x"})

    with pytest.raises(Invalid) as caught:
        await change(conn, actor, inner, html="{{ title }}\n{{ brand.name }}")
    assert caught.value.code == "FRAGMENT_BREAKS_CONTENT"
    assert caught.value.message.startswith("with this the content 'near', 'far' could not be sent: there is no 'brand'")
    assert caught.value.path == "fragments.inner.html:2:4"
    with pytest.raises(Invalid, match="needs the parameter 'more'"):
        await change(conn, actor, inner, parameters=(TITLE, COLOR, FragmentParameter(name="more")))
    with pytest.raises(ContentInvalid, match="fragments that use each other: inner → outer → inner"):
        await change(conn, actor, inner, html='{% render "outer" %}')

    changed = await change(conn, actor, inner, parameters=(TITLE, COLOR, FragmentParameter(name="more", default="-")))
    assert changed.version == 2


async def test_content_that_was_broken_before_keeps_no_fragment_from_changing(conn: Connection, actor: Actor) -> None:
    inner = await a_fragment(conn, actor, "inner", "{{ title }}")
    await a_content(conn, actor, "near", '{% render "inner", title: 1 %}')
    await conn.execute('UPDATE content SET parts = parts || \'{"subject": "{{ profile.nothing }}"}\'')
    assert (await change(conn, actor, inner, html="<b>{{ title }}</b>")).version == 2


async def test_another_mistake_in_the_place_of_a_known_one_is_new(conn: Connection, actor: Actor) -> None:
    inner = await a_fragment(conn, actor, "inner", "{{ word }}{{ title }}")
    await a_content(conn, actor, "near", '{% render "inner", title: 1 %}', data={"word": "x"})
    await conn.execute("UPDATE content SET data = '{}'")
    assert (await change(conn, actor, inner, html="{{ word }}<b>{{ title }}</b>")).version == 2
    with pytest.raises(Invalid, match="there is no 'brand'") as caught:
        await change(conn, actor, inner, html="{{ brand }}{{ title }}")
    assert (caught.value.code, caught.value.path) == ("FRAGMENT_BREAKS_CONTENT", "fragments.inner.html:1:4")


async def test_content_says_what_it_cannot_find(conn: Connection, actor: Actor) -> None:
    await a_fragment(conn, actor, "footer")
    with pytest.raises(ContentInvalid) as caught:
        await a_content(conn, actor, "welcome", '{% render "fotter", title: 1 %}')
    assert (caught.value.code, caught.value.hint) == ("UNKNOWN_FRAGMENT", "Did you mean 'footer'?")


async def test_content_and_fragment_are_not_changed_past_each_other(pool: Pool, actor: Actor) -> None:
    # Given content that is just being saved with a fragment
    async with transaction(pool) as conn:
        made = await a_fragment(conn, actor, html="{{ title }}")
    async with transaction(pool) as saving:
        await a_content(saving, actor, "welcome", '{% render "footer", title: 1 %}')

        # When somebody else changes the fragment meanwhile, or deletes it
        async def attempt(act: Any) -> Any:
            async with transaction(pool) as other:
                return await act(other)

        breaking = asyncio.create_task(attempt(lambda other: change(other, actor, made, html="{{ brand }}")))
        deleting = asyncio.create_task(attempt(lambda other: fragments.delete_fragment(other, actor, made.id)))
        await asyncio.sleep(0.2)
        assert not breaking.done()
        assert not deleting.done()

    # Then they see the content
    with pytest.raises(Invalid) as broken:
        await breaking
    assert broken.value.code == "FRAGMENT_BREAKS_CONTENT"
    with pytest.raises(Conflict, match="is used by the content 'welcome'"):
        await deleting


async def test_warnings_in_fragments_that_only_a_translation_uses_are_told_once(conn: Connection, actor: Actor) -> None:
    footer = await a_fragment(conn, actor, html='<p>\n<img src="https://shop.example.com/x.png"></p>', parameters=())
    html = {"html": '<p>{% render "footer" %}<a href="{% unsubscribe_url %}">u</a></p>'}
    content = await a_content(conn, actor, "x", "<p>Hello</p>", translations={"de": html, "fr": html})
    library = await contents.fragments_of(conn, content)
    told = await contents.warnings_of(REGISTRY, content, library)
    at = [(one.code, one.line, one.language) for one in told if one.part == "fragments.footer.html"]
    assert at == [("IMAGE_WITHOUT_ALT", 2, None)]

    broken = replace(library, fragments={"footer": replace(footer, html="{{ profile.cty }}")})
    told = await contents.warnings_of(REGISTRY, content, broken)
    assert [(one.code, one.level) for one in told if one.part == "fragments.footer.html"] == [
        ("UNKNOWN_VARIABLE", WarningLevel.ERROR)
    ]
