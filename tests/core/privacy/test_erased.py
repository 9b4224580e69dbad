"""Addresses of people who were erased are asked for when rows are claimed, as when they are prepared."""

from __future__ import annotations

from datetime import timedelta

from channels.contract import FailureReason
from core.db import Connection
from core.delivery import ending
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.privacy.records import RequestKind, RequestState
from core.profiles import erased
from core.runtime import Runtime
from tests.core.delivery.people import Times, add_person, check_equation, confirmed, new_delivery, outcome_of, prepared
from tests.core.privacy.asking import done

GRANTED = """
INSERT INTO consent_entry (profile_id, channel, decision, origin, actor, happened_at, recorded_at)
VALUES ($1, 'email', 'granted', $2, 'test', $3, $3)
"""


async def test_who_was_erased_since_the_preparation_is_withdrawn_unless_they_opted_in_again(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    names = ("erased", "spared", "again", "imported", "late", "other")
    people = {name: await add_person(db, f"{name}@mail.example") for name in names}
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)

    addresses = [("email", f"{name}@mail.example") for name in names if name != "other"]
    await erased.keep_out(db, runtime.keyring, addresses, [people["spared"]], times())
    await db.execute(GRANTED, people["again"], "preference page", times() + timedelta(seconds=1))
    await db.execute(GRANTED, people["imported"], "import:7", times() + timedelta(seconds=1))
    await db.execute(GRANTED, people["late"], "preference page", times() - timedelta(days=1))
    times.move(seconds=5)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)

    found = {name: await outcome_of(db, delivery_id, one) for name, one in people.items()}
    gone = (LedgerState.WITHDRAWN, FailureReason.ERASED)
    had = (LedgerState.ACCEPTED, FailureReason.NOT_DEFINED)
    assert found == {"erased": gone, "spared": had, "again": had, "imported": gone, "late": gone, "other": had}
    await check_equation(db, delivery_id)

    # And the next preparation says the same
    again = await new_delivery(runtime, db, name="summer")
    counts = await prepared(engine, runtime, db, again)
    assert (counts.excluded, counts.pending) == (3, 3)


async def test_an_erasure_in_the_middle_of_a_preparation_is_withdrawn_at_the_claim(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    ann, bob = await add_person(db, "ann@mail.example"), await add_person(db, "bob@mail.example")
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)

    request = await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")
    assert request.state is RequestState.COMPLETE
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)

    assert await outcome_of(db, delivery_id, ann) == (LedgerState.WITHDRAWN, FailureReason.PROFILE_DELETED)
    assert (await outcome_of(db, delivery_id, bob))[0] is LedgerState.ACCEPTED
    await check_equation(db, delivery_id)
