"""What the unsubscribe link of a delivery ends that names a service or a purpose, over ASGI on real parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.http.tracking import PublicPages
from core.access import SYSTEM
from core.consent import ledger
from core.consent.records import ConsentEntry, Decision
from core.db import Pool
from core.paging import PageRequest
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.profiles.records import Channel
from core.tracking.stream import read
from tests.api.http.test_tracking import client_of, opted_out
from tests.core.consent.made import a_purpose, a_service, join
from tests.core.tracking.campaign import BASE_URL, Campaign, add_profile, prepared_campaign

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
EVERYTHING = {"scope": "channel"}


@pytest_asyncio.fixture
async def anna(pool: Pool) -> int:
    """Somebody."""
    async with pool.acquire() as conn:
        return await add_profile(conn, "Anna")


@pytest_asyncio.fixture
async def campaign(pool: Pool, database_url: str, tmp_path: Path, anna: int) -> AsyncIterator[Campaign]:
    """The spring delivery."""
    async with prepared_campaign(pool, database_url, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def client(campaign: Campaign) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on the public pages."""
    pages = PublicPages(campaign.runtime)
    await pages.start()
    async with client_of(pages) as opened:
        yield opened
    await pages.stop()


async def name(pool: Pool, campaign: Campaign, **named: int) -> None:
    """Let the delivery be for the subscribers of a service, or for a purpose."""
    for column, one in named.items():
        await pool.execute(f"UPDATE delivery SET {column} = $2 WHERE id = $1", campaign.delivery_id, one)


async def weekly(pool: Pool, campaign: Campaign, *people: int, **more: Any) -> int:
    """The service of the delivery, with subscribers."""
    async with pool.acquire() as conn, conn.transaction():
        service = await a_service(conn, public_label="News & more", **more)
        await join(conn, service, *people, now=YESTERDAY)
    await name(pool, campaign, service_id=service)
    return service


async def states(pool: Pool, service: int) -> dict[int, str]:
    """How everybody's subscription stands."""
    return dict(await pool.fetch("SELECT profile_id, state FROM subscription WHERE service_id = $1", service))


async def newest(pool: Pool, profile_id: int) -> ConsentEntry:
    """The last word of somebody."""
    async with pool.acquire() as conn:
        return (await ledger.list_entries(conn, profile_id, PageRequest(first=1))).rows[0]


async def test_the_page_names_the_service_and_offers_the_channel_as_a_second_choice(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    service = await weekly(pool, campaign, anna)
    path = (await campaign.paths(anna)).unsubscribe
    # Given a reader who opens the page: nothing has changed yet
    shown = await client.get(path)
    assert "for “News &amp; more”" in shown.text
    assert shown.text.index(">Unsubscribe<") < shown.text.index(">Stop all messages by email<")
    assert await states(pool, service) == {anna: "active"}
    # When the first button is pressed
    done = await client.post(path, data={"confirm": "yes"})
    # Then that subscription is over, other email goes on, and the ledger says by what
    assert "for “News &amp; more”" in done.text
    assert await states(pool, service) == {anna: "unsubscribed"}
    assert not await opted_out(pool, anna)
    told = await newest(pool, anna)
    assert (told.service_id, told.decision, told.origin, told.actor, told.by_person) == (
        service, Decision.WITHDRAWN, "unsubscribe link", "recipient", True,
    )  # fmt: skip
    assert told.proof == {"delivery_id": campaign.delivery_id, "user_agent": client.headers["user-agent"]}
    # And the second button, which the answer has too, stops everything by email
    assert '<input type="hidden" name="scope" value="channel">' in done.text
    all_done = await client.post(path, data=EVERYTHING)
    assert "no more messages by email" in all_done.text
    assert "<form" not in all_done.text
    assert await opted_out(pool, anna)
    assert (await newest(pool, anna)).channel is Channel.EMAIL
    audit = await pool.fetch("SELECT action, object_id FROM audit_entry WHERE actor = 'recipient' ORDER BY id")
    assert [tuple(one) for one in audit] == [("profile.leave_service", str(anna)), ("profile.opt_out", str(anna))]
    async with pool.acquire() as conn:
        assert len(await read(conn, 0, 100)) == 2


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "none"])
async def test_one_click_ends_the_subscription(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int, form: str
) -> None:
    service = await weekly(pool, campaign, anna)
    message = await campaign.message(anna)
    address = next(part for part in message["List-Unsubscribe"].strip("<>").split(">, <") if "/u/" in part)
    forms: dict[str, dict[str, Any]] = {
        "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
        "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
        "none": {},
    }
    assert (await client.post(address.removeprefix(BASE_URL), **forms[form])).status_code == 200
    assert await states(pool, service) == {anna: "unsubscribed"}
    assert not await opted_out(pool, anna)


async def test_a_purpose_is_withdrawn_where_the_delivery_names_one(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    """Whoever had said nothing, where silence is consent, refuses."""
    async with pool.acquire() as conn, conn.transaction():
        purpose = await a_purpose(conn, needs_consent=False)
    await name(pool, campaign, purpose_id=purpose)
    path = (await campaign.paths(anna)).unsubscribe
    assert "for “Profiling”" in (await client.get(path)).text
    await client.post(path, data={"confirm": "yes"})
    told = await newest(pool, anna)
    assert (told.purpose_id, told.decision, told.origin) == (purpose, Decision.REFUSED, "unsubscribe link")
    assert told.proof is not None
    assert told.proof["delivery_id"] == campaign.delivery_id
    assert not await opted_out(pool, anna)
    assert await pool.fetchval("SELECT action FROM audit_entry WHERE actor = 'recipient'") == "profile.withdraw_purpose"


async def test_of_a_service_and_a_purpose_it_is_the_service_that_is_left(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    service = await weekly(pool, campaign, anna)
    async with pool.acquire() as conn, conn.transaction():
        purpose = await a_purpose(conn)
    await name(pool, campaign, purpose_id=purpose)
    await client.post((await campaign.paths(anna)).unsubscribe)
    assert await states(pool, service) == {anna: "unsubscribed"}
    assert await pool.fetchval("SELECT count(*) FROM purpose_consent") == 0


async def test_it_holds_for_all_profiles_that_are_one_person(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    # Given Anna, who is subscribed under a profile that was merged into hers
    async with pool.acquire() as conn:
        double = await add_profile(conn, "Ann")
    service = await weekly(pool, campaign, double)
    async with pool.acquire() as conn, conn.transaction():
        await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=anna, other_ids=(double,)), now=YESTERDAY)
    await client.post((await campaign.paths(anna)).unsubscribe)
    assert await states(pool, service) == {double: "unsubscribed"}


async def test_without_service_or_purpose_there_is_one_choice_alone(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    path = (await campaign.paths(anna)).unsubscribe
    assert (await client.get(path)).text.count("<form") == 1
    await client.post(path)
    assert await opted_out(pool, anna)
