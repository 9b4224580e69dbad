"""Every connection that a request took comes back, however the request ends, and none is taken after its end."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from api.app import App
from api.auth import Authenticator
from api.context import SCHEMA, ConnectionLease
from api.graphql.door import GraphQLDoor, GraphQLRequest
from api.graphql.events import EventAnswers
from api.graphql.execution import LeafExecutor, build_executor
from api.graphql.limits import Limits
from api.graphql.present import PresentSchema
from api.graphql.schema import make_schema
from core.access import SYSTEM
from core.accounts.last_used import LastUsed
from core.db import Connection, Pool
from tests.api.gql import Gql

# `trackingEvents` fails before it starts, while `profiles` has started already.
FAILS_BESIDE_A_READ = """
query ($m: Boolean = false) { profiles { nodes { id } } trackingEvents(machines: $m) { cursor } }"""


@pytest.fixture(autouse=True)
async def quiet(app: App) -> None:
    """Nothing of the application takes a connection now and then: what looks which schema counts has stopped, and has given
    back what it had."""
    await app.runtime.resources[SCHEMA].stop()
    await asyncio.sleep(0.1)


@pytest.fixture
def door(app: App) -> GraphQLDoor:
    """A door of the test's own, on the pool of the application."""
    present = PresentSchema(app.runtime, make_schema()._schema, Limits(depth=12, cost=5000))
    return GraphQLDoor(app.runtime, present, Authenticator(app.runtime, LastUsed()))


def in_use(pool: Pool) -> int:
    """How many connections of a pool somebody holds."""
    held: int = pool.get_size() - pool.get_idle_size()
    return held


async def test_a_query_that_fails_beside_a_read_gives_its_connection_back(gql: Gql, app: App) -> None:
    before = in_use(app.runtime.pool)

    for _ in range(3):
        response = await gql.post(FAILS_BESIDE_A_READ, {"m": None})
        assert response.json()["errors"][0]["path"] == ["trackingEvents"]
        assert len(response.json()["errors"]) == 1
    await asyncio.sleep(0.1)  # for what would go on in the background

    assert in_use(app.runtime.pool) <= before


