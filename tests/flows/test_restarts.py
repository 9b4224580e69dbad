"""Promise 6 and 4: parts that restart during a send delay it and lose nothing; a click waits, or is told to come again.

The database of these stories is the embedded one: it is ended and killed.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio
import redis

from api.cli.sink import Behaviour
from tests.flows.client import Client, Refused
from tests.flows.conftest import Place
from tests.flows.house import House, deadline_of, empty_broker, house, until
from tests.flows.journey import (
    Watcher,
    ask_for,
    create_account,
    create_content,
    create_delivery,
    prepare,
    reach,
    report_of,
    send,
    status_of,
    visit_all,
)
from tests.flows.people import settle_in
from tests.flows.post import Letter, provider, read_letters, recipients, sink_process

PEOPLE = 300
CONNECTIONS = 4
WAIT = 2.0  # seconds that a click waits for the database
AWAY = {"DATABASE_UNAVAILABLE", "NO_CONNECTION_FREE", "TIMED_OUT", "TRY_AGAIN"}
POSTGRES = r"postgres.* -D "
WORKERS = r"core\.workers\.process"
MASTER = r"api\.cli\.main worker"
RELAY = r"core\.workers\.relay"
API = r"api\.server"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A house whose every part may be hit."""
    folder = tmp_path_factory.mktemp("house")
    mail = folder / "mail"
    async with (
        sink_process(mail) as port,
        house(
            folder, database_url=None, reconcile_seconds=0.5, retry_first_seconds=1, lease_seconds=3,
            worker_processes=1, hit_wait_seconds=WAIT,
        ) as made,
        Client(made.settings.base_url, made.token) as client,
    ):  # fmt: skip
        yield Place(house=made, client=client, sink_port=port, mail=mail)


