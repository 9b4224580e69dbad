"""Deliveries as authored: everything they refer to exists and fits together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from core import audit
from core.access import Actor, Permission
from core.content.contents import delete_content
from core.db import Connection, Pool, transaction
from core.errors import ClarionError, Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from core.planning import deliveries
from core.planning.campaigns import create_campaign
from core.planning.records import CampaignDraft, Delivery, DeliveryDraft, UnknownPolicy
from core.planning.uses import check_unused, list_uses
from tests.core.authors import a_content, an_account, an_audience


@pytest_asyncio.fixture
async def draft(conn: Connection, actor: Actor) -> AsyncIterator[DeliveryDraft]:
    """A delivery that could be made."""
    yield await a_draft(conn, actor)


async def a_draft(conn: Connection, actor: Actor) -> DeliveryDraft:
    account, audience = await an_account(conn, actor), await an_audience(conn, actor)
    content = await a_content(conn, actor)
    return DeliveryDraft(
        name="spring",
        label="Spring",
        channel_account_id=account.id,
        audience_id=audience.id,
        content_id=content.id,
    )


async def test_a_delivery_has_the_documented_defaults(conn: Connection, actor: Actor, draft: DeliveryDraft) -> None:
    delivery = await deliveries.create_delivery(conn, actor, draft)
    assert delivery.duration == timedelta(days=3, hours=12)
    assert delivery.unknown_policy is UnknownPolicy.PARK
    assert (delivery.contact_at, delivery.campaign_id, delivery.version) == (None, None, 1)
    assert await deliveries.get_delivery(conn, delivery.id) == delivery


async def test_every_change_is_a_version_with_a_trace(conn: Connection, actor: Actor, draft: DeliveryDraft) -> None:
    campaign = await create_campaign(conn, actor, CampaignDraft(name="c", label="C"))
    delivery = await deliveries.create_delivery(conn, actor, draft)
    at = datetime(2030, 1, 1, 9, tzinfo=UTC)
    changes: list[dict[str, Any]] = [
        {"contact_at": at},
        {"duration": timedelta(hours=1)},
        {"unknown_policy": UnknownPolicy.RESEND},
        {"campaign_id": campaign.id, "label": "Summer"},
        {"campaign_id": None},
    ]
    for number, change in enumerate(changes, 2):
        delivery = await deliveries.update_delivery(conn, actor, delivery.id, change)
        assert delivery.version == number
    assert (delivery.contact_at, delivery.label, delivery.campaign_id) == (at, "Summer", None)
    assert await deliveries.update_delivery(conn, actor, delivery.id, {"label": "Summer"}) == delivery
    entries = await audit.list_entries(conn, object_type="delivery", object_ids=[str(delivery.id)], before_id=None, limit=20)
    assert [entry.action for entry in entries] == ["delivery.update"] * 5 + ["delivery.create"]
    assert entries[2].changes == {"unknown_policy": {"from": "park", "to": "resend"}}


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("channel_account_id", "CHANNEL_ACCOUNT_NOT_FOUND"),
        ("audience_id", None),
        ("content_id", "CONTENT_NOT_FOUND"),
        ("campaign_id", "CAMPAIGN_NOT_FOUND"),
    ],
)
async def test_what_does_not_exist_is_located(
    conn: Connection, actor: Actor, draft: DeliveryDraft, field: str, code: str | None
) -> None:
    change: dict[str, Any] = {field: 0}
    with pytest.raises(NotFound) as caught:
        await deliveries.create_delivery(conn, actor, replace(draft, **change))
    assert caught.value.path == field
    assert code in (None, caught.value.code)


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"duration": timedelta(seconds=1)}, "BAD_DURATION", "duration"),
        ({"duration": timedelta(days=31)}, "BAD_DURATION", "duration"),
        ({"contact_at": datetime(2030, 1, 1)}, "BAD_CONTACT_DATE", "contact_at"),
        ({"name": "Bad Name"}, "BAD_NAME", "name"),
        ({"label": ""}, "BAD_LABEL", "label"),
    ],
)
async def test_wrong_values_are_located(
    conn: Connection, actor: Actor, draft: DeliveryDraft, change: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await deliveries.create_delivery(conn, actor, replace(draft, **change))
    assert (caught.value.code, caught.value.path) == (code, path)


async def test_content_and_account_are_of_one_channel(conn: Connection, actor: Actor, draft: DeliveryDraft) -> None:
    await conn.execute("UPDATE content SET channel = 'sms' WHERE id = $1", draft.content_id)
    with pytest.raises(Invalid) as caught:
        await deliveries.create_delivery(conn, actor, draft)
    assert (caught.value.code, caught.value.path) == ("CHANNEL_MISMATCH", "content_id")


async def test_names_versions_and_permissions(conn: Connection, actor: Actor, draft: DeliveryDraft) -> None:
    one = await deliveries.create_delivery(conn, actor, draft)
    two = await deliveries.create_delivery(conn, actor, replace(draft, name="two"))
    with pytest.raises(Conflict, match="'spring' is that of another"):
        await deliveries.create_delivery(conn, actor, draft)
    with pytest.raises(Conflict, match="'spring' is that of another"):
        await deliveries.update_delivery(conn, actor, two.id, {"name": "spring"})
    with pytest.raises(Stale):
        await deliveries.update_delivery(conn, actor, one.id, {"label": "x"}, expected_version=2)
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ}))
    for attempt in (
        deliveries.create_delivery(conn, reader, draft),
        deliveries.update_delivery(conn, reader, one.id, {"label": "x"}),
        deliveries.delete_delivery(conn, reader, one.id),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_a_deleted_delivery_is_gone(conn: Connection, actor: Actor, draft: DeliveryDraft) -> None:
    delivery = await deliveries.create_delivery(conn, actor, draft)
    await deliveries.delete_delivery(conn, actor, delivery.id)
    with pytest.raises(NotFound) as caught:
        await deliveries.lock_delivery(conn, delivery.id)
    assert caught.value.code == "DELIVERY_NOT_FOUND"
    assert await deliveries.find_delivery(conn, delivery.id) is None


async def test_what_a_delivery_uses_cannot_be_deleted(conn: Connection, actor: Actor, draft: DeliveryDraft) -> None:
    delivery = await deliveries.create_delivery(conn, actor, draft)
    with pytest.raises(Conflict, match="the content is used by the deliveries 'spring'"):
        await check_unused(conn, content_id=draft.content_id)
    with pytest.raises(Conflict, match="the audience is used by the deliveries 'spring'"):
        await check_unused(conn, audience_id=draft.audience_id)
    with pytest.raises(Conflict) as caught:
        await delete_content(conn, actor, draft.content_id)
    assert caught.value.code == "IN_USE"
    (use,) = await list_uses(conn, content_id=draft.content_id)
    assert (use.delivery_id, use.name) == (delivery.id, "spring")
    await deliveries.delete_delivery(conn, actor, delivery.id)
    await check_unused(conn, content_id=draft.content_id, audience_id=draft.audience_id)
    await delete_content(conn, actor, draft.content_id)


async def test_deliveries_are_listed_by_campaign(conn: Connection, actor: Actor, draft: DeliveryDraft) -> None:
    campaign = await create_campaign(conn, actor, CampaignDraft(name="c", label="C"))
    made: list[Delivery] = []
    for number in range(4):
        belongs = campaign.id if number % 2 else None
        one = replace(draft, name=f"d{number}", campaign_id=belongs)
        made.append(await deliveries.create_delivery(conn, actor, one))
    page = await deliveries.list_deliveries(conn, PageRequest(first=1), campaign_id=campaign.id)
    assert ([one.name for one in page.rows], page.has_next) == (["d1"], True)
    rest = await deliveries.list_deliveries(conn, PageRequest(first=5, after=made[1].id), campaign_id=campaign.id)
    assert ([one.name for one in rest.rows], rest.has_next) == (["d3"], False)
    everything = await deliveries.list_deliveries(conn, PageRequest(first=50))
    assert [one.name for one in everything.rows] == ["d0", "d1", "d2", "d3"]
    assert await deliveries.count_deliveries(conn) == 4
    assert await deliveries.count_deliveries(conn, campaign_id=campaign.id) == 2
    assert await deliveries.find_delivery_by_name(conn, "d2") == made[2]
    assert len(await deliveries.find_deliveries(conn, [one.id for one in made[:3]])) == 3


async def test_two_changes_at_once_follow_each_other(pool: Pool, actor: Actor) -> None:
    # Given a delivery at version 1
    async with transaction(pool) as conn:
        delivery = await deliveries.create_delivery(conn, actor, await a_draft(conn, actor))

    async def change(label: str) -> Delivery | ClarionError:
        try:
            async with transaction(pool) as conn:
                return await deliveries.update_delivery(conn, actor, delivery.id, {"label": label}, expected_version=1)
        except ClarionError as error:
            return error

    # When two people who both read version 1 change it
    results = await asyncio.gather(change("mine"), change("yours"))

    # Then one succeeds and the other is told
    winners = [one for one in results if isinstance(one, Delivery)]
    assert [one.version for one in winners] == [2]
    assert sum(isinstance(one, Stale) for one in results) == 1
