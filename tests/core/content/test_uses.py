"""What contents, fragments and import templates name of the data model is not hidden while they do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.content.contents import create_content, update_content
from core.content.fragments import create_fragment, update_fragment
from core.content.records import (
    CampaignParameter,
    CampaignParameters,
    ContentDraft,
    DynamicContent,
    DynamicVariant,
    FragmentDraft,
)
from core.content.uses import find_contents_without_events
from core.datamodel.drafts import discard_draft, get_draft, remove_dataset, remove_field, save_field
from core.datamodel.links import remove_link
from core.datamodel.publication import publish
from core.datamodel.records import Choice, FieldKind
from core.db import Connection, Pool
from core.errors import Conflict, Invalid
from core.events.event_types import remove_event_type
from core.profiles.import_template_records import ImportTemplateDraft, TemplateStatus
from core.profiles.import_templates import create_template, update_template
from core.profiles.run_records import ImportOptions, MatchKey
from tests.core.authors import PARTS, REGISTRY
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, publish_fields, save
from tests.core.events import told as events


async def publish_guarded(conn: Connection) -> None:
    await publish(conn, SYSTEM, expected_version=(await get_draft(conn)).version, now=NOW, guard=UNUSED)


async def why_not(conn: Connection) -> str:
    """What keeps the draft from being published, which is then thrown away."""
    with pytest.raises(Conflict) as caught:
        await publish_guarded(conn)
    assert caught.value.code == "FIELD_IN_USE"
    await discard_draft(conn, SYSTEM, expected_version=(await get_draft(conn)).version)
    return caught.value.message.partition("used by ")[2]


def draft(name: str, text: str = "", **more: Any) -> ContentDraft:
    return ContentDraft(**{"name": name, "label": name, "channel": "email", "parts": {**PARTS, "text": text or "x"}, **more})


def fragment(name: str, html: str) -> FragmentDraft:
    return FragmentDraft(name=name, label=name, html=html)


async def hide(conn: Connection, name: str, entity: str = "profile") -> None:
    await remove_field(conn, SYSTEM, entity, name, now=NOW)


async def test_a_field_stays_while_any_part_of_a_content_reads_it(conn: Connection) -> None:
    await publish_fields(conn, *(field(name) for name in ("tier", "shade", "town", "code", "motto", "unread")))
    variant = DynamicVariant(label="x", condition="shade = 'red'", html="{{ profile.motto }}")
    await create_content(
        conn, SYSTEM, REGISTRY,
        draft(
            "spring", "{% if profile.tier == 'gold' %}x{% endif %}",
            dynamic=(DynamicContent(name="hero", variants=(variant,)),),
            translations={"de": {"subject": "{{ profile.town | upcase }}"}},
            campaign_parameters=CampaignParameters(parameters=(CampaignParameter(name="utm_x", value="{{ profile.code }}"),)),
        ),
    )  # fmt: skip

    for name in ("tier", "shade", "town", "code"):
        await hide(conn, name)
        assert await why_not(conn) == f"the content 'spring' ({name})"
    # What no reader sees may go: the place is shown nowhere
    for name in ("unread", "motto"):
        await hide(conn, name)
        await publish_guarded(conn)


async def test_fragments_count_for_themselves_and_all_users_are_named(conn: Connection) -> None:
    await publish_fields(conn, field("tier"), field("points", FieldKind.INTEGER))
    footer = await create_fragment(conn, SYSTEM, fragment("footer", "<p>{{ profile.tier }} {{ profile.points }}</p>"))
    html = PARTS["html"].replace("<p>Hello</p>", '{% render "footer" %}')
    await create_content(conn, SYSTEM, REGISTRY, draft("uses", parts={**PARTS, "html": html}))
    await create_content(conn, SYSTEM, REGISTRY, draft("reads", "{{ profile.tier }}"))
    options = ImportOptions(mapping={"Level": "tier"}, constants={"points": "1"})
    template = ImportTemplateDraft(name="people", label="People", match_key=MatchKey.EMAIL, options=options)
    saved = await create_template(conn, SYSTEM, template, NOW)

    await hide(conn, "tier")
    assert (
        await why_not(conn) == "the content 'reads' (tier), the fragment 'footer' (tier), the import template 'people' (tier)"
    )
    await hide(conn, "points")
    assert await why_not(conn) == "the fragment 'footer' (points), the import template 'people' (points)"

    # When the fragment reads it no longer, the content that uses it does not either
    await update_fragment(conn, SYSTEM, REGISTRY, footer.id, {"html": "<p>{{ profile.city }}</p>"})
    await update_template(conn, SYSTEM, saved.id, {"status": TemplateStatus.ARCHIVED}, now=NOW)
    await hide(conn, "points")
    await publish_guarded(conn)


async def test_an_import_template_names_what_its_columns_mean(conn: Connection) -> None:
    await publish_fields(conn, field("tier"), field("other"))
    options = ImportOptions(expected_columns=("email", "Tier"))
    await create_template(
        conn, SYSTEM, ImportTemplateDraft(name="a", label="A", match_key=MatchKey.EMAIL, options=options), NOW
    )
    await hide(conn, "tier")
    assert await why_not(conn) == "the import template 'a' (tier)"
    await hide(conn, "other")
    await publish_guarded(conn)


async def test_choices_links_datasets_and_fields_of_deliveries_stay_too(conn: Connection) -> None:
    choices = (Choice(name="gold", label="Gold"), Choice(name="silver", label="Silver"))
    tier = field("tier", FieldKind.ENUMERATION, choices=choices)
    await save(conn, tier)
    await save(conn, field("budget", FieldKind.DECIMAL), "delivery")
    await save(conn, field("theme"), "campaign")
    await dataset(conn, "store", field("city"), field("spare"))
    await point(conn, link("shop", "store"), "profile")
    await publish_draft(conn)
    text = "{{ profile.tier }}{{ profile.shop.city }}{{ delivery.budget }}{{ campaign.theme }}"
    content = await create_content(conn, SYSTEM, REGISTRY, draft("all", text))

    await save_field(conn, SYSTEM, "profile", field("tier", FieldKind.ENUMERATION, choices=choices[:1]), now=NOW)
    assert await why_not(conn) == "the content 'all' (tier)"
    await remove_link(conn, SYSTEM, "profile", "shop", now=NOW)
    assert await why_not(conn) == "the content 'all' (shop)"
    for entity, name in (("store", "city"), ("delivery", "budget"), ("campaign", "theme")):
        await hide(conn, name, entity)
        assert await why_not(conn) == f"the content 'all' ({entity}.{name})"
    await remove_link(conn, SYSTEM, "profile", "shop", now=NOW)
    await remove_dataset(conn, SYSTEM, "store", now=NOW)
    assert "the content 'all'" in await why_not(conn)
    await hide(conn, "spare", "store")
    await publish_guarded(conn)

    await update_content(conn, SYSTEM, REGISTRY, content.id, {"parts": {"text": "nothing"}})
    await hide(conn, "tier")
    await publish_guarded(conn)
    with pytest.raises(Invalid, match="no profile field 'tier'"):
        await create_content(conn, SYSTEM, REGISTRY, draft("late", "{{ profile.tier }}"))


async def test_a_type_of_events_stays_while_a_condition_asks_about_it(conn: Connection) -> None:
    await events.save(conn)
    variant = DynamicVariant(label="x", condition="exists(event_purchase where amount > 3)", html="rich")
    await create_content(conn, SYSTEM, REGISTRY, draft("rich", dynamic=(DynamicContent(name="hero", variants=(variant,)),)))
    assert await find_contents_without_events(conn, "purchase") == []
    await events.save(conn, "purchase", events.PRODUCT)
    (user,) = await find_contents_without_events(conn, "purchase")
    assert (user.kind, user.name, user.reads) == ("content", "rich", ("event_purchase.amount",))
    await remove_event_type(conn, SYSTEM, "purchase", confirm="purchase")
    (user,) = await find_contents_without_events(conn, "purchase")
    assert "event_purchase.*" in user.reads


async def test_who_saves_and_who_publishes_at_the_same_moment_wait_for_each_other(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as two:
        await publish_fields(one, field("tier"))
        await hide(one, "tier")

        # Given a content that is saved and not yet committed
        saving = one.transaction()
        await saving.start()
        await create_content(one, SYSTEM, REGISTRY, draft("first", "{{ profile.tier }}"))
        publishing = asyncio.create_task(why_not_in_a_transaction(two))
        await asyncio.sleep(0.3)
        assert not publishing.done()
        await saving.commit()
        assert await publishing == "the content 'first' (tier)"

        # And a publication that is not yet committed
        await one.execute("DELETE FROM content")
        await hide(one, "tier")
        hiding = one.transaction()
        await hiding.start()
        await publish_guarded(one)
        late = asyncio.create_task(create_content(two, SYSTEM, REGISTRY, draft("late", "{{ profile.tier }}")))
        await asyncio.sleep(0.3)
        assert not late.done()
        await hiding.commit()
        with pytest.raises(Invalid, match="no profile field 'tier'"):
            await late


async def why_not_in_a_transaction(conn: Connection) -> str:
    async with conn.transaction():
        return await why_not(conn)
