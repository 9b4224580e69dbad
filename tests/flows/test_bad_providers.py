"""Mail servers that misbehave: each trouble ends in a state that says what is the matter, and nothing is half-done.
When the server is well again, everybody gets the mail once.

The troubles run side by side in one house, each with a server, an account and people of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.cli.sink import Behaviour, Sink, Stage
from tests.flows.client import Client
from tests.flows.house import deadline_of, house
from tests.flows.journey import (
    ask_for,
    create_account,
    create_audience,
    create_content,
    create_delivery,
    import_people,
    make_csv,
    prepare,
    reach,
    status_of,
)
from tests.flows.people import COLUMNS, fresh_domain, make_people, settle_in
from tests.flows.post import change_manners, provider, recipients

CONNECTIONS = 4
BATCH = 50
DOUBT = 2 * CONNECTIONS + 2  # one on each connection, and on those that tried whether the server is back
LOST = 100 + 2 * BATCH  # refusals before they mean something, and the batches that were under way then
PATIENCE = {"connect_timeout": 0.7, "reply_timeout": 0.7, "final_timeout": 0.7, "connections": CONNECTIONS}


class Clear(StrEnum):
    """The states that say what is the matter."""

    BREAKER = "breaker"  # the account rests and is tried again by itself
    ACCOUNT = "account"  # the account waits for somebody to mend it
    DELIVERY = "delivery"  # the delivery is paused
    RETRY = "retry"  # each message waits for its next try, with the server's words


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A server's manners and how the house must take them."""

    behaviour: Behaviour | None  # None: nobody listens
    ends: Clear
    people: int = 60
    words: str = ""  # part of what is said about it
    lost: int = 0  # messages that may be refused for good
    doubt: int = 0  # messages whose answer may be lost
    config: dict[str, Any] = field(default_factory=dict)


TROUBLES = {
    "nobody listens": Trouble(behaviour=None, ends=Clear.BREAKER),
    "turns everybody away": Trouble(
        behaviour=Behaviour(replies={Stage.GREETING: b"554 5.3.2 No service here\r\n"}), ends=Clear.BREAKER
    ),
    "too busy to greet": Trouble(behaviour=Behaviour(replies={Stage.GREETING: b"421 4.3.2 Try later\r\n"}), ends=Clear.BREAKER),
    "never greets": Trouble(behaviour=Behaviour(hang_at=Stage.GREETING), ends=Clear.BREAKER),
    "hangs after the greeting": Trouble(behaviour=Behaviour(hang_at=Stage.EHLO), ends=Clear.BREAKER),
    "hangs at the sender": Trouble(behaviour=Behaviour(hang_at=Stage.MAIL), ends=Clear.BREAKER),
    "hangs in the middle of a message": Trouble(behaviour=Behaviour(hang_at=Stage.BODY), ends=Clear.BREAKER, doubt=DOUBT),
    "takes messages and says nothing": Trouble(behaviour=Behaviour(hang_at=Stage.FINAL), ends=Clear.BREAKER, doubt=DOUBT),
    "goes away in the middle of a message": Trouble(behaviour=Behaviour(close_at=Stage.BODY), ends=Clear.BREAKER, doubt=DOUBT),
    "goes away after a while": Trouble(behaviour=Behaviour(close_at=Stage.BODY, well_for=20), ends=Clear.BREAKER, doubt=DOUBT),
    "takes messages and goes away": Trouble(behaviour=Behaviour(close_at=Stage.FINAL), ends=Clear.BREAKER, doubt=DOUBT),
    "421 to every sender": Trouble(
        behaviour=Behaviour(replies={Stage.MAIL: b"421 4.3.2 Shutting down\r\n"}), ends=Clear.BREAKER
    ),
    "452 to every recipient": Trouble(
        behaviour=Behaviour(replies={Stage.RCPT: b"452 4.3.1 Insufficient system storage\r\n"}),
        ends=Clear.RETRY,
        words="Insufficient system storage",
    ),
    "puts a NUL into its answer": Trouble(
        behaviour=Behaviour(replies={Stage.RCPT: b"452 4.3.1 Full\x00up\r\n"}), ends=Clear.RETRY, words="Fullup"
    ),
    "451 to every message": Trouble(
        behaviour=Behaviour(replies={Stage.FINAL: b"451 4.3.0 Temporary trouble\r\n"}),
        ends=Clear.RETRY,
        words="Temporary trouble",
    ),
    "554 5.7.1 to everybody": Trouble(
        behaviour=Behaviour(replies={Stage.RCPT: b"554 5.7.1 Refused by policy\r\n"}),
        ends=Clear.DELIVERY,
        people=300,
        words="refused",
        lost=LOST,
    ),
    "554 5.7.1 to every message": Trouble(
        behaviour=Behaviour(replies={Stage.FINAL: b"554 5.7.1 This looks like spam\r\n"}),
        ends=Clear.DELIVERY,
        people=300,
        words="refused",
        lost=LOST,
    ),
    "550 5.1.1 to everybody": Trouble(
        behaviour=Behaviour(replies={Stage.RCPT: b"550 5.1.1 No such user\r\n"}),
        ends=Clear.DELIVERY,
        people=300,
        words="do not exist",
        lost=LOST,
    ),
    "wrong password": Trouble(
        behaviour=Behaviour(users={"clarion": "right"}),
        ends=Clear.ACCOUNT,
        words="invalid",
        config={"username": "clarion", "password": "wrong"},
    ),
    "wants a login": Trouble(
        behaviour=Behaviour(replies={Stage.MAIL: b"530 5.7.0 Authentication required\r\n"}),
        ends=Clear.ACCOUNT,
        words="Authentication required",
    ),
}


