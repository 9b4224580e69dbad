"""A delivery that names a service or a purpose: who is left out at preparation, and who at the claim."""

from __future__ import annotations

from datetime import timedelta

from channels.contract import AddressKind, FailureReason
from core.access import SYSTEM
from core.consent.preferences import Person, get_preferences
from core.consent.purposes import decide, update_purpose
from core.consent.records import Act, Choice, Decision, Outcome, SubscriptionState
from core.db import Connection
from core.delivery import lifecycle, reading, versions
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState, LedgerState
from core.delivery.store import leases
from core.planning.deliveries import update_delivery
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles, undo_merge
from core.runtime import Runtime
from tests.core.consent.made import a_purpose, a_service, join, leave
from tests.core.delivery.people import Times, add_people, check_equation, confirmed, new_delivery, outcome_of, prepared

NO_SUBSCRIBER, NOT_AGREED = FailureReason.LEFT_AUDIENCE, FailureReason.EXCLUDED_BY_RULE
PENDING = (LedgerState.PENDING, FailureReason.NOT_DEFINED)


async def _claim(db: Connection, delivery_id: int, times: Times) -> list[int]:
    await db.execute("UPDATE delivery_run SET state = 55 WHERE delivery_id = $1", delivery_id)
    async with db.transaction():
        claim = await leases.claim(
            db, delivery_id=delivery_id, account_id=1, address_kind="email", worker="a", connections=5, limit=50,
            slot=1, cursor=None, now=times(), expires_at=times() + timedelta(seconds=30),
            hash_keys=(),
        )  # fmt: skip
    assert claim is not None
    return [row.recipient_id for row in claim.rows]


async def test_only_subscribers_get_what_names_a_service(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    # Given a subscriber, one who waits for confirmation, one whose time is over, one who left, and a stranger
    await add_people(db, 7)
    service, asks = await a_service(db), await a_service(db, "asks", double_opt_in=True)
    await join(db, service, 1, 5, 6, 7, now=times())
    await join(db, service, 2, now=times(), expires_at=times() + timedelta(minutes=1))
    await join(db, service, 7, now=times(), expires_at=times() + timedelta(hours=1))
    await join(db, asks, 3, now=times())
    times.move(minutes=1)
    await leave(db, service, 5, now=times())
    delivery_id = await new_delivery(runtime, db)
    await update_delivery(db, SYSTEM, delivery_id, {"service_id": service})

    counts = await prepared(engine, runtime, db, delivery_id)

    excluded = (LedgerState.EXCLUDED, NO_SUBSCRIBER)
    assert [await outcome_of(db, delivery_id, one) for one in range(1, 8)] == [PENDING, *[excluded] * 4, PENDING, PENDING]
    assert (counts.targeted, counts.pending) == (7, 3)
    assert "not subscribed" in (await reading.explain(db, delivery_id, 4)).summary

    # When one of them leaves and the time of another is over, before the messages are taken
    await confirmed(db, runtime, delivery_id)
    await leave(db, service, 6, now=times())
    times.move(hours=1)
    assert await _claim(db, delivery_id, times) == [1]
    assert await outcome_of(db, delivery_id, 6) == (LedgerState.WITHDRAWN, NO_SUBSCRIBER)
    assert await outcome_of(db, delivery_id, 7) == (LedgerState.WITHDRAWN, NO_SUBSCRIBER)
    await check_equation(db, delivery_id)


async def test_a_purpose_is_agreed_to_or_not_refused(engine: Engine, runtime: Runtime, db: Connection, times: Times) -> None:
    await add_people(db, 4)
    purpose = await a_purpose(db)
    delivery_id = await new_delivery(runtime, db)
    await update_delivery(db, SYSTEM, delivery_id, {"purpose_id": purpose})

    async def say(granted: bool, *people: int) -> None:
        choices = [Choice(purpose_id=purpose, profile_id=one, granted=granted) for one in people]
        await decide(db, SYSTEM, choices, now=times())

    await say(True, 1, 2)
    await say(False, 3)
    await prepared(engine, runtime, db, delivery_id)
    excluded = (LedgerState.EXCLUDED, NOT_AGREED)
    assert [await outcome_of(db, delivery_id, one) for one in range(1, 5)] == [PENDING, PENDING, excluded, excluded]

    # When the purpose needs no consent any more, what was prepared does not stand
    await update_purpose(db, SYSTEM, purpose, {"needs_consent": False})
    async with db.transaction():
        assert await versions.changed_since(db, await lifecycle.get_run(db, delivery_id), runtime.clock()) == ["the purpose"]
    await prepared(engine, runtime, db, delivery_id)
    assert [await outcome_of(db, delivery_id, one) for one in range(1, 5)] == [PENDING, PENDING, excluded, PENDING]
    await confirmed(db, runtime, delivery_id)
    times.move(seconds=1)
    await say(False, 2)
    assert await _claim(db, delivery_id, times) == [1, 4]
    assert await outcome_of(db, delivery_id, 2) == (LedgerState.WITHDRAWN, NOT_AGREED)
    await check_equation(db, delivery_id)


async def test_a_service_of_another_channel_is_told(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1)
    delivery_id = await new_delivery(runtime, db)
    sms = await a_service(db, "sms", address_kind=AddressKind.MOBILE)
    await update_delivery(db, SYSTEM, delivery_id, {"service_id": sms})
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is not DeliveryState.READY
    assert run.error is not None
    assert run.error["code"] == "SERVICE_MISMATCH"


async def test_what_the_survivor_left_or_refused_holds_for_whoever_is_merged(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 8)
    service, purpose = await a_service(db), await a_purpose(db, needs_consent=False)
    await join(db, service, 1, 2, 3, 4, 6, now=times())
    delivery_id = await new_delivery(runtime, db, audience="id < 5")
    await update_delivery(db, SYSTEM, delivery_id, {"service_id": service, "purpose_id": purpose})
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)

    times.move(minutes=1)
    for survivor, other in ((6, 2), (7, 3), (8, 4)):
        async with db.transaction():
            await merge_profiles(db, SYSTEM, MergePlan(survivor_id=survivor, other_ids=(other,)), now=times())
    await leave(db, service, 6, now=times())
    await decide(db, SYSTEM, [Choice(purpose_id=purpose, profile_id=7, granted=False)], now=times())

    assert await _claim(db, delivery_id, times) == [1, 4]  # the last one's survivor has said nothing
    assert await outcome_of(db, delivery_id, 2) == (LedgerState.WITHDRAWN, NO_SUBSCRIBER)
    assert await outcome_of(db, delivery_id, 3) == (LedgerState.WITHDRAWN, NOT_AGREED)
    await check_equation(db, delivery_id)


