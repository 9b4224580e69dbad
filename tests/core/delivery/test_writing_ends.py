"""Writing that is cut short: nobody waits for ever, nothing is held for ever, and nothing is written under another's lease."""

from __future__ import annotations

import asyncio

import pytest

from channels.contract import FailureReason
from core.db import Connection, Pool
from core.delivery import lease_ends
from core.delivery.engine import Engine
from core.delivery.gate import BatchGate
from core.delivery.ledger_writer import LedgerWriter
from core.delivery.records import DeliveryState, LedgerState
from core.delivery.retries import RetryRule, Verdict
from core.delivery.store import moves, runs
from core.delivery.store.moves import Settlement
from core.runtime import Runtime
from tests.core.delivery.people import Times, check_equation, outcome_of
from tests.core.delivery.test_leases import LIFE, _claim, _hand_over, _intents, _running, _settled
from tests.core.delivery.test_send import _started


def _writer(runtime: Runtime, delivery_id: int) -> LedgerWriter:
    writer = LedgerWriter(runtime.pool, delivery_id, "email", 0, runtime.clock)
    writer.start()
    return writer


async def test_who_waits_to_hand_over_is_told_no_when_the_writer_ends(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _running(engine, runtime, db, 2)
    claim = await _claim(db, delivery_id, times())
    assert claim is not None
    writer = _writer(runtime, delivery_id)
    async with db.transaction():
        await db.execute("LOCK TABLE lease_journal IN SHARE MODE")  # the journal cannot be written
        waiting = writer.hand_over(_intents(claim)[0])
        await writer.close()
        assert await asyncio.wait_for(waiting, 10) is False
        assert await asyncio.wait_for(writer.hand_over(_intents(claim)[1]), 10) is False


async def test_a_lease_is_not_renewed_for_ever_when_its_batch_is_cut_short(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await _started(engine, runtime, db, "cut-short", people=10)
    async with db.transaction():
        await db.execute("LOCK TABLE ledger_count IN SHARE MODE")  # outcomes reach the journal, not the rows
        sending = asyncio.create_task(engine.sending.run(delivery_id))
        while not await db.fetchval("SELECT count(*) FROM lease_journal WHERE settled IS NOT NULL"):  # noqa: ASYNC110 (another process would tell)
            await asyncio.sleep(0.01)
        assert engine.keeper.held
        sending.cancel()
        await asyncio.sleep(0.1)
    await asyncio.gather(sending, return_exceptions=True)
    assert not engine.keeper.held


async def test_a_hand_over_given_up_is_not_asked_for_again(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _running(engine, runtime, db, 1)
    claim = await _claim(db, delivery_id, times())
    assert claim is not None
    writer = _writer(runtime, delivery_id)
    gate = BatchGate(writer, claim.rows, claim.lease_id, RetryRule(first=LIFE, longest=LIFE, deadline=times() + LIFE), times)
    asking = asyncio.create_task(gate.hand_over(0))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await gate.hand_over(0) is False
    await writer.close()
    async with db.transaction():
        await lease_ends.end(db, claim.lease_id, settled=0, invalid=0, refused=0, now=times())
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.PENDING


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_an_outcome_of_another_lease_is_not_taken_for_this_one(
    engine: Engine, runtime: Runtime, db: Connection, times: Times, order: tuple[int, int]
) -> None:
    # Given a row that was reaped from one lease and claimed under the next
    delivery_id = await _running(engine, runtime, db, 1)
    first = await _claim(db, delivery_id, times())
    assert first is not None
    times.move(seconds=LIFE.total_seconds() + 1)
    await lease_ends.reap(db, times())
    second = await _claim(db, delivery_id, times(), "b")
    assert second is not None
    (late,), (good,) = _settled(first, LedgerState.FAILED), _settled(second, LedgerState.ACCEPTED)

    # When outcomes of both are written together
    told = [(late, good)[n] for n in order]
    assert await moves.write(db, delivery_id, 0, [], told, times()) == {(good.key, second.lease_id)}

    # Then the one whose lease it is counts
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.ACCEPTED
    await check_equation(db, delivery_id)


async def test_nothing_goes_back_to_a_delivery_that_is_being_finished(
    engine: Engine, runtime: Runtime, db: Connection, pool: Pool, times: Times
) -> None:
    # Given a message in doubt, and somebody who is about to finish the delivery
    delivery_id = await _running(engine, runtime, db, 1)
    claim = await _claim(db, delivery_id, times())
    assert claim is not None
    assert await _hand_over(db, delivery_id, _intents(claim))
    async with db.transaction():
        assert await lease_ends.end(db, claim.lease_id, settled=0, invalid=0, refused=0, now=times()) == (0, 1)
    verdict = Verdict(state=LedgerState.PENDING, reason=FailureReason.REFUSED, due_at=times(), counts_attempt=True)
    later = Settlement(_intents(claim)[0].key, claim.lease_id, verdict, True, None, "451 later", "p1@mail.example")

    # When its late answer says: again
    async with pool.acquire() as other, pool.acquire() as finisher:
        async with finisher.transaction():
            await runs.lock_run(finisher, delivery_id)
            writing = asyncio.create_task(moves.write(other, delivery_id, 0, [], [later], times()))
            await asyncio.wait({writing}, timeout=0.3)
            await runs.set_state(finisher, delivery_id, DeliveryState.FINISHED, times())
        await writing

    # Then it stays in doubt
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.UNKNOWN
    await check_equation(db, delivery_id)


async def test_a_lease_that_cannot_be_ended_does_not_keep_the_others(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _running(engine, runtime, db, 2)
    broken = await _claim(db, delivery_id, times(), limit=1)
    whole = await _claim(db, delivery_id, times(), limit=1)
    assert broken is not None
    assert whole is not None
    await db.execute("INSERT INTO lease_journal (lease_id, settled) VALUES ($1, 'torn')", broken.lease_id)
    times.move(seconds=LIFE.total_seconds() + 1)
    async with db.transaction():
        assert [one.lease_id for one in await lease_ends.reap(db, times())] == [whole.lease_id]
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.CLAIMED
    assert (await outcome_of(db, delivery_id, 2))[0] is LedgerState.PENDING
