"""What a process stored under a lease outlives it: outcomes are written by whoever reaps the lease, and doubt stays doubt."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import FailureReason, Outcome, OutcomeKind
from core.db import Connection
from core.delivery import lease_ends
from core.delivery.engine import Engine
from core.delivery.gate import BatchGate, storable
from core.delivery.ledger_writer import LedgerWriter
from core.delivery.records import LedgerState
from core.delivery.retries import AddressVerdict, RetryRule, Verdict
from core.delivery.store import journal, leases
from core.delivery.store.journal import Entry
from core.delivery.store.leases import Claim
from core.delivery.store.moves import Intent, Settlement
from core.profiles import quarantine
from core.runtime import Runtime
from tests.core.delivery.people import Times, check_equation, outcome_of
from tests.core.delivery.test_leases import LIFE, _claim, _intents, _running

_VERDICTS = st.builds(
    Verdict,
    state=st.sampled_from(LedgerState),
    reason=st.sampled_from(FailureReason),
    due_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    counts_attempt=st.booleans(),
    address=st.sampled_from(AddressVerdict),
    address_reason=st.none() | st.sampled_from(FailureReason),
)
_KEYS = st.tuples(st.integers(1, 5), st.integers(0, 2**63 - 1), st.integers(0, 2**31 - 1))
_TEXTS = st.text().map(storable)


@given(
    keys=st.lists(_KEYS, max_size=3),
    settlements=st.lists(
        st.builds(
            Settlement, _KEYS, st.just(0), _VERDICTS, st.booleans(), st.none() | _TEXTS, st.none() | _TEXTS, _TEXTS
        ),
        max_size=3,
    ),
)  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_stored_is_read(db: Connection, keys: list[tuple[int, int, int]], settlements: list[Settlement]) -> None:
    now = datetime.now(UTC)
    lease_id = await db.fetchval(
        "INSERT INTO lease (delivery_id, account_id, worker, connections, claimed_at, expires_at)"
        " VALUES (9, 1, 'a', 1, $1, $1) RETURNING id",
        now,
    )
    await db.execute("DELETE FROM delivery_run")
    await db.execute("SET session_replication_role = replica")  # no delivery behind the run
    await db.execute("INSERT INTO delivery_run (delivery_id, state) VALUES (9, 55)")
    await db.execute("SET session_replication_role = DEFAULT")
    mine = [
        Settlement(one.key, lease_id, one.verdict, one.handed_over, one.provider_id, one.answer, one.address_key)
        for one in settlements
    ]
    entry = Entry([Intent(key, lease_id) for key in keys], mine)
    granted = await journal.append(db, 9, {lease_id: entry})
    assert granted == ({lease_id} if keys else set())
    assert await journal.read(db, lease_id) == entry
    await journal.forget(db, lease_id)
    assert await journal.read(db, lease_id) == Entry([], [])


async def _claimed(engine: Engine, runtime: Runtime, db: Connection, times: Times, people: int) -> tuple[int, Claim]:
    delivery_id = await _running(engine, runtime, db, people)
    async with db.transaction():
        claim = await _claim(db, delivery_id, times())
    assert claim is not None
    return delivery_id, claim


async def test_the_reaper_writes_what_the_dead_had_stored(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    # Given a worker that stored four intents and three outcomes, and died before the ledger's rows said so
    delivery_id, claim = await _claimed(engine, runtime, db, times, 5)
    intents = _intents(claim)
    good = Verdict(state=LedgerState.ACCEPTED, reason=FailureReason.NOT_DEFINED)
    hard = Verdict(state=LedgerState.FAILED, reason=FailureReason.USER_UNKNOWN, address=AddressVerdict.HARD)
    later = Verdict(state=LedgerState.PENDING, reason=FailureReason.REFUSED, due_at=times(), counts_attempt=True)
    told = [
        Settlement(intent.key, claim.lease_id, verdict, True, "250 queued", None, f"p{intent.key[1]}@mail.example")
        for intent, verdict in zip(intents, (good, hard, later), strict=False)
    ]
    await journal.append(db, delivery_id, {claim.lease_id: Entry(intents[:2], [])})
    await journal.append(db, delivery_id, {claim.lease_id: Entry(intents[2:4], told)})
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.CLAIMED

    # When its lease runs out
    times.move(seconds=LIFE.total_seconds() + 1)
    async with db.transaction():
        reaped = await lease_ends.reap(db, times())

    # Then the outcomes stand, the fourth alone is in doubt, and the fifth goes back
    assert [(one.released, one.unknown) for one in reaped] == [(1, 1)]
    states = [(await outcome_of(db, delivery_id, n))[0] for n in range(1, 6)]
    assert states == [
        LedgerState.ACCEPTED, LedgerState.FAILED, LedgerState.PENDING, LedgerState.UNKNOWN, LedgerState.PENDING,
    ]  # fmt: skip
    assert [row["attempt"] for row in await db.fetch("SELECT attempt FROM ledger ORDER BY recipient_id")][2:] == [1, 1, 0]
    blamed = await quarantine.find_entry(db, "email", "p2@mail.example")
    assert blamed is not None
    assert blamed.reason is FailureReason.USER_UNKNOWN
    assert await db.fetchval("SELECT count(*) FROM lease_journal") == 0
    await check_equation(db, delivery_id)


async def test_the_reaper_changes_nothing_that_was_written_before(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    # Given a message that failed, is due again and was claimed by another, while the first lease lived on
    delivery_id, first = await _claimed(engine, runtime, db, times, 1)
    later = Verdict(state=LedgerState.PENDING, reason=FailureReason.REFUSED, due_at=times(), counts_attempt=True)
    writer = LedgerWriter(runtime.pool, delivery_id, "email", 0, times)
    writer.start()
    assert await writer.hand_over(_intents(first)[0])
    writer.settle(Settlement(_intents(first)[0].key, first.lease_id, later, True, None, "451 later", "p1@mail.example"))
    await writer.close()
    async with db.transaction():
        second = await _claim(db, delivery_id, times(), "b")
    assert second is not None
    await leases.renew(db, [second.lease_id], times() + 10 * LIFE)

    # When the first is reaped
    times.move(seconds=LIFE.total_seconds() + 1)
    async with db.transaction():
        assert [(one.released, one.unknown) for one in await lease_ends.reap(db, times())] == [(0, 0)]

    # Then the row is the second's, after one attempt
    row = await db.fetchrow("SELECT state, attempt, lease_id FROM ledger")
    assert tuple(row) == (LedgerState.CLAIMED, 1, second.lease_id)
    await check_equation(db, delivery_id)


async def test_what_was_handed_over_behind_the_holders_back_is_in_doubt(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    """A plugin that was told to end may still be handing a message over while its batch is let go of."""
    delivery_id, claim = await _claimed(engine, runtime, db, times, 2)
    assert await journal.append(db, delivery_id, {claim.lease_id: Entry(_intents(claim)[:1], [])}) == {claim.lease_id}
    async with db.transaction():
        assert await lease_ends.end(db, claim.lease_id, settled=0, invalid=0, refused=0, now=times()) == (1, 1)
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.UNKNOWN
    assert (await outcome_of(db, delivery_id, 2))[0] is LedgerState.PENDING
    await check_equation(db, delivery_id)

    # And nothing more is stored under the lease
    assert await journal.append(db, delivery_id, {claim.lease_id: Entry(_intents(claim)[1:], [])}) == set()
    assert await db.fetchval("SELECT count(*) FROM lease_journal") == 0


async def test_rows_say_soon_that_a_message_is_on_its_way(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id, claim = await _claimed(engine, runtime, db, times, 2)
    writer = LedgerWriter(runtime.pool, delivery_id, "email", 0, times)
    writer.start()
    assert await writer.hand_over(_intents(claim)[0])
    await writer.flush()
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.HANDED_OVER
    assert (await outcome_of(db, delivery_id, 2))[0] is LedgerState.CLAIMED
    await writer.close()


async def test_a_message_that_is_settled_is_not_handed_over_again(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id, claim = await _claimed(engine, runtime, db, times, 1)
    writer = LedgerWriter(runtime.pool, delivery_id, "email", 0, times)
    writer.start()
    rule = RetryRule(first=LIFE, longest=LIFE, deadline=times() + LIFE)
    gate = BatchGate(writer, claim.rows, claim.lease_id, rule, times)
    assert await gate.hand_over(0)
    gate.settle(0, Outcome(kind=OutcomeKind.ACCEPTED))
    assert not await gate.hand_over(0)
    await writer.close()
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.ACCEPTED