async def _merge(db: Connection, times: Times, survivor: int, other: int) -> int:
    async with db.transaction():
        return (await merge_profiles(db, SYSTEM, MergePlan(survivor_id=survivor, other_ids=(other,)), now=times())).id


async def test_of_people_who_are_one_the_strictest_word_counts_until_they_say_otherwise(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    # Given survivors 1 to 5 and who becomes one with them, 11 to 15
    await add_people(db, 15)
    service, purpose = await a_service(db), await a_purpose(db)

    async def say(granted: bool, *people: int) -> None:
        choices = [Choice(purpose_id=purpose, profile_id=one, granted=granted) for one in people]
        await decide(db, SYSTEM, choices, now=times())

    await say(True, 1, 2, 3, 4, 14, 15)
    await join(db, service, 1, 2, 3, 13, 15, 12, now=times())
    times.move(minutes=1)
    await say(False, 11)
    await leave(db, service, 12, now=times())
    by_service = await new_delivery(runtime, db, audience="id < 6")
    by_purpose = await new_delivery(runtime, db, name="summer", audience="id < 6")
    await update_delivery(db, SYSTEM, by_service, {"service_id": service})
    await update_delivery(db, SYSTEM, by_purpose, {"purpose_id": purpose})

    async def reached(delivery: int) -> list[int]:
        await prepared(engine, runtime, db, delivery)
        return [n for n in range(1, 6) if await outcome_of(db, delivery, n) == PENDING]

    assert (await reached(by_service), await reached(by_purpose)) == ([1, 2, 3], [1, 2, 3, 4])
    times.move(minutes=1)
    merges = [await _merge(db, times, n, n + 10) for n in range(1, 6)]

    # Then a refusal of one and an end of another hold; so does what was agreed to where nobody says no
    assert (await reached(by_service), await reached(by_purpose)) == ([1, 3, 5], [2, 3, 4, 5])
    shown = await get_preferences(db, SYSTEM, Person(profile_id=1, by_own_link=False), now=times())
    assert shown.purposes[0].decision is Decision.REFUSED
    shown = await get_preferences(db, SYSTEM, Person(profile_id=2, by_own_link=False), now=times())
    assert shown.services[0].subscription is not None
    assert shown.services[0].subscription.state is SubscriptionState.UNSUBSCRIBED

    # What is said for earlier changes nothing, what the person says now does, though the survivor had said so before
    times.move(minutes=1)
    late = Act(happened_at=times() - timedelta(minutes=2))
    await decide(db, SYSTEM, [Choice(purpose_id=purpose, profile_id=1, granted=True)], late, now=times())
    assert await reached(by_purpose) == [2, 3, 4, 5]
    await say(True, 1)
    assert await join(db, service, 2, now=times()) == [Outcome.SUBSCRIBED]
    assert (await reached(by_service), await reached(by_purpose)) == ([1, 2, 3, 5], [1, 2, 3, 4, 5])
    assert await join(db, service, 2, now=times()) == [Outcome.UNCHANGED]

    # And whoever is separated again is asked alone
    for merge in reversed(merges):
        async with db.transaction():
            await undo_merge(db, SYSTEM, merge, now=times())
    assert (await reached(by_service), await reached(by_purpose)) == ([1, 2, 3], [1, 2, 3, 4])


async def test_what_a_merge_brings_holds_at_the_claim_and_not_when_it_is_undone(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 6)
    service, purpose = await a_service(db), await a_purpose(db)
    await join(db, service, 1, 2, 3, 5, now=times())
    choices = [Choice(purpose_id=purpose, profile_id=one, granted=one != 6) for one in (1, 2, 3, 6)]
    await decide(db, SYSTEM, choices, now=times())
    await leave(db, service, 5, now=times())
    delivery_id = await new_delivery(runtime, db, audience="id < 4")
    await update_delivery(db, SYSTEM, delivery_id, {"service_id": service, "purpose_id": purpose})
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    times.move(minutes=1)
    await _merge(db, times, 1, 5)
    await _merge(db, times, 2, 6)
    undone = await _merge(db, times, 3, 4)
    async with db.transaction():
        await undo_merge(db, SYSTEM, undone, now=times())

    assert await _claim(db, delivery_id, times) == [3]
    assert await outcome_of(db, delivery_id, 1) == (LedgerState.WITHDRAWN, NO_SUBSCRIBER)
    assert await outcome_of(db, delivery_id, 2) == (LedgerState.WITHDRAWN, NOT_AGREED)
    await check_equation(db, delivery_id)
