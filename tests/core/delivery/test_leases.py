"""Claims, fences and the reaper: nobody sends what another holds, and nothing stays held for ever."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from channels.contract import FailureReason
from core.db import Connection, Pool
from core.delivery import lease_ends
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.delivery.retries import Verdict
from core.delivery.store import journal, leases, moves
from core.delivery.store.journal import Entry
from core.delivery.store.leases import Claim
from core.delivery.store.moves import Intent, Settlement
from core.runtime import Runtime
from tests.core.delivery.people import (
    Times,
    add_people,
    check_equation,
    confirmed,
    new_delivery,
    outcome_of,
    prepared,
)

LIFE = timedelta(seconds=30)


async def _running(engine: Engine, runtime: Runtime, db: Connection, people: int) -> int:
    await add_people(db, people)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    await db.execute("UPDATE delivery_run SET state = 55")
    return delivery_id


async def _claim(
    conn: Connection, delivery_id: int, now: datetime, worker: str = "a", limit: int = 10,
    cursor: tuple[datetime, int, int, int] | None = None,
) -> Claim | None:  # fmt: skip
    return await leases.claim(
        conn, delivery_id=delivery_id, account_id=1, address_kind="email", worker=worker, connections=5, limit=limit,
        slot=1, cursor=cursor, now=now, expires_at=now + LIFE, hash_keys=(),
    )  # fmt: skip


def _intents(claim: Claim) -> list[Intent]:
    return [Intent((row.recipient_kind, row.recipient_id, row.occurrence), claim.lease_id) for row in claim.rows]


def _settled(claim: Claim, state: LedgerState) -> list[Settlement]:
    verdict = Verdict(state=state, reason=FailureReason.NOT_DEFINED)
    return [
        Settlement(intent.key, intent.lease_id, verdict, True, None, None, f"p{intent.key[1]}@mail.example")
        for intent in _intents(claim)
    ]


async def _hand_over(conn: Connection, delivery_id: int, intents: list[Intent]) -> bool:
    (lease_id,) = {intent.lease_id for intent in intents}
    return await journal.append(conn, delivery_id, {lease_id: Entry(intents, [])}) == {lease_id}


async def test_two_workers_never_claim_the_same_row(engine: Engine, runtime: Runtime, db: Connection, pool: Pool) -> None:
    delivery_id = await _running(engine, runtime, db, 95)

    async def take_all(worker: str) -> list[int]:
        mine: list[int] = []
        cursor = None
        while True:
            async with pool.acquire() as conn, conn.transaction():
                claim = await _claim(conn, delivery_id, runtime.clock(), worker, cursor=cursor)
            if claim is None:
                return mine
            cursor = claim.cursor
            mine += [row.recipient_id for row in claim.rows]

    found = await asyncio.gather(*(take_all(worker) for worker in "abc"))
    taken = [recipient for mine in found for recipient in mine]
    assert len(taken) == len(set(taken)) == 95


async def test_who_left_since_prepare_is_withdrawn_at_the_claim(engine: Engine, runtime: Runtime, db: Connection) -> None:
    delivery_id = await _running(engine, runtime, db, 5)
    await db.execute("UPDATE profile SET opt_out_email = true WHERE id = 1")
    await db.execute(
        "INSERT INTO quarantine (address_kind, address_key, status) VALUES ('email', 'p2@mail.example', 'quarantine')"
    )
    await db.execute("DELETE FROM profile WHERE id = 3")
    async with db.transaction():
        claim = await _claim(db, delivery_id, runtime.clock())
    assert claim is not None
    assert [row.recipient_id for row in claim.rows] == [4, 5]
    assert claim.withdrawn == 3
    withdrawn = LedgerState.WITHDRAWN
    assert await outcome_of(db, delivery_id, 1) == (withdrawn, FailureReason.DENYLISTED_ADDRESS)
    assert await outcome_of(db, delivery_id, 2) == (withdrawn, FailureReason.QUARANTINED_ADDRESS)
    assert await outcome_of(db, delivery_id, 3) == (withdrawn, FailureReason.PROFILE_DELETED)
    await check_equation(db, delivery_id)


async def test_a_worker_that_wakes_up_late_cannot_hand_over_what_another_took(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    # Given a worker that claimed everything and fell silent after handing over one message
    delivery_id = await _running(engine, runtime, db, 4)
    async with db.transaction():
        late = await _claim(db, delivery_id, times())
    assert late is not None
    assert await _hand_over(db, delivery_id, _intents(late)[:1])

    # When its lease runs out and is reaped
    times.move(seconds=31)
    reaped = await lease_ends.reap(db, times())
    assert [(one.released, one.unknown) for one in reaped] == [(3, 1)]
    await check_equation(db, delivery_id)

    # Then another worker takes the three that were not handed over
    async with db.transaction():
        other = await _claim(db, delivery_id, times(), "b")
    assert other is not None
    assert [row.recipient_id for row in other.rows] == [2, 3, 4]

    # And the late one can hand over none of them, but may still tell what became of the first
    assert not await _hand_over(db, delivery_id, _intents(late))
    told = await moves.write(db, delivery_id, 1, [], _settled(late, LedgerState.ACCEPTED), times())
    assert told == {((1, 1, 0), late.lease_id)}
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.ACCEPTED
    assert (await outcome_of(db, delivery_id, 2))[0] is LedgerState.CLAIMED
    await check_equation(db, delivery_id)


async def test_a_delivery_that_may_resend_puts_doubtful_rows_back(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _running(engine, runtime, db, 2)
    await db.execute("UPDATE delivery SET unknown_policy = 'resend'")
    async with db.transaction():
        claim = await _claim(db, delivery_id, times())
    assert claim is not None
    await _hand_over(db, delivery_id, _intents(claim))
    times.move(seconds=31)
    await lease_ends.reap(db, times())
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.PENDING
    await check_equation(db, delivery_id)


async def test_a_lease_that_is_renewed_is_not_reaped(engine: Engine, runtime: Runtime, db: Connection, times: Times) -> None:
    delivery_id = await _running(engine, runtime, db, 2)
    async with db.transaction():
        claim = await _claim(db, delivery_id, times())
    assert claim is not None
    times.move(seconds=20)
    await leases.renew(db, [claim.lease_id], times() + LIFE)
    times.move(seconds=20)
    assert await lease_ends.reap(db, times()) == []


async def test_nothing_is_handed_over_while_the_delivery_is_paused(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _running(engine, runtime, db, 2)
    async with db.transaction():
        claim = await _claim(db, delivery_id, times())
    assert claim is not None
    await db.execute("UPDATE delivery_run SET state = 75")
    assert not await _hand_over(db, delivery_id, _intents(claim))
    assert await lease_ends.end(db, claim.lease_id, settled=0, invalid=0, refused=0, now=times()) == (2, 0)
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.PENDING
    await check_equation(db, delivery_id)


async def test_connections_of_other_workers_count_against_the_account(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _running(engine, runtime, db, 30)
    async with db.transaction():
        await _claim(db, delivery_id, times(), "a")
        await _claim(db, delivery_id, times(), "a")
        await _claim(db, delivery_id, times(), "b")
        assert await leases.lock_account(db, 1, "c", times()) == 10
        assert await leases.lock_account(db, 1, "a", times()) == 5
        assert await leases.lock_account(db, 2, "c", times()) == 0
    times.move(seconds=31)
    async with db.transaction():
        assert await leases.lock_account(db, 1, "c", times()) == 0


async def test_the_window_of_refusals_counts_the_newest_batches(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _running(engine, runtime, db, 1)
    for settled, invalid in ((400, 100), (400, 10), (400, 20), (400, 21)):
        await db.execute(
            "INSERT INTO lease"
            " (delivery_id, account_id, worker, connections, claimed_at, expires_at, ended_at, settled, invalid)"
            " VALUES ($1, 1, 'a', 5, $2, $2, $2, $3, $4)",
            delivery_id, times(), settled, invalid,
        )  # fmt: skip
    assert await leases.recent_refusals(db, delivery_id, 1000) == (1200, 51, 0)
    assert await leases.recent_refusals(db, delivery_id, 400) == (400, 21, 0)
