"""A delivery between preparation and its end: people who leave, dates, pauses, stops, changes of mind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.cli.sink import Behaviour, Sink
from tests.flows.client import Client, Refused
from tests.flows.conftest import Place
from tests.flows.journey import (
    PARTS,
    ask_for,
    create_account,
    create_content,
    create_delivery,
    explain,
    find_profile,
    prepare,
    reach,
    report_of,
    send,
    status_of,
    visit_all,
)
from tests.flows.people import address, settle_in
from tests.flows.post import Letter, provider, read_letters, recipients


async def plan(place: Place, audience: str, **more: Any) -> str:
    """A delivery to an audience over the sink."""
    client = place.client
    account = await create_account(client, place.sink_port)
    content = await create_content(client)
    return await create_delivery(client, audience=audience, account=account, content=content, **more)


def letters_to(place: Place, domain: str) -> list[Letter]:
    """What arrived for a story's people."""
    return [letter for letter in read_letters(place.mail) if letter.recipient.endswith(f"@{domain}")]


async def test_who_leaves_after_the_preparation_is_not_written_to(place: Place) -> None:
    client = place.client
    domain, audience = await settle_in(client, 60)

    # Given a first delivery, and a second one that is prepared for everybody
    await send(client, await plan(place, audience))
    first = {letter.recipient: letter for letter in letters_to(place, domain)}
    assert len(first) == 60
    second = await plan(place, audience)
    assert (await prepare(client, second))["counts"]["pending"] == 60

    # When some unsubscribe by the first, one is quarantined, and one deleted
    leavers = [address(domain, number) for number in range(5)]
    await visit_all(client, [("POST", first[leaver].unsubscribe, 200) for leaver in leavers])
    await client.do(
        "mutation ($input: QuarantineInput!) { quarantineAddresses(input: $input) { userErrors { code message path } } }",
        input={"addresses": [address(domain, 5)]},
    )
    gone = (await find_profile(client, address(domain, 6)))["id"]
    await client.do("mutation ($id: ID!) { deleteProfile(id: $id) { userErrors { code message path } } }", id=gone)

    # Then the second reaches all others, and tells of each of them why not
    await ask_for(client, "confirm", second)
    done = await reach(client, second, "FINISHED")
    assert (done["counts"]["accepted"], done["counts"]["withdrawn"]) == (53, 7)
    arrived = [letter.recipient for letter in letters_to(place, domain)][60:]
    assert sorted(arrived) == sorted(address(domain, number) for number in range(7, 60))
    report = await report_of(client, second)
    assert {row["reason"]: row["count"] for row in report["withdrawn"]} == {
        "DENYLISTED_ADDRESS": 5,
        "QUARANTINED_ADDRESS": 1,
        "PROFILE_DELETED": 1,
    }
    why = await explain(client, second, (await find_profile(client, leavers[0]))["id"])
    assert (why["row"]["state"], why["row"]["reason"]) == ("WITHDRAWN", "DENYLISTED_ADDRESS")

    # And a third leaves them out from the start
    third = await plan(place, audience)
    counts = (await prepare(client, third))["counts"]
    assert (counts["targeted"], counts["excluded"], counts["pending"]) == (59, 6, 53)


async def test_a_contact_date_starts_it_by_itself(place: Place) -> None:
    client = place.client
    domain, audience = await settle_in(client, 10)
    contact_at = datetime.now(UTC) + timedelta(seconds=2.5)
    delivery = await plan(place, audience, contact_at=contact_at)

    await prepare(client, delivery)
    await ask_for(client, "confirm", delivery)
    assert (await status_of(client, delivery))["state"] == "START_PENDING"
    while True:
        early = letters_to(place, domain)
        if datetime.now(UTC) >= contact_at:
            break  # what was read may have come in time
        assert not early
        await asyncio.sleep(0.2)

    done = await reach(client, delivery, "FINISHED")
    assert done["counts"]["accepted"] == 10
    assert len(letters_to(place, domain)) == 10