@dataclass(slots=True, kw_only=True)
class Case:
    """A trouble under way."""

    trouble: Trouble
    server: Sink
    mail: Path
    delivery: str
    account: str


async def begin(client: Client, folder: Path, server: Sink, trouble: Trouble) -> Case:
    """A confirmed delivery to a server in trouble."""
    _, audience = await settle_in(client, trouble.people)
    await server.start()
    if trouble.behaviour is None:
        await server.close()
    account = await create_account(client, server.port, **PATIENCE, **trouble.config)
    delivery = await create_delivery(client, audience=audience, account=account, content=await create_content(client))
    await prepare(client, delivery)
    await ask_for(client, "confirm", delivery)
    return Case(trouble=trouble, server=server, mail=folder, delivery=delivery, account=account)


async def account_of(client: Client, case: Case) -> dict[str, Any]:
    """The account's state."""
    data = await client.ask(
        "query ($id: ID!) { channelAccount(id: $id) { pausedAt pauseReason retryAt failures } }", id=case.account
    )
    account: dict[str, Any] = data["channelAccount"]
    return account


async def rows_of(client: Client, case: Case, *states: str) -> list[dict[str, Any]]:
    """The recipients in some states."""
    data = await client.ask(
        """
        query ($id: ID!, $states: [LedgerState!]) {
          delivery(id: $id) { ledger(states: $states, first: 400) { nodes { address state reason attempt answer } } }
        }
        """,
        id=case.delivery, states=states or None,
    )  # fmt: skip
    rows: list[dict[str, Any]] = data["delivery"]["ledger"]["nodes"]
    return rows


async def is_clear(client: Client, case: Case) -> bool:
    """Whether the state says what is the matter."""
    match case.trouble.ends:
        case Clear.BREAKER:
            account = await account_of(client, case)
            return account["retryAt"] is not None and account["failures"] > 0
        case Clear.ACCOUNT:
            account = await account_of(client, case)
            return account["pausedAt"] is not None and case.trouble.words in account["pauseReason"]
        case Clear.DELIVERY:
            status = await status_of(client, case.delivery)
            return status["state"] == "PAUSED" and case.trouble.words in status["pauseReason"]
        case Clear.RETRY:
            rows = await rows_of(client, case, "PENDING")
            tried = [row for row in rows if row["attempt"] and case.trouble.words in (row["answer"] or "")]
            return len(tried) == case.trouble.people