async def test_an_event_whose_answer_fails_gives_its_connection_back(
    door: GraphQLDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given something to answer as the event of a subscription is; a query stands in for the selection on it
    monkeypatch.setattr("api.graphql.events.event_plan", lambda _: None)
    pool = door.runtime.pool
    before, prepared = in_use(pool), door.documents.prepare(FAILS_BESIDE_A_READ, None)
    executor = build_executor(prepared, door.context(SYSTEM, "r", ConnectionLease(pool)), {"m": None})
    assert isinstance(executor, LeafExecutor)
    answers = EventAnswers(executor, prepared, "r")

    # When events are answered
    for _ in range(3):
        assert len((await answers.answer(None))["errors"]) == 1
    await asyncio.sleep(0.1)  # for what would go on in the background

    # Then nothing is held
    assert in_use(pool) <= before


async def test_a_query_that_is_cancelled_gives_its_connection_back(door: GraphQLDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a query whose loaders run in tasks of their own
    before = in_use(door.runtime.pool)

    async def endless(conn: Connection, *_: object, **__: object) -> None:
        await conn.execute("SELECT pg_sleep(60)")

    monkeypatch.setattr("api.graphql.profiles.loaders.profiles.get_profiles", endless)
    text = '{ a: node(id: "UHJvZmlsZTox") { id } b: node(id: "UHJvZmlsZToy") { id } }'
    request = GraphQLRequest(query=text)
    running = asyncio.create_task(door.query(door.documents.prepare(text, None), request, SYSTEM, "r"))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    for _ in range(1_000):
        if await door.runtime.pool.fetchval(sleeping):
            break
        await asyncio.sleep(0.01)

    # When it is cancelled, as after sixty seconds
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    # Then its statement is stopped
    assert in_use(door.runtime.pool) <= before


async def test_a_lease_that_was_given_back_takes_no_other_connection(app: App) -> None:
    lease = ConnectionLease(app.runtime.pool)
    async with lease.use() as conn:
        assert await conn.fetchval("SELECT 1") == 1
    before = in_use(app.runtime.pool)

    await lease.give_back()

    with pytest.raises(RuntimeError, match="has ended"):
        async with lease.use():
            pass
    assert in_use(app.runtime.pool) <= before - 1


async def test_who_still_uses_the_connection_is_stopped_before_it_goes_back(app: App) -> None:
    # Given two who use one lease: one is at it, the other waits
    lease, before, begun = ConnectionLease(app.runtime.pool), in_use(app.runtime.pool), asyncio.Event()

    async def ask() -> None:
        async with lease.use() as conn:
            begun.set()
            await conn.execute("SELECT pg_sleep(60)")

    tasks = [asyncio.create_task(ask()), asyncio.create_task(ask())]
    await begun.wait()

    # When the lease ends
    await lease.give_back()

    # Then both are stopped, and the connection is whole
    first, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, TimeoutError)
    assert isinstance(second, RuntimeError)
    assert in_use(app.runtime.pool) <= before
    async with app.runtime.pool.acquire() as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_who_gets_no_connection_is_told_so(gql: Gql, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads, changes and who looks for a token alike; afterwards all is as before."""
    monkeypatch.setattr("api.context.ACQUIRE_SECONDS", 0.2)
    pool = app.runtime.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size() - in_use(pool))]
    try:
        for document in (
            "{ profiles { nodes { id } } }",
            'mutation { createPurpose(input: {name: "news", label: "News"}) { purpose { id } userErrors { code } } }',
        ):
            (error,) = (await gql.post(document)).json()["errors"]
            assert error["extensions"]["code"] == "NO_CONNECTION_FREE", error
            assert "again in a few seconds" in error["extensions"]["hint"]
    finally:
        for one in held:
            await pool.release(one)

    assert "errors" not in (await gql.post("{ profiles { nodes { id } } }")).json()


async def test_slow_questions_leave_connections_for_all_else(gql: Gql, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many questions run as may; the others wait without a connection, and are told so in the end."""
    monkeypatch.setattr("api.context.ACQUIRE_SECONDS", 3.0)
    slow = """query ($e: ExpressionInput!) { target(expression: $e) { count } }"""
    question = {"e": {"text": "city = 'Oslo'"}}
    pool, before = app.runtime.pool, in_use(app.runtime.pool)
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE profile IN ACCESS EXCLUSIVE MODE")  # so that every question takes long
        asked = [asyncio.create_task(gql.post(slow, question)) for _ in range(2 * pool.get_max_size())]
        await asyncio.sleep(0.3)
        assert (await gql.post("{ channels { name } }")).json()["data"]["channels"]
        refused = islice(asyncio.as_completed(asked), len(asked) - pool.get_max_size() // 2)
        codes = {(await one).json()["errors"][0]["extensions"]["code"] for one in refused}
        await asyncio.sleep(0.3)  # for who would give up also of those who are let in
        assert codes == {"TOO_MANY_QUESTIONS"}
        running = [one for one in asked if not one.done()]

    assert len(running) == pool.get_max_size() // 2
    for one in running:
        assert (await one).json()["data"]["target"]["count"] == 0
    assert (await gql.post(slow, question)).json()["data"]["target"]["count"] == 0
    await asyncio.sleep(0.1)
    assert in_use(pool) <= before


async def test_who_holds_a_connection_and_has_to_wait_gives_it_back(app: App) -> None:
    pool, before = app.runtime.pool, in_use(app.runtime.pool)
    lease = ConnectionLease(pool, questions=asyncio.Semaphore(1))
    other = ConnectionLease(pool, questions=lease._questions)
    async with other.ask():
        pass
    async with lease.use():
        assert in_use(pool) == before + 2
    asking = asyncio.create_task(asks(lease))
    await asyncio.sleep(0.1)
    assert in_use(pool) == before + 1

    await other.give_back()

    assert await asking == 1
    await lease.give_back()
    assert in_use(pool) == before
    ended = ConnectionLease(pool, questions=lease._questions)  # whose request ends while it waits
    last = ConnectionLease(pool, questions=lease._questions)
    async with last.ask():
        waiting = asyncio.create_task(asks(ended))
        await asyncio.sleep(0.1)
        await ended.give_back()
        with pytest.raises(TimeoutError):
            await waiting
    await last.give_back()
    assert in_use(pool) == before


async def asks(lease: ConnectionLease) -> int:
    """A small question."""
    async with lease.ask() as conn:
        return int(await conn.fetchval("SELECT 1"))
