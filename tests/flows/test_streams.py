"""The stream of events while other transactions are open: nothing is hidden, nothing waits, nothing comes twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from core.db import Connection
from tests.flows.client import Client
from tests.flows.conftest import Place
from tests.flows.house import house
from tests.flows.journey import (
    Watcher,
    create_account,
    create_audience,
    create_content,
    create_delivery,
    import_people,
    make_csv,
    prepare,
    send,
    visit_all,
)
from tests.flows.people import COLUMNS, fresh_domain, make_people, settle_in
from tests.flows.post import Letter, read_letters, sink_process

SOON = 5.0  # seconds: far more than it takes, far less than the transactions stay open


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A house with two API processes, so that two writers take turns."""
    folder = tmp_path_factory.mktemp("house")
    mail = folder / "mail"
    async with (
        sink_process(mail) as port,
        house(folder, reconcile_seconds=0.5, worker_processes=1, api_processes=2) as made,
        Client(made.settings.base_url, made.token) as client,
    ):
        yield Place(house=made, client=client, sink_port=port, mail=mail)


async def sent(place: Place, people: int) -> tuple[str, list[Letter]]:
    """A delivery that arrived: its id and the mails."""
    client = place.client
    domain, audience = await settle_in(client, people)
    account = await create_account(client, place.sink_port)
    delivery = await create_delivery(client, audience=audience, account=account, content=await create_content(client))
    await send(client, delivery)
    letters = [letter for letter in read_letters(place.mail) if letter.recipient.endswith(f"@{domain}")]
    assert len(letters) == people
    return delivery, letters


@asynccontextmanager
async def open_transaction(place: Place, *statements: str, isolation: str = "read_committed") -> AsyncIterator[Connection]:
    """A transaction that did something and does not end before the block does."""
    conn = await place.house.connect()
    try:
        transaction = conn.transaction(isolation=isolation)
        await transaction.start()
        for statement in statements:
            await conn.execute(statement)
        yield conn
        await transaction.commit()
    finally:
        await conn.close()


WRITES = "INSERT INTO audit_entry (actor, action, object_type, object_id, changes) VALUES ('test', 'test', 'test', '1', '{}')"
HOLDS = (
    "SELECT FROM ledger FOR NO KEY UPDATE",
    "SELECT FROM delivery FOR NO KEY UPDATE",
    "SELECT FROM profile FOR KEY SHARE",
)


async def test_open_transactions_neither_hide_nor_delay_events(place: Place) -> None:
    delivery, letters = await sent(place, 80)
    live, second, late = (Watcher(place.client, delivery) for _ in range(3))
    async with AsyncExitStack() as stack:
        # Given transactions of every kind that began before the events and stay open: one that only looked, one that wrote,
        # one that holds the rows that events are about
        await stack.enter_async_context(
            open_transaction(place, "SELECT count(*) FROM tracking_event", isolation="repeatable_read")
        )
        await stack.enter_async_context(open_transaction(place, WRITES))
        await stack.enter_async_context(open_transaction(place, WRITES, *HOLDS))
        events = await stack.enter_async_context(live.listening())
        others = await stack.enter_async_context(second.listening())
        start = live.cursor

        # When people click over both processes, in the midst of transactions that come and go
        async with open_transaction(place, WRITES):
            await visit_all(place.client, [("GET", letter.links[0], 302) for letter in letters[:40]])
            await live.until(events, 40, SOON)
        await visit_all(place.client, [("GET", letter.links[1], 302) for letter in letters[40:]])

        # Then each event is seen while they are still open, by those who listened and by those who come later
        await live.until(events, 80, SOON)
        await second.until(others, 80, SOON)
        late.cursor = start
        async with late.listening() as catching_up:
            await late.until(catching_up, 80, SOON)

    # And their end brings nothing new, nothing old and nothing twice
    async with live.listening() as events, second.listening() as others:
        await visit_all(place.client, [("GET", letters[0].links[0], 302)])
        await live.until(events, 81, SOON)
        await second.until(others, 81, SOON)
    positions = [event["position"] for event in live.seen]
    assert positions == list(range(positions[0], positions[0] + 81))
    assert second.seen == live.seen
    assert late.seen == live.seen[:80]
    assert max(Counter(event["profileId"] for event in live.seen[:80]).values()) == 1


async def test_the_house_s_own_large_transactions_do_not_hide_events(place: Place) -> None:
    client = place.client
    delivery, letters = await sent(place, 60)
    watcher = Watcher(client, delivery)
    crowd = fresh_domain()
    other = await create_delivery(
        client,
        audience=await create_audience(client, f"email_domain = '{crowd}' or id > 0"),
        account=await create_account(client, place.sink_port),
        content=await create_content(client),
    )

    # When people click while others are imported and a delivery is prepared
    async with watcher.listening() as events:
        work = asyncio.gather(import_people(client, make_csv(make_people(crowd, 3000), COLUMNS)), prepare(client, other))
        for start in range(0, 60, 10):
            await visit_all(client, [("GET", letter.pixel, 200) for letter in letters[start : start + 10]])
            await watcher.until(events, start + 10, SOON)
        await work

    positions = [event["position"] for event in watcher.seen]
    assert positions == sorted(set(positions))
    assert len(watcher.seen) == len({event["profileId"] for event in watcher.seen}) == 60


async def test_a_subscriber_may_come_back_at_any_event(place: Place) -> None:
    delivery, letters = await sent(place, 12)
    whole = Watcher(place.client, delivery)
    async with whole.listening() as events:
        start = whole.cursor
        for letter in letters:
            await visit_all(place.client, [("GET", letter.links[2], 302), ("GET", letter.pixel, 200)])
        await whole.until(events, 24)

    # Given somebody who is cut off after every single batch
    pieces = Watcher(place.client, delivery)
    pieces.cursor = start
    while len(pieces.seen) < 24:
        async with pieces.listening() as events:
            await pieces.until(events, len(pieces.seen) + 1)
    assert pieces.seen == whole.seen