async def patiently(act: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """Do it as soon as the house can again."""
    deadline = deadline_of(seconds)
    while True:
        try:
            return await act()
        except (httpx.TransportError, Refused) as error:
            if time.monotonic() > deadline or not (isinstance(error, httpx.TransportError) or set(error.codes) <= AWAY):
                raise
            await asyncio.sleep(0.1)


@asynccontextmanager
async def under_way(place: Place, folder: Path) -> AsyncIterator[str]:
    """A delivery to a server that takes its time; a part of it is out. Checked to the last message at the end."""
    client = place.client
    _, audience = await settle_in(client, PEOPLE)
    async with provider(folder, Behaviour(delay=0.03)) as server:
        account = await create_account(client, server.port, connections=CONNECTIONS)
        delivery = await create_delivery(client, audience=audience, account=account, content=await create_content(client))
        await prepare(client, delivery)
        await ask_for(client, "confirm", delivery)
        await until(lambda: server.accepted >= 40, 20, "a part is out")
        yield delivery
        done = await patiently(lambda: reach(client, delivery, "FINISHED"), 60)
    await _check(client, delivery, done["counts"], folder)


async def _check(client: Client, delivery: str, counts: dict[str, int], folder: Path) -> None:
    assert counts["accepted"] + counts["unknown"] == counts["targeted"] == PEOPLE
    assert counts["unknown"] <= CONNECTIONS
    caught = Counter(recipients(folder))
    assert set(caught.values()) == {1}, "nobody gets it twice"
    rows = (
        await client.ask(
            """
            query ($id: ID!) {
              delivery(id: $id) { ledger(states: [ACCEPTED], first: 400) { nodes { address } } }
            }
            """,
            id=delivery,
        )
    )["delivery"]["ledger"]["nodes"]
    assert len(rows) == counts["accepted"]
    assert {row["address"] for row in rows} <= set(caught)


def hit(made: House, pattern: str, number: signal.Signals) -> psutil.Process:
    """Send a signal to the first process that matches."""
    victim = made.find(pattern)[0]
    victim.send_signal(number)
    return victim


def is_gone(process: psutil.Process) -> bool:
    """Whether it has ended."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "killed"])
async def test_postgres_restarted_during_a_send(place: Place, tmp_path: Path, number: signal.Signals) -> None:
    async with under_way(place, tmp_path):
        victim = hit(place.house, POSTGRES, number)
        await asyncio.to_thread(psutil.wait_procs, [victim], 10)
        assert is_gone(victim)


async def test_the_broker_emptied_and_killed_during_a_send(place: Place, tmp_path: Path) -> None:
    async with under_way(place, tmp_path):
        url = place.house.find(RELAY)[0].environ()["CLARION_BROKER_URL"]
        if url.startswith("unix"):
            await asyncio.to_thread(redis.Redis.from_url(url).flushall)
            hit(place.house, r"redis-server", signal.SIGKILL)
        else:
            await asyncio.to_thread(empty_broker)


@pytest.mark.parametrize("pattern", [RELAY, API, WORKERS, MASTER], ids=["relay", "api", "worker", "workers"])
async def test_a_process_ended_during_a_send(place: Place, tmp_path: Path, pattern: str) -> None:
    async with under_way(place, tmp_path) as delivery:
        victim = hit(place.house, pattern, signal.SIGTERM)
        await asyncio.to_thread(psutil.wait_procs, [victim], 10)
        assert is_gone(victim)
    # And ended in good order, it leaves nothing in doubt
    assert (await status_of(place.client, delivery))["counts"]["unknown"] == 0
    assert place.house.find(pattern), "another one took its place"


async def sent(place: Place, people: int) -> tuple[str, list[Letter]]:
    """A delivery that arrived: its id and the mails."""
    client = place.client
    domain, audience = await settle_in(client, people)
    account = await create_account(client, place.sink_port)
    delivery = await create_delivery(client, audience=audience, account=account, content=await create_content(client))
    await send(client, delivery)
    return delivery, [letter for letter in read_letters(place.mail) if letter.recipient.endswith(f"@{domain}")]


@asynccontextmanager
async def frozen(processes: list[psutil.Process]) -> AsyncIterator[None]:
    """Processes that do nothing for a while."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def postgres_tree(made: House) -> list[psutil.Process]:
    """The server and all its backends."""
    (master,) = made.find(POSTGRES)
    return [master, *master.children(recursive=True)]


async def test_a_click_waits_for_the_database_and_is_stored(place: Place) -> None:
    delivery, letters = await sent(place, 5)
    watcher = Watcher(place.client, delivery)
    async with watcher.listening() as events:
        async with frozen(postgres_tree(place.house)):
            clicks = asyncio.gather(*(place.client.http.get(letter.links[0]) for letter in letters))
            await asyncio.sleep(WAIT / 4)
            assert not clicks.done()
        assert [response.status_code for response in await clicks] == [302] * 5
        await watcher.until(events, 5)
    assert len({event["profileId"] for event in watcher.seen}) == 5


async def test_a_click_that_waited_long_enough_is_told_to_come_again(place: Place) -> None:
    _, letters = await sent(place, 4)
    places = [letters[0].links[0], letters[1].pixel, letters[2].mirror]
    async with frozen(postgres_tree(place.house)):
        answers = await asyncio.gather(
            *(place.client.http.get(one) for one in places), place.client.http.post(letters[3].unsubscribe)
        )
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    # And when it comes again it is served
    await visit_all(
        place.client,
        [("GET", places[0], 302), ("GET", places[1], 200), ("GET", places[2], 200), ("POST", letters[3].unsubscribe, 200)],
    )


async def test_every_redirect_answered_while_postgres_restarts_is_an_event(place: Place) -> None:
    delivery, letters = await sent(place, 120)
    watcher = Watcher(place.client, delivery)
    answered: list[Letter] = []
    refused = 0

    async def click(letter: Letter) -> None:
        nonlocal refused
        response = await place.client.http.get(letter.links[0])
        if response.status_code == 302:
            answered.append(letter)
        else:
            assert response.status_code == 503, response.status_code
            assert "retry-after" in response.headers
            refused += 1

    async with watcher.listening() as events:
        clicks = []
        for number, letter in enumerate(letters):
            if number == 40:
                hit(place.house, POSTGRES, signal.SIGINT)
            if number == 80:
                hit(place.house, POSTGRES, signal.SIGKILL)
            clicks.append(asyncio.create_task(click(letter)))
            await asyncio.sleep(0.03)
        await asyncio.gather(*clicks)
        assert len(answered) + refused == 120
        assert len(answered) >= 40
        await watcher.until(events, len(answered))
    # What was answered is stored, once; what was refused may have been stored in the last moment, and then once too
    seen = Counter(event["profileId"] for event in watcher.seen)
    assert set(seen.values()) == {1}
    report = await patiently(lambda: report_of(place.client, delivery))
    assert len(answered) <= sum(link["total"] for link in report["links"]) <= 120
