"""Campaigns: two dates and the deliveries between them."""

from __future__ import annotations

from datetime import date

import pytest

from core import audit
from core.access import Actor, Permission
from core.db import Connection
from core.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from core.planning import campaigns
from core.planning.deliveries import create_delivery
from core.planning.records import Campaign, CampaignDraft, DeliveryDraft
from tests.core.authors import a_content, an_account, an_audience


async def a_campaign(conn: Connection, actor: Actor, name: str = "spring") -> Campaign:
    return await campaigns.create_campaign(conn, actor, CampaignDraft(name=name, label="Spring"))


async def test_a_campaign_is_made_changed_and_deleted_with_a_trace(conn: Connection, actor: Actor) -> None:
    campaign = await a_campaign(conn, actor)
    assert (campaign.version, campaign.created_by) == (1, "system")
    changed = await campaigns.update_campaign(
        conn,
        actor,
        campaign.id,
        {"starts_on": date(2030, 3, 1), "ends_on": date(2030, 3, 31)},
        expected_version=1,
    )
    assert (changed.version, changed.starts_on, changed.label) == (2, date(2030, 3, 1), "Spring")
    assert await campaigns.update_campaign(conn, actor, campaign.id, {"label": "Spring"}) == changed
    await campaigns.delete_campaign(conn, actor, campaign.id)
    assert await campaigns.find_campaign(conn, campaign.id) is None
    told = await audit.list_entries(conn, object_type="campaign", object_ids=[str(campaign.id)], before_id=None, limit=10)
    assert [entry.action for entry in told] == ["campaign.delete", "campaign.update", "campaign.create"]
    assert told[1].changes["starts_on"] == {"from": None, "to": "2030-03-01"}


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"name": "Spring Sale"}, "BAD_NAME", "name"),
        ({"name": ""}, "BAD_NAME", "name"),
        ({"name": "x" * 65}, "BAD_NAME", "name"),
        ({"label": " "}, "BAD_LABEL", "label"),
        ({"label": "a\0b"}, "BAD_LABEL", "label"),
        ({"label": "x" * 201}, "BAD_LABEL", "label"),
        ({"label": None}, "REQUIRED", "label"),
        ({"lable": "x"}, "UNKNOWN_FIELD", "lable"),
        ({"starts_on": date(2030, 2, 1), "ends_on": date(2030, 1, 1)}, "BAD_DATES", "ends_on"),
    ],
)
async def test_a_wrong_change_is_located(
    conn: Connection, actor: Actor, changes: dict[str, object], code: str, path: str
) -> None:
    campaign = await a_campaign(conn, actor)
    with pytest.raises(Invalid) as caught:
        await campaigns.update_campaign(conn, actor, campaign.id, changes)
    assert (caught.value.code, caught.value.path) == (code, path)
    assert await campaigns.get_campaign(conn, campaign.id) == campaign


async def test_a_bad_name_comes_with_a_good_one(conn: Connection, actor: Actor) -> None:
    with pytest.raises(Invalid) as caught:
        await a_campaign(conn, actor, "Spring Sale!")
    assert caught.value.hint == "For example 'spring-sale'."


async def test_names_are_unique(conn: Connection, actor: Actor) -> None:
    await a_campaign(conn, actor, "one")
    two = await a_campaign(conn, actor, "two")
    with pytest.raises(Conflict, match="'one' is that of another"):
        await a_campaign(conn, actor, "one")
    with pytest.raises(Conflict, match="'one' is that of another"):
        await campaigns.update_campaign(conn, actor, two.id, {"name": "one"})


async def test_stale_missing_and_forbidden(conn: Connection, actor: Actor) -> None:
    campaign = await a_campaign(conn, actor)
    with pytest.raises(Stale) as stale:
        await campaigns.update_campaign(conn, actor, campaign.id, {"label": "x"}, expected_version=7)
    assert (stale.value.code, stale.value.path) == ("VERSION_CHANGED", "expected_version")
    with pytest.raises(NotFound) as missing:
        await campaigns.update_campaign(conn, actor, 0, {"label": "x"})
    assert missing.value.code == "CAMPAIGN_NOT_FOUND"
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ}))
    for attempt in (
        a_campaign(conn, reader, "x"),
        campaigns.update_campaign(conn, reader, campaign.id, {"label": "x"}),
        campaigns.delete_campaign(conn, reader, campaign.id),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_a_campaign_with_deliveries_stays(conn: Connection, actor: Actor) -> None:
    campaign = await a_campaign(conn, actor)
    account, audience = await an_account(conn, actor), await an_audience(conn, actor)
    content = await a_content(conn, actor)
    for number in range(7):
        draft = DeliveryDraft(
            name=f"d{number}", label="D", channel_account_id=account.id, audience_id=audience.id,
            content_id=content.id, campaign_id=campaign.id,
        )  # fmt: skip
        await create_delivery(conn, actor, draft)
    with pytest.raises(Conflict) as caught:
        await campaigns.delete_campaign(conn, actor, campaign.id)
    assert "'d0', 'd1', 'd2', 'd3', 'd4' and others" in caught.value.message


async def test_campaigns_are_listed_in_pages(conn: Connection, actor: Actor) -> None:
    made = [await a_campaign(conn, actor, f"c{number}") for number in range(3)]
    page = await campaigns.list_campaigns(conn, PageRequest(first=2, after=made[0].id))
    assert ([one.name for one in page.rows], page.has_next) == (["c1", "c2"], False)
    assert await campaigns.count_campaigns(conn) == 3
    assert await campaigns.find_campaign_by_name(conn, "c2") == made[2]
    assert len(await campaigns.find_campaigns(conn, [made[0].id, made[1].id, 0])) == 2