async def test_what_changed_since_the_preparation_is_not_sent(place: Place) -> None:
    client = place.client
    domain, audience = await settle_in(client, 10)
    content = await create_content(client)
    account = await create_account(client, place.sink_port)
    delivery = await create_delivery(client, audience=audience, account=account, content=content)

    # Confirmed before it is prepared: refused
    with pytest.raises(Refused) as early:
        await ask_for(client, "confirm", delivery)
    assert early.value.codes == ["ILLEGAL_MOVE"]

    # Changed after it was prepared: refused, until it is prepared again
    await prepare(client, delivery)
    await client.do(
        "mutation ($input: UpdateContentInput!) { updateContent(input: $input) { userErrors { code message path } } }",
        input={"id": content, "parts": [{"name": "subject", "source": "Second thoughts, {{ profile.first_name }}"}]},
    )
    with pytest.raises(Refused) as stale:
        await ask_for(client, "confirm", delivery)
    assert stale.value.codes == ["STALE_PREPARATION"]
    assert not letters_to(place, domain)

    await send(client, delivery)
    assert {letter.subject.split(",")[0] for letter in letters_to(place, domain)} == {"Second thoughts"}

    # Ended: nothing more may be asked of it
    for move in ("prepare", "confirm", "pause", "resume", "stop"):
        with pytest.raises(Refused) as late:
            await ask_for(client, move, delivery)
        assert late.value.codes == ["ILLEGAL_MOVE"]


@asynccontextmanager
async def slow_delivery(place: Place, folder: Path, people: int) -> AsyncIterator[tuple[str, str, Sink]]:
    """A delivery under way to a server that takes its time: (domain, delivery, server)."""
    client = place.client
    domain, audience = await settle_in(client, people)
    async with provider(folder, Behaviour(delay=0.05)) as server:
        account = await create_account(client, server.port, connections=2)
        content = await create_content(client, {**PARTS, "subject": "Slowly"})
        delivery = await create_delivery(client, audience=audience, account=account, content=content)
        await prepare(client, delivery)
        await ask_for(client, "confirm", delivery)
        yield domain, delivery, server


async def some_accepted(client: Client, delivery: str, least: int) -> None:
    """Wait until a part is out."""
    async with asyncio.timeout(20):
        while True:
            if (await status_of(client, delivery))["counts"]["accepted"] >= least:
                return
            await asyncio.sleep(0.05)


async def nothing_pending(client: Client, delivery: str) -> dict[str, int]:
    """The counts once every recipient has an outcome."""
    async with asyncio.timeout(20):
        while True:
            counts: dict[str, int] = (await status_of(client, delivery))["counts"]
            if counts["pending"] == 0:
                return counts
            await asyncio.sleep(0.1)


async def test_a_paused_delivery_rests_and_goes_on_where_it_was(place: Place, tmp_path: Path) -> None:
    client = place.client
    async with slow_delivery(place, tmp_path, 100) as (_, delivery, server):
        await some_accepted(client, delivery, 10)
        await ask_for(client, "pause", delivery)

        # What is under way still gets its outcome, then all is quiet
        await asyncio.sleep(1)
        resting = await status_of(client, delivery)
        assert resting["state"] == "PAUSED"
        assert 0 < resting["counts"]["pending"] < 100
        assert resting["counts"]["accepted"] == server.accepted
        await asyncio.sleep(1)
        assert (await status_of(client, delivery))["counts"] == resting["counts"]

        await ask_for(client, "resume", delivery)
        assert (await reach(client, delivery, "FINISHED"))["counts"]["accepted"] == 100
    assert len(recipients(tmp_path)) == len(set(recipients(tmp_path))) == 100


async def test_a_stopped_delivery_ends_with_what_was_sent(place: Place, tmp_path: Path) -> None:
    client = place.client
    async with slow_delivery(place, tmp_path, 100) as (_, delivery, server):
        await some_accepted(client, delivery, 10)
        await ask_for(client, "stop", delivery)
        await reach(client, delivery, "CANCELLED")
        counts = await nothing_pending(client, delivery)
        assert 0 < counts["accepted"] < 100
        assert counts["accepted"] + counts["cancelled"] == 100
        assert server.accepted == counts["accepted"]
        with pytest.raises(Refused) as late:
            await ask_for(client, "resume", delivery)
        assert late.value.codes == ["ILLEGAL_MOVE"]
