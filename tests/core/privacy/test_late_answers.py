"""What providers say of somebody after the erasure: the row in doubt is settled and counted, nothing personal comes back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from channels.contract import FailureReason
from core.access import SYSTEM
from core.db import Connection
from core.delivery import doubt, ending, lease_ends, settling
from core.delivery.doubt import Decision
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.delivery.retries import AddressVerdict, Verdict
from core.delivery.store import journal, leases
from core.delivery.store.journal import Entry
from core.delivery.store.moves import Intent, Settlement
from core.privacy.records import RequestKind, RequestState
from core.privacy.work import work
from core.profiles import refusals
from core.runtime import Runtime
from tests.core.delivery.people import Times, add_person, check_equation, confirmed, new_delivery, outcome_of, prepared
from tests.core.privacy.asking import ask, done, get

ANN, BOB = "ann.marker@mail.example", "bob@mail.example"
ANSWER = f"550 5.1.1 <{ANN}>: no such user"


async def handed_over(engine: Engine, runtime: Runtime, db: Connection, now: Times) -> tuple[int, list[Intent]]:
    """A delivery to both whose worker has handed their messages over, and fell silent."""
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, now())
    async with db.transaction():
        claim = await leases.claim(
            db, delivery_id=delivery_id, account_id=1, address_kind="email", worker="a", connections=5, limit=10, slot=1,
            cursor=None, now=now(), expires_at=now() + timedelta(seconds=30), hash_keys=(),
        )  # fmt: skip
    assert claim is not None
    intents = [Intent((row.recipient_kind, row.recipient_id, row.occurrence), claim.lease_id) for row in claim.rows]
    assert await journal.append(db, delivery_id, {claim.lease_id: Entry(intents, [])}) == {claim.lease_id}
    return delivery_id, intents


def told(intent: Intent, address: str, verdict: AddressVerdict) -> Settlement:
    state = Verdict(state=LedgerState.FAILED, reason=FailureReason.USER_UNKNOWN, address=verdict)
    return Settlement(intent.key, intent.lease_id, state, True, f"id-{address}", ANSWER.replace(ANN, address), address)


async def nothing_of(db: Connection, word: str) -> bool:
    """Whether nothing of a word stands in what sending writes to."""
    for table in ("ledger", "quarantine", "delivery_log", "lease_journal", "audit_entry", "tracking_event", "short_code_stop"):
        for row in await db.fetch(f"SELECT * FROM {table}"):
            if re.search(word, str(tuple(row.values())), re.IGNORECASE):
                return False
    return True


@pytest.mark.parametrize("verdict", [AddressVerdict.HARD, AddressVerdict.SOFT])
async def test_a_bounce_after_the_erasure_settles_a_row_that_is_nobodys(
    engine: Engine, runtime: Runtime, db: Connection, times: Times, verdict: AddressVerdict
) -> None:
    # Given two messages in doubt, and that the recipient of one is erased
    ann, bob = await add_person(db, ANN), await add_person(db, BOB)
    delivery_id, intents = await handed_over(engine, runtime, db, times)
    asked = await ask(runtime, RequestKind.DELETE, "email", ANN)
    await work(runtime)
    assert (await get(runtime, asked)).waits_for == "sending"
    times.move(seconds=31)
    async with db.transaction():
        assert [one.unknown for one in await lease_ends.reap(db, times())] == [2]
    await work(runtime)
    assert (await get(runtime, asked)).state is RequestState.COMPLETE
    assert await nothing_of(db, "marker")

    # When the worker wakes up late with what the provider has said of both
    late = [told(one, ANN if one.key[1] == ann else BOB, verdict) for one in intents]
    async with db.transaction():
        await settling.write(db, delivery_id, "email", 1, [], late, times())

    # Then both rows are settled and counted, but only the other's address is blamed and its answer kept
    failed = (LedgerState.FAILED, FailureReason.USER_UNKNOWN)
    assert (await outcome_of(db, delivery_id, ann), await outcome_of(db, delivery_id, bob)) == (failed, failed)
    await check_equation(db, delivery_id)
    assert await nothing_of(db, "marker")
    assert [row["address_key"] for row in await db.fetch("SELECT address_key FROM quarantine")] == [BOB]
    rows = await db.fetch("SELECT recipient_id, provider_id, answer FROM ledger ORDER BY recipient_id")
    assert [tuple(row) for row in rows] == [(ann, None, None), (bob, f"id-{BOB}", ANSWER.replace(ANN, BOB))]


async def test_an_answer_while_the_message_is_under_way_is_not_kept_either(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    """The erasure has emptied the row before the answer, and waits for it."""
    ann = await add_person(db, ANN)
    delivery_id, (intent,) = await handed_over(engine, runtime, db, times)
    asked = await ask(runtime, RequestKind.DELETE, "email", ANN)
    await work(runtime)
    async with db.transaction():
        await settling.write(db, delivery_id, "email", 1, [intent], [], times())
        await settling.write(db, delivery_id, "email", 1, [], [told(intent, ANN, AddressVerdict.HARD)], times())
        await lease_ends.end(db, intent.lease_id, settled=1, invalid=1, refused=0, now=times())
    await work(runtime)
    request = await get(runtime, asked)
    assert (request.state, request.waits_for) == (RequestState.COMPLETE, None)
    assert await outcome_of(db, delivery_id, ann) == (LedgerState.FAILED, FailureReason.USER_UNKNOWN)
    assert await nothing_of(db, "marker")
    await check_equation(db, delivery_id)


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        (Decision.ACCEPTED, LedgerState.ACCEPTED),
        (Decision.FAILED, LedgerState.FAILED),
        (Decision.RESEND, LedgerState.WITHDRAWN),
    ],
)
async def test_an_operator_settles_what_is_in_doubt_and_nobody_is_written_to(
    engine: Engine, runtime: Runtime, db: Connection, times: Times, decision: Decision, state: LedgerState
) -> None:
    ann = await add_person(db, ANN)
    delivery_id, _ = await handed_over(engine, runtime, db, times)
    times.move(seconds=31)
    async with db.transaction():
        await lease_ends.reap(db, times())
    assert (await done(runtime, RequestKind.DELETE, "email", ANN)).state is RequestState.COMPLETE

    async with db.transaction():
        assert await doubt.settle_doubtful(db, SYSTEM, delivery_id, decision, times()) == 1
    await engine.sending.run(delivery_id)

    assert (await outcome_of(db, delivery_id, ann))[0] is state
    assert await nothing_of(db, "marker")
    await check_equation(db, delivery_id)


async def test_complaints_and_stops_of_whoever_was_erased_are_not_kept(runtime: Runtime, db: Connection) -> None:
    """They are not written to anyway; whoever has the address by now is heard."""
    phone, other = "+33698765432", "+33611111111"
    await add_person(db, ANN, mobile_phone=phone)
    await add_person(db, BOB, mobile_phone=other)
    assert (await done(runtime, RequestKind.DELETE, "email", ANN)).state is RequestState.COMPLETE

    async def tell(*addresses: str) -> list[int]:
        async with db.transaction():
            common: dict[str, Any] = {"text": "told us", "now": runtime.clock()}
            mail = [one for one in addresses if "@" in one]
            calls = [one for one in addresses if "@" not in one]
            return [
                await refusals.record_complaint(db, SYSTEM, runtime.keyring, "email", mail, **common),
                await refusals.record_stop(db, SYSTEM, runtime.keyring, calls, **common),
                await refusals.record_stop(db, SYSTEM, runtime.keyring, calls, short_code="12345", **common),
            ]

    assert await tell(ANN.title(), BOB, "+33 6 98 76 54 32", other) == [1, 1, 1]
    assert await nothing_of(db, "marker|98765432")
    assert {row["address_key"] for row in await db.fetch("SELECT address_key FROM quarantine")} == {BOB, other}
    assert [row["address_key"] for row in await db.fetch("SELECT address_key FROM short_code_stop")] == [other]

    await add_person(db, ANN, mobile_phone=phone)
    assert await tell(ANN, phone) == [1, 1, 1]
