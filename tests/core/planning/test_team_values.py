"""Campaigns and deliveries have values of the team's fields: checked, versioned, audited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.access import Actor
from core.audit import list_entries
from core.datamodel.records import Choice, FieldKind
from core.db import Connection
from core.errors import Conflict, Stale
from core.planning.campaigns import create_campaign, update_campaign
from core.planning.deliveries import create_delivery, update_delivery
from core.planning.records import CampaignDraft, Delivery, DeliveryDraft
from core.profiles.errors import FieldsInvalid
from core.profiles.team_rows import Extended, get_team_values
from tests.core.authors import a_content, an_account, an_audience
from tests.core.datamodel.model import field, publish_draft, save, unique

THEMES = (Choice(name="spring", label="Spring sale"), Choice(name="autumn", label="Autumn"))
NOTHING = {"budget": None, "theme": None, "review_on": None, "spot": None}


async def publish_all(conn: Connection) -> None:
    for entity in ("campaign", "delivery"):
        await save(conn, field("budget", FieldKind.DECIMAL), entity)
        await save(conn, field("theme", FieldKind.ENUMERATION, choices=THEMES), entity)
        await save(conn, field("review_on", FieldKind.DATE), entity)
        await save(conn, field("spot", FieldKind.POINT), entity)
        await save(conn, field("card", FieldKind.AUTOMATIC_ID), entity)
    await publish_draft(conn)


async def a_delivery(conn: Connection, actor: Actor, name: str = "news", team: Mapping[str, Any] | None = None) -> Delivery:
    draft = DeliveryDraft(
        name=name, label="News",
        channel_account_id=(await an_account(conn, actor, f"{name}-account")).id,
        audience_id=(await an_audience(conn, actor, f"{name}-people")).id,
        content_id=(await a_content(conn, actor, f"{name}-content")).id,
    )  # fmt: skip
    return await create_delivery(conn, actor, draft, team or {})


async def values(conn: Connection, of: Extended, key: int) -> dict[str, Any]:
    found = (await get_team_values(conn, of, [key]))[key]
    return {name: value for name, value in found.items() if name != "card"}


async def test_they_are_set_changed_cleared_and_each_change_is_a_version(conn: Connection, actor: Actor) -> None:
    await publish_all(conn)
    made = await create_campaign(conn, actor, CampaignDraft(name="c", label="C"), {"budget": "100.50", "theme": "SPRING SALE"})
    assert await values(conn, Extended.CAMPAIGN, made.id) == {**NOTHING, "budget": Decimal("100.50"), "theme": "spring"}

    same = await update_campaign(conn, actor, made.id, {}, {"budget": 100.5, "theme": "spring"})
    assert same == made
    changed = await update_campaign(conn, actor, made.id, {"label": "D"}, {"budget": None, "review_on": "2026-05-01"})

    assert (changed.version, changed.label) == (2, "D")
    assert await values(conn, Extended.CAMPAIGN, made.id) == {**NOTHING, "theme": "spring", "review_on": date(2026, 5, 1)}
    entries = await list_entries(conn, object_type="campaign", object_ids=[str(made.id)], before_id=None, limit=5)
    assert [one.changes["team_fields"] for one in entries] == [["budget", "review_on"], ["budget", "theme"]]
    with pytest.raises(Stale):
        await update_campaign(conn, actor, made.id, {}, {"budget": 1}, expected_version=1)


async def test_deliveries_have_them_too(conn: Connection, actor: Actor) -> None:
    await publish_all(conn)
    made = await a_delivery(conn, actor, team={"theme": "autumn"})
    assert await values(conn, Extended.DELIVERY, made.id) == {**NOTHING, "theme": "autumn"}
    assert (await update_delivery(conn, actor, made.id, {}, {"theme": "autumn"})).version == made.version
    assert (await update_delivery(conn, actor, made.id, {}, {"theme": None})).version == made.version + 1
    (entry, *_) = await list_entries(conn, object_type="delivery", object_ids=[str(made.id)], before_id=None, limit=5)
    assert entry.changes == {"team_fields": ["theme"]}


async def test_what_is_wrong_is_told_at_once_and_nothing_is_kept(conn: Connection, actor: Actor) -> None:
    await publish_all(conn)
    wrong = {"budget": "much", "theme": "winter", "spot": [1, 2], "card": "x", "bugdet": 1, "label": "x"}
    with pytest.raises(FieldsInvalid) as caught:
        await create_campaign(conn, actor, CampaignDraft(name="c", label="C"), wrong)
    assert [(one.code, one.path) for one in caught.value.problems] == [
        ("BAD_VALUE", "team_fields.budget"), ("BAD_VALUE", "team_fields.theme"), ("WRONG_TYPE", "team_fields.spot"),
        ("READ_ONLY_FIELD", "team_fields.card"), ("UNKNOWN_FIELD", "team_fields.bugdet"),
        ("UNKNOWN_FIELD", "team_fields.label"),
    ]  # fmt: skip
    assert caught.value.problems[4].hint == "Did you mean 'budget'?"
    assert await conn.fetchval("SELECT count(*) FROM campaign") == 0


async def test_keys_of_the_team_hold(conn: Connection, actor: Actor) -> None:
    await save(conn, field("code"), "campaign")
    await unique(conn, "by_code", "code", entity="campaign")
    await publish_draft(conn)
    (index,) = [row["object"] for row in await conn.fetch("SELECT object FROM data_model_build")]
    await conn.execute(f"CREATE UNIQUE INDEX {index} ON campaign (x_code)")  # as the job does, once this is committed
    await create_campaign(conn, actor, CampaignDraft(name="a", label="A"), {"code": "1"})
    other = await create_campaign(conn, actor, CampaignDraft(name="b", label="B"))
    with pytest.raises(Conflict) as caught:
        await update_campaign(conn, actor, other.id, {"label": "C"}, {"code": "1"})
    assert (caught.value.code, caught.value.path) == ("VALUE_TAKEN", "team_fields.code")
    with pytest.raises(Conflict) as taken:
        await update_campaign(conn, actor, other.id, {"name": "a"}, {"code": "2"})
    assert taken.value.code == "NAME_TAKEN"
    assert await values(conn, Extended.CAMPAIGN, other.id) == {"code": None}
