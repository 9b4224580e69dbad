"""Traps carry values of a member of the target: with that member these go."""

from __future__ import annotations

from channels.contract import FailureReason
from core.db import Connection
from core.delivery import ending
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.privacy.records import RequestKind, RequestState
from core.runtime import Runtime
from tests.core.delivery.people import add_person, check_equation, confirmed, new_delivery, prepared
from tests.core.delivery.test_traps import add_trap, set_traps, trap_row
from tests.core.privacy.asking import done

ANN = "ann@mail.example"


async def erase(runtime: Runtime, address: str) -> None:
    request = await done(runtime, RequestKind.DELETE, "email", address)
    assert (request.state, request.error) == (RequestState.COMPLETE, None)


async def send(engine: Engine, runtime: Runtime, db: Connection, delivery_id: int) -> None:
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)


async def test_what_a_trap_says_of_a_member_goes_with_the_member(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given two traps, of which one has a name of its own, in two deliveries: one was sent, one waits
    await add_person(db, ANN, first_name="Annabel")
    whole, empty = await add_trap(db, first_name="Tara"), await add_trap(db, "empty@mail.example")
    sent, waiting = await new_delivery(runtime, db), await new_delivery(runtime, db, name="later")
    for one in (sent, waiting):
        await set_traps(db, runtime, one, whole, empty)
        await prepared(engine, runtime, db, one)
    await send(engine, runtime, db, sent)
    before = await trap_row(db, sent, empty)
    assert before.values["first_name"] == "Annabel"

    # When the only member is erased
    await add_person(db, "bob@mail.example")
    await erase(runtime, ANN)

    # Then nothing of her stays, what was sent is still counted, and what was not is not sent
    for delivery_id in (sent, waiting):
        for trap in (whole, empty):
            row = await trap_row(db, delivery_id, trap)
            assert (row.values, row.address) == (None, None)
    assert (await trap_row(db, sent, empty)).state is LedgerState.ACCEPTED
    await send(engine, runtime, db, waiting)
    row = await trap_row(db, waiting, empty)
    assert (row.state, row.reason) == (LedgerState.WITHDRAWN, FailureReason.PROFILE_DELETED)
    for delivery_id in (sent, waiting):
        await check_equation(db, delivery_id)


async def test_traps_with_values_of_others_stay_as_they_are(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, ANN, first_name="Annabel")
    trap = await add_trap(db)
    delivery_id = await new_delivery(runtime, db)
    await set_traps(db, runtime, delivery_id, trap)
    await prepared(engine, runtime, db, delivery_id)
    await add_person(db, "bob@mail.example", first_name="Bob")

    await erase(runtime, "bob@mail.example")

    row = await trap_row(db, delivery_id, trap)
    assert row.values is not None
    assert row.values["first_name"] == "Annabel"


async def test_a_trap_with_the_address_of_somebody_erased_is_not_written_to(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    """The team has made a test profile of her; the proof names it, for the team to change."""
    await add_person(db, ANN, first_name="Annabel")
    await add_person(db, "bob@mail.example", first_name="Bob")
    trap = await add_trap(db, ANN, first_name="Tara")
    delivery_id = await new_delivery(runtime, db)
    await set_traps(db, runtime, delivery_id, trap)
    await prepared(engine, runtime, db, delivery_id)

    request = await done(runtime, RequestKind.DELETE, "email", ANN)

    assert request.proof is not None
    assert request.proof["quoted_by_authors"] == {"test_profile": 1}
    assert (await trap_row(db, delivery_id, trap)).address is None
    await send(engine, runtime, db, delivery_id)
    assert (await trap_row(db, delivery_id, trap)).state is LedgerState.WITHDRAWN
    again = await new_delivery(runtime, db, name="again")
    await set_traps(db, runtime, again, trap)
    await prepared(engine, runtime, db, again)
    row = await trap_row(db, again, trap)
    assert (row.state, row.reason, row.values) == (LedgerState.EXCLUDED, FailureReason.ERASED, None)