async def heal(client: Client, case: Case) -> dict[str, Any]:
    """The server is well again and somebody says so; returns how the delivery ended."""
    trouble = case.trouble
    if trouble.behaviour is None:
        await case.server.start()
    change_manners(case.server, Behaviour(users=trouble.behaviour.users if trouble.behaviour else {}))
    if "password" in trouble.config:
        await client.do(
            """
            mutation ($input: UpdateChannelAccountInput!) {
              updateChannelAccount(input: $input) { userErrors { code message path } }
            }
            """,
            input={"id": case.account, "config": {"password": "right"}},
        )
    await client.do(
        "mutation ($id: ID!) { resumeChannelAccount(id: $id) { userErrors { code message path } } }", id=case.account
    )
    if trouble.ends is Clear.DELIVERY:
        await ask_for(client, "resume", case.delivery)
    return await reach(client, case.delivery, "FINISHED", seconds=40)


async def play(client: Client, folder: Path, trouble: Trouble) -> Case:
    """A trouble from its beginning to its good end."""
    server = Sink(directory=folder, behaviour=trouble.behaviour)
    try:
        return await _play(client, await begin(client, folder, server, trouble))
    finally:
        await server.close()


async def _play(client: Client, case: Case) -> Case:
    trouble = case.trouble
    deadline = deadline_of(30)
    while not await is_clear(client, case):
        assert time.monotonic() < deadline, (
            await status_of(client, case.delivery),
            await account_of(client, case),
            (await rows_of(client, case))[:3],
        )
        await asyncio.sleep(0.2)
    done = await heal(client, case)
    counts = done["counts"]
    assert counts["targeted"] == trouble.people
    assert counts["accepted"] + counts["failed"] + counts["unknown"] == trouble.people
    assert counts["failed"] <= trouble.lost
    assert counts["unknown"] <= trouble.doubt
    return case


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plays(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Client, dict[str, asyncio.Task[Case]]]]:
    """Every trouble, begun at once."""
    folder = tmp_path_factory.mktemp("house")
    async with (
        house(
            folder, reconcile_seconds=0.5, retry_first_seconds=1, retry_longest_seconds=2,
            send_batch_size=BATCH, worker_processes=1, worker_threads=len(TROUBLES) + 2,
        ) as made,
        Client(made.settings.base_url, made.token) as client,
    ):  # fmt: skip
        tasks = {
            name: asyncio.create_task(play(client, folder / f"mail-{number}", trouble))
            for number, (name, trouble) in enumerate(TROUBLES.items())
        }
        yield client, tasks
        await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("name", TROUBLES)
async def test_trouble_is_named_and_overcome(plays: tuple[Client, dict[str, asyncio.Task[Case]]], name: str) -> None:
    client, tasks = plays
    case = await tasks[name]

    # Then what the ledger says is what the server has
    caught = Counter(one.lower() for one in recipients(case.mail))
    rows = await rows_of(client, case)
    assert len(rows) == case.trouble.people
    for row in rows:
        times = caught.pop(row["address"].lower(), 0)
        match row["state"]:
            case "ACCEPTED":
                assert times == 1, row
            case "FAILED":
                assert times == 0, row
            case "UNKNOWN":
                assert times <= 1, row
            case _:
                raise AssertionError(row)
    assert not caught


async def test_who_resumes_a_delivery_has_judged_what_paused_it(
    plays: tuple[Client, dict[str, asyncio.Task[Case]]], tmp_path: Path
) -> None:
    client, _ = plays
    # Given an audience that begins with dead addresses and has a few among the rest
    domain = fresh_domain()
    dead = [n for n in range(180) if n < 70 or n % 20 == 0]
    people = [
        {**person, "email": f"{'bounce' if number in dead else 'good'}-{number}@{domain}"}
        for number, person in enumerate(make_people(domain, 180))
    ]
    await import_people(client, make_csv(people, COLUMNS))
    async with provider(tmp_path) as server:
        delivery = await create_delivery(
            client,
            audience=await create_audience(client, f"email_domain = '{domain}'"),
            account=await create_account(client, server.port),
            content=await create_content(client),
        )
        await prepare(client, delivery)
        await ask_for(client, "confirm", delivery)
        assert "do not exist" in (await reach(client, delivery, "PAUSED"))["pauseReason"]

        # When somebody has looked at it and lets it go on, the few do not stop it again for the sake of the many
        await ask_for(client, "resume", delivery)
        done = await reach(client, delivery, "FINISHED", "PAUSED")
    assert done["state"] == "FINISHED"
    assert (done["counts"]["failed"], done["counts"]["accepted"]) == (len(dead), 180 - len(dead))
