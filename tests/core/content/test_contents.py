"""Content is saved only when it could be sent, with a version and a trace at every change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from channels.email import EmailChannel
from core import audit
from core.access import Actor, Permission
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.content.errors import ContentInvalid
from core.content.records import (
    CampaignParameter,
    CampaignParameters,
    Content,
    ContentDraft,
    DynamicContent,
    DynamicVariant,
    LinkSettings,
)
from core.db import Connection
from core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from tests.core.authors import PARTS, REGISTRY, a_content


async def change(conn: Connection, actor: Actor, content: Content, **changes: Any) -> Content:
    return await contents.update_content(conn, actor, REGISTRY, content.id, changes)


async def test_content_is_kept_as_written(conn: Connection, actor: Actor) -> None:
    parts = {
        **PARTS,
        "html": "<p>\r\n {{ products[0].name }} “é” 😀 &nbsp;</p>",
        "preheader": "  two  spaces ",
    }
    data = {"products": [{"name": "Tea", "price": 1.5}], "flag": True, "nothing": None}
    draft = ContentDraft(name="spring", label="Spring", channel="email", parts=parts, data=data)
    created = await contents.create_content(conn, actor, REGISTRY, draft)
    content = await contents.get_content(conn, created.id)
    assert content == created
    assert (content.parts, content.data, content.version) == (parts, data, 1)


async def test_a_change_touches_what_it_names(conn: Connection, actor: Actor) -> None:
    content = await a_content(conn, actor)
    changed = await change(conn, actor, content, parts={"subject": "New", "text": "Text"})
    assert changed.parts == {**PARTS, "subject": "New", "text": "Text"}
    assert changed.version == 2
    without = await change(conn, actor, content, parts={"text": None}, data={"a": 1})
    assert "text" not in without.parts
    assert (without.data, without.version) == ({"a": 1}, 3)
    assert await change(conn, actor, content, label="Welcome", parts={}) == without
    told = await audit.list_entries(conn, object_type="content", object_ids=[str(content.id)], before_id=None, limit=10)
    assert [entry.action for entry in told] == ["content.update", "content.update", "content.create"]
    assert told[1].changes == {"version": {"from": 1, "to": 2}, "parts": ["subject", "text"], "fields": []}
    assert told[0].changes == {"version": {"from": 2, "to": 3}, "parts": ["text"], "fields": ["data"]}
    assert "shop.example.com" not in str(told)


async def test_warnings_may_take_their_time_also_where_nothing_changed(conn: Connection, actor: Actor) -> None:
    content = await a_content(conn, actor)
    await conn.execute("SET LOCAL idle_in_transaction_session_timeout = '5s'")  # as at the start of a request
    assert await change(conn, actor, content, label=content.label) == content
    assert await conn.fetchval("SHOW idle_in_transaction_session_timeout") == "1min"


async def test_the_audit_names_what_changed_besides_the_parts(conn: Connection, actor: Actor) -> None:
    content = await a_content(conn, actor)
    hero = DynamicContent(name="hero", variants=(DynamicVariant(label="x", condition="city = 'Bonn'", html="<b>secret</b>"),))
    changes = {
        "dynamic": (hero,),
        "links": (LinkSettings(url="https://secret.example/"),),
        "campaign_parameters": CampaignParameters(parameters=(CampaignParameter(name="utm_source", value="secret"),)),
    }
    await change(conn, actor, content, **changes)
    (told, _) = await audit.list_entries(conn, object_type="content", object_ids=[str(content.id)], before_id=None, limit=10)
    fields = ["dynamic", "links", "campaign_parameters"]
    assert told.changes == {"version": {"from": 1, "to": 2}, "parts": [], "fields": fields}


async def test_what_cannot_be_sent_is_not_saved(conn: Connection, actor: Actor) -> None:
    content = await a_content(conn, actor)
    with pytest.raises(ContentInvalid) as caught:
        await change(conn, actor, content, parts={"subject": "{{ profile.frist_name }}"})
    assert caught.value.path == "parts.subject:1:4"
    draft = ContentDraft(name="x", label="X", channel="email", parts={})
    with pytest.raises(ContentInvalid):
        await contents.create_content(conn, actor, REGISTRY, draft)
    assert await contents.get_content(conn, content.id) == content
    assert await contents.count_contents(conn) == 1


async def test_data_and_parts_are_checked_together(conn: Connection, actor: Actor) -> None:
    content = await a_content(conn, actor)
    with pytest.raises(ContentInvalid):
        await change(conn, actor, content, parts={"subject": "{{ brand.name }}"})
    await change(conn, actor, content, parts={"subject": "{{ brand.name }}"}, data={"brand": {"name": "Clarion"}})
    with pytest.raises(ContentInvalid):
        await change(conn, actor, content, data={})


async def test_names_channels_versions_and_permissions(conn: Connection, actor: Actor) -> None:
    one, two = await a_content(conn, actor, "one"), await a_content(conn, actor, "two")
    with pytest.raises(Conflict, match="'one' is that of another"):
        await a_content(conn, actor, "one")
    with pytest.raises(Conflict, match="'one' is that of another"):
        await change(conn, actor, two, name="one")
    with pytest.raises(Invalid) as fixed:
        await change(conn, actor, one, channel="sms")
    assert fixed.value.code == "CHANNEL_FIXED"
    with pytest.raises(Stale):
        await contents.update_content(conn, actor, REGISTRY, one.id, {"label": "x"}, expected_version=2)
    with pytest.raises(NotFound) as unknown:
        await contents.create_content(conn, actor, REGISTRY, ContentDraft(name="x", label="X", channel="owl", parts={}))
    assert unknown.value.code == "CHANNEL_NOT_FOUND"
    with pytest.raises(NotFound) as missing:
        await contents.delete_content(conn, actor, 0)
    assert missing.value.code == "CONTENT_NOT_FOUND"
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ}))
    for attempt in (
        a_content(conn, reader, "x"),
        change(conn, reader, one, label="x"),
        contents.delete_content(conn, reader, one.id),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_contents_are_listed_found_and_deleted(conn: Connection, actor: Actor) -> None:
    made = [await a_content(conn, actor, f"c{number}") for number in range(3)]
    page = await contents.list_contents(conn, PageRequest(first=2))
    assert ([one.name for one in page.rows], page.has_next) == (["c0", "c1"], True)
    assert await contents.find_content_by_name(conn, "c2") == made[2]
    assert len(await contents.find_contents(conn, [made[0].id, made[2].id, 0])) == 2
    await contents.delete_content(conn, actor, made[0].id)
    assert await contents.find_content(conn, made[0].id) is None
    assert await contents.count_contents(conn) == 2


@pytest.mark.parametrize("part", ["from_address", "reply_to"])
@pytest.mark.parametrize("address", ["nobody", "shop@example.com\r\nBcc: x@y.example", "a@b.example, c@d.example"])
async def test_a_sender_that_is_no_address_is_not_saved(conn: Connection, actor: Actor, part: str, address: str) -> None:
    content = await a_content(conn, actor)
    with pytest.raises(Invalid) as caught:
        await change(conn, actor, content, parts={part: address})
    assert (caught.value.code, caught.value.path) == ("CONTENT_REFUSED", f"parts.{part}")
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, part: address})
    with pytest.raises(Invalid, match="the channel refuses"):
        await contents.create_content(conn, actor, REGISTRY, draft)
    assert await contents.get_content(conn, content.id) == content


class Particular(EmailChannel):
    """A channel that cannot be made of settings that stand in for real ones."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        raise KeyError("real settings only")


async def test_a_channel_that_needs_real_settings_has_its_say_later(conn: Connection, actor: Actor) -> None:
    registry = ChannelRegistry({"email": Particular})
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "from_address": "nobody"})
    assert (await contents.create_content(conn, actor, registry, draft)).parts["from_address"] == "nobody"
    with pytest.raises(ContentInvalid):
        await contents.create_content(conn, actor, registry, replace(draft, parts={**PARTS, "html": "{{ x }}"}))
