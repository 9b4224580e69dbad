"""Subscribing and leaving: a result for each row, a history, and nothing older counts against what was said later."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM, Actor
from core.audit import list_entries
from core.consent import ledger, subscriptions
from core.consent.preferences import Person, confirm_subscription
from core.consent.purposes import decide
from core.consent.records import Act, Choice, Confirmation, EventKind, Evolution, Outcome, SubscriptionState, Wish
from core.db import Connection, Pool, transaction
from core.errors import Forbidden, Invalid, NotFound
from core.paging import PageRequest
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.profiles.profiles import delete_profile
from tests.core.consent.made import NOW, a_person, a_purpose, a_service, join, leave

PAGE = PageRequest(first=50)
DAY = timedelta(days=1)


async def test_one_bad_row_never_fails_the_others(conn: Connection) -> None:
    service, closed = await a_service(conn), await a_service(conn, "closed", ends_at=NOW)
    ann, bob = await a_person(conn), await a_person(conn)
    rows = [(service, ann), (service, 10**9), (service, bob), (service, ann), (closed, bob), (10**9, bob)]

    wishes = [Wish(service_id=one, profile_id=person) for one, person in rows]
    done = await subscriptions.subscribe(conn, SYSTEM, wishes, now=NOW)

    assert [(one.service_id, one.profile_id) for one in done] == rows
    assert [one.outcome for one in done] == [
        Outcome.SUBSCRIBED, Outcome.PROFILE_NOT_FOUND, Outcome.SUBSCRIBED, Outcome.REPEATED, Outcome.SERVICE_NOT_OPEN,
        Outcome.SERVICE_NOT_FOUND,
    ]  # fmt: skip
    found = await subscriptions.list_subscribers(conn, service, PageRequest(first=1), now=NOW)
    assert ([one.profile_id for one in found.rows], found.has_next) == ([ann], True)
    found = await subscriptions.list_subscribers(conn, service, PageRequest(first=1, after=ann), now=NOW)
    assert ([one.profile_id for one in found.rows], found.has_next) == ([bob], False)
    assert await subscriptions.count_subscribers(conn, [service, closed], now=NOW) == {service: 2}
    (told,) = await list_entries(conn, object_type="service", object_ids=[str(service)], before_id=None, limit=1)
    assert (told.action, told.changes) == ("service.subscribe", {"profiles": 2})


async def test_a_subscription_is_confirmed_ends_and_has_its_history(conn: Connection) -> None:
    service = await a_service(conn, double_opt_in=True, validity=30 * DAY, subscribe_confirmation=Confirmation.DEFAULT)
    ann = await a_person(conn)
    me = Person(profile_id=ann, by_own_link=True)

    assert await join(conn, service, ann) == [Outcome.REQUESTED]
    assert await join(conn, service, ann) == [Outcome.UNCHANGED]
    assert await subscriptions.count_subscribers(conn, [service], now=NOW) == {}
    done = await confirm_subscription(conn, SYSTEM, me, service, Act(), now=NOW + DAY)
    assert (done.outcome, done.first_time, done.confirmation) == (Outcome.CONFIRMED, True, Confirmation.DEFAULT)
    again = await confirm_subscription(conn, SYSTEM, me, service, Act(), now=NOW + DAY)
    assert again.outcome is Outcome.UNCHANGED
    assert await join(conn, service, ann, now=NOW + DAY) == [Outcome.UNCHANGED]  # a confirmed one is not asked again
    # It is over on the minute, whether the sweep has run or not, and the sweep ends it once
    end = NOW + 31 * DAY
    assert await subscriptions.count_subscribers(conn, [service], now=end - timedelta(seconds=1)) == {service: 1}
    assert await subscriptions.count_subscribers(conn, [service], now=end) == {}
    assert (await subscriptions.expire(conn, end), await subscriptions.expire(conn, end)) == (1, 0)
    # The second time nothing is due, for it is not the first one
    wish = Wish(service_id=service, profile_id=ann)
    (done,) = await subscriptions.subscribe(conn, SYSTEM, [wish], now=end, confirmed=True)
    assert (done.outcome, done.first_time, done.confirmation) == (Outcome.SUBSCRIBED, False, Confirmation.NONE)

    told = (await subscriptions.list_events(conn, ann, PAGE, service_id=service)).rows[::-1]
    assert [one.kind for one in told] == [
        EventKind.REQUESTED, EventKind.CONFIRMED, EventKind.EXPIRED, EventKind.SUBSCRIBED
    ]  # fmt: skip
    assert (told[2].happened_at, told[2].state) == (end, SubscriptionState.EXPIRED)
    days = await subscriptions.evolution(conn, service, NOW, end + DAY, ZoneInfo("UTC"))
    assert [(one.subscribed, one.expired) for one in days] == [(0, 0), (1, 0), (1, 1)]
    assert days[0] == Evolution(day=NOW.date(), requested=1, subscribed=0, unsubscribed=0, expired=0)
    assert await ledger.find_differences(conn) == []


async def test_who_does_not_confirm_in_time_is_no_subscriber(conn: Connection) -> None:
    service, ann = await a_service(conn, double_opt_in=True, confirm_within=DAY), await a_person(conn)
    await join(conn, service, ann)
    me = Person(profile_id=ann, by_own_link=True)
    late = await confirm_subscription(conn, SYSTEM, me, service, Act(), now=NOW + DAY)
    assert late.outcome is Outcome.NOT_PENDING
    assert await subscriptions.expire(conn, NOW + DAY) == 1
    assert await join(conn, service, ann, now=NOW + DAY) == [Outcome.REQUESTED]
    with pytest.raises(NotFound, match="service"):
        await confirm_subscription(conn, SYSTEM, me, 10**9, Act(), now=NOW)


async def test_what_was_said_last_counts(conn: Connection) -> None:
    service, ann = await a_service(conn), await a_person(conn)
    await join(conn, service, ann)
    assert await leave(conn, service, ann, now=NOW + 2 * DAY) == [Outcome.UNSUBSCRIBED]
    assert await leave(conn, service, ann, now=NOW + 4 * DAY) == [Outcome.UNCHANGED]
    form = Act(origin="paper", happened_at=NOW + 3 * DAY)
    for _ in range(2):
        assert await join(conn, service, ann, now=NOW + 5 * DAY, act=form) == [Outcome.LATE]
    entries = (await ledger.list_entries(conn, ann, PAGE)).rows
    assert [one.decision.value for one in entries] == ["granted", "withdrawn", "withdrawn", "granted"]
    assert (entries[0].happened_at, entries[0].recorded_at) == (NOW + 3 * DAY, NOW + 5 * DAY)
    assert await subscriptions.count_subscribers(conn, [service], now=NOW + 5 * DAY) == {}
    assert await join(conn, service, ann, now=NOW + 5 * DAY, act=Act(happened_at=NOW + 4 * DAY)) == [Outcome.SUBSCRIBED]


async def test_an_end_of_its_own(conn: Connection) -> None:
    service, ann = await a_service(conn), await a_person(conn)
    assert await join(conn, service, ann, expires_at=NOW) == [Outcome.EXPIRY_IN_PAST]
    assert await join(conn, service, ann, expires_at=NOW + DAY) == [Outcome.SUBSCRIBED]
    assert await join(conn, service, ann, expires_at=NOW + DAY) == [Outcome.UNCHANGED]
    assert await join(conn, service, ann, expires_at=NOW + 2 * DAY) == [Outcome.RENEWED]
    assert await subscriptions.expire(conn, NOW + DAY) == 0


async def test_another_end_is_said_when_it_is_said_and_not_when_the_subscription_began(conn: Connection) -> None:
    service, ann = await a_service(conn), await a_person(conn)
    await join(conn, service, ann)
    assert await join(conn, service, ann, now=NOW + 4 * DAY, expires_at=NOW + 30 * DAY) == [Outcome.RENEWED]
    form = Act(origin="paper", happened_at=NOW + 2 * DAY)
    assert await leave(conn, service, ann, now=NOW + 5 * DAY, act=form) == [Outcome.LATE]
    assert await join(conn, service, ann, now=NOW + 5 * DAY, act=form, expires_at=NOW + 9 * DAY) == [Outcome.LATE]
    (found,) = (await subscriptions.list_subscribers(conn, service, PAGE, now=NOW + 5 * DAY)).rows
    assert (found.since, found.expires_at) == (NOW, NOW + 30 * DAY)
    assert await leave(conn, service, ann, now=NOW + 5 * DAY) == [Outcome.UNSUBSCRIBED]
    assert await ledger.find_differences(conn) == []


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (Act(origin="x" * 101), "BAD_ORIGIN"),
        (Act(origin="a\nb"), "BAD_ORIGIN"),
        (Act(proof={"a": "\0"}), "BAD_PROOF"),
        (Act(proof={"a": "x" * 20_000}), "BAD_PROOF"),
        (Act(happened_at=NOW + DAY), "BAD_MOMENT"),
        (Act(happened_at=NOW.replace(tzinfo=None)), "BAD_MOMENT"),
        (Act(wording_id=10**9), "CONSENT_WORDING_NOT_FOUND"),
    ],
)
async def test_what_cannot_be_kept_as_proof_is_refused(conn: Connection, act: Act, code: str) -> None:
    service, ann = await a_service(conn), await a_person(conn)
    with pytest.raises((Invalid, NotFound)) as told:
        await join(conn, service, ann, act=act)
    assert told.value.code == code
    assert (await ledger.list_entries(conn, ann, PAGE)).rows == []


async def test_it_is_for_who_may_edit(conn: Connection) -> None:
    nobody = Actor(name="x", permissions=frozenset())
    with pytest.raises(Forbidden):
        await subscriptions.subscribe(conn, nobody, [], now=NOW)
    with pytest.raises(Forbidden):
        await subscriptions.unsubscribe(conn, nobody, [], now=NOW)


async def test_two_at_once_subscribe_everybody_once(pool: Pool) -> None:
    async with transaction(pool) as conn:
        service = await a_service(conn)
        people = [await a_person(conn) for _ in range(30)]

    async def some(order: int) -> list[Outcome]:
        async with transaction(pool) as conn:
            return await join(conn, service, *people[::order])

    found = await asyncio.gather(some(1), some(-1), some(1), some(-1))
    assert sum(one.count(Outcome.SUBSCRIBED) for one in found) == 30
    assert sum(one.count(Outcome.UNCHANGED) for one in found) == 90
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM subscription_event") == 30
        await delete_profile(conn, SYSTEM, people[0])
        assert await subscriptions.count_subscribers(conn, [service], now=NOW) == {service: 29}


async def test_who_is_deleted_is_subscribed_no_more_and_neither_is_who_was_merged_into_them(conn: Connection) -> None:
    service, purpose = await a_service(conn), await a_purpose(conn)
    ann, bea, cat = [await a_person(conn) for _ in range(3)]
    await join(conn, service, ann, bea, cat)
    await decide(conn, SYSTEM, [Choice(purpose_id=purpose, profile_id=one, granted=True) for one in (ann, bea, cat)], now=NOW)
    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=NOW)

    await delete_profile(conn, SYSTEM, ann)

    left = "SELECT array_agg(profile_id) FROM "
    assert await conn.fetchval(left + "subscription") == await conn.fetchval(left + "purpose_consent") == [cat]
    assert await ledger.find_differences(conn) == []
