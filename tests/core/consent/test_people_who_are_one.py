"""People who are one by a merge: what is said to a service or a purpose is said for all of them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM
from core.consent import ledger, preferences, subscriptions
from core.consent.preferences import Person, PreferenceChanges, get_preferences
from core.consent.purposes import decide
from core.consent.records import Act, Choice, Confirmation, Decision, EventKind, Outcome, SubscriptionState, Wish
from core.db import Connection, Pool, transaction
from core.paging import PageRequest
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.targeting.audiences import open_question, sample
from core.targeting.parse import parse_text
from tests.core.consent.made import NOW, a_person, a_purpose, a_service, join, leave

PAGE = PageRequest(first=50)
DAY = timedelta(days=1)
ACTIVE, UNSUBSCRIBED = SubscriptionState.ACTIVE, SubscriptionState.UNSUBSCRIBED


async def become_one(conn: Connection, survivor: int, *others: int, now: datetime) -> None:
    """Merge them."""
    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=survivor, other_ids=others), now=now)


async def shown(conn: Connection, profile: int, now: datetime) -> SubscriptionState | None:
    """How the preference page says that it stands with the one service there is."""
    page = await get_preferences(conn, SYSTEM, Person(profile_id=profile, by_own_link=False), now=now)
    (service,) = page.services
    return None if service.subscription is None else service.subscription.state


async def stored(conn: Connection) -> dict[int, str]:
    """States by profile, of the one service there is."""
    return {row["profile_id"]: row["state"] for row in await conn.fetch("SELECT profile_id, state FROM subscription")}


async def test_who_leaves_ends_what_merged_profiles_have_too(conn: Connection) -> None:
    service = await a_service(conn)
    ann, bea, cat = [await a_person(conn) for _ in range(3)]
    await join(conn, service, bea, cat)
    await become_one(conn, ann, bea, cat, now=NOW + DAY)
    assert await shown(conn, ann, NOW + DAY) is ACTIVE

    me, wanted = Person(profile_id=ann, by_own_link=True), PreferenceChanges(services={service: False})
    (done,) = await preferences.set_preferences(conn, SYSTEM, me, wanted, Act(origin="page"), now=NOW + 2 * DAY)

    assert done.outcome is Outcome.UNSUBSCRIBED
    assert await shown(conn, ann, NOW + 2 * DAY) is UNSUBSCRIBED
    assert await stored(conn) == {bea: "unsubscribed", cat: "unsubscribed"}
    told = (await subscriptions.list_events(conn, ann, PAGE)).rows
    assert {(one.profile_id, one.kind) for one in told[:2]} == {(one, EventKind.UNSUBSCRIBED) for one in (bea, cat)}
    entries = (await ledger.list_entries(conn, ann, PAGE)).rows[:2]
    assert {(one.profile_id, one.decision.value, one.origin) for one in entries} == {
        (one, "withdrawn", "page") for one in (bea, cat)
    }
    # Again it is said later, and that is all
    assert await leave(conn, service, ann, now=NOW + 3 * DAY) == [Outcome.UNCHANGED]
    assert len((await subscriptions.list_events(conn, ann, PAGE)).rows) == 4
    assert await ledger.find_differences(conn) == []


async def test_who_leaves_for_earlier_than_any_of_them_said_something_is_late(conn: Connection) -> None:
    service, ann, bea = await a_service(conn), await a_person(conn), await a_person(conn)
    await join(conn, service, ann)
    await join(conn, service, bea, now=NOW + 2 * DAY)
    await become_one(conn, ann, bea, now=NOW + 3 * DAY)

    form = Act(origin="paper", happened_at=NOW + DAY)
    assert await leave(conn, service, ann, now=NOW + 4 * DAY, act=form) == [Outcome.LATE]

    assert await stored(conn) == {ann: "active", bea: "active"}
    (entry, *_) = (await ledger.list_entries(conn, ann, PAGE)).rows
    assert (entry.profile_id, entry.decision.value, entry.origin) == (ann, "withdrawn", "paper")


async def test_that_the_time_of_one_is_over_is_no_word_against_leaving(conn: Connection) -> None:
    service, ann, bea = await a_service(conn), await a_person(conn), await a_person(conn)
    await join(conn, service, ann)
    await join(conn, service, bea, expires_at=NOW + 2 * DAY)
    await become_one(conn, ann, bea, now=NOW + DAY)
    assert await subscriptions.expire(conn, NOW + 3 * DAY) == 1

    form = Act(origin="paper", happened_at=NOW + DAY)
    assert await leave(conn, service, ann, now=NOW + 4 * DAY, act=form) == [Outcome.UNSUBSCRIBED]
    assert await stored(conn) == {ann: "unsubscribed", bea: "expired"}


async def test_an_old_id_is_the_survivors(conn: Connection) -> None:
    service, purpose = await a_service(conn), await a_purpose(conn)
    ann, bea, cat = [await a_person(conn) for _ in range(3)]
    await become_one(conn, ann, bea, now=NOW)

    wishes = [Wish(service_id=service, profile_id=one) for one in (bea, cat, ann, 10**9)]
    done = await subscriptions.subscribe(conn, SYSTEM, wishes, now=NOW + DAY)
    choices = [Choice(purpose_id=purpose, profile_id=one, granted=True) for one in (bea, cat, ann, 10**9)]
    chosen = await decide(conn, SYSTEM, choices, now=NOW + DAY)

    gone, again = Outcome.PROFILE_NOT_FOUND, Outcome.REPEATED
    assert [(one.profile_id, one.outcome) for one in done] == [
        (bea, Outcome.SUBSCRIBED), (cat, Outcome.SUBSCRIBED), (ann, again), (10**9, gone)
    ]  # fmt: skip
    assert [(one.profile_id, one.outcome) for one in chosen] == [
        (bea, Outcome.RECORDED), (cat, Outcome.RECORDED), (ann, again), (10**9, gone)
    ]  # fmt: skip
    assert await stored(conn) == {ann: "active", cat: "active"}
    said = await conn.fetch("SELECT profile_id, decision FROM purpose_consent ORDER BY 1")
    assert [tuple(row) for row in said] == [(ann, "granted"), (cat, "granted")]

    assert await leave(conn, service, bea, now=NOW + 2 * DAY) == [Outcome.UNSUBSCRIBED]
    await decide(conn, SYSTEM, [Choice(purpose_id=purpose, profile_id=bea, granted=False)], now=NOW + 2 * DAY)
    assert await shown(conn, ann, NOW + 2 * DAY) is UNSUBSCRIBED
    page = await get_preferences(conn, SYSTEM, Person(profile_id=ann, by_own_link=False), now=NOW + 2 * DAY)
    assert [one.decision for one in page.purposes] == [Decision.WITHDRAWN]
    assert await ledger.find_differences(conn) == []


async def test_who_is_merged_while_somebody_acts_for_them_is_the_survivor(pool: Pool) -> None:
    async with transaction(pool) as conn:
        service, ann, bea = await a_service(conn), await a_person(conn), await a_person(conn)
    async with transaction(pool) as merging:
        await become_one(merging, ann, bea, now=NOW)

        async def act() -> list[Outcome]:
            async with transaction(pool) as conn:
                return await join(conn, service, bea, now=NOW + DAY)

        waiting = asyncio.create_task(act())
        async with asyncio.timeout(10):
            while not await merging.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert await waiting == [Outcome.SUBSCRIBED]
    async with pool.acquire() as conn:
        assert await stored(conn) == {ann: "active"}


async def confirm(conn: Connection, service: int, profile: int, now: datetime) -> Outcome:
    """By the person's own link."""
    me = Person(profile_id=profile, by_own_link=True)
    return (await preferences.confirm_subscription(conn, SYSTEM, me, service, Act(), now=now)).outcome


async def test_what_waits_under_a_merged_profile_is_confirmed_there(conn: Connection) -> None:
    service = await a_service(conn, double_opt_in=True, confirm_within=7 * DAY, validity=30 * DAY)
    ann, bea, cat = [await a_person(conn) for _ in range(3)]
    await join(conn, service, cat)
    assert await join(conn, service, bea, now=NOW + DAY) == [Outcome.REQUESTED]
    await become_one(conn, ann, bea, cat, now=NOW + 2 * DAY)

    assert await confirm(conn, service, ann, NOW + 3 * DAY) is Outcome.CONFIRMED

    assert await stored(conn) == {bea: "active", cat: "pending"}  # the one that was asked for last
    assert await shown(conn, ann, NOW + 3 * DAY) is ACTIVE
    ends = await conn.fetchval("SELECT expires_at FROM subscription WHERE profile_id = $1", bea)
    assert ends == NOW + 33 * DAY
    (event, *_) = (await subscriptions.list_events(conn, ann, PAGE)).rows
    assert (event.profile_id, event.kind) == (bea, EventKind.CONFIRMED)
    assert await ledger.find_differences(conn) == []
    # Its time is over for all of them
    assert await confirm(conn, service, ann, NOW + 40 * DAY) is Outcome.NOT_PENDING


async def test_who_had_left_comes_back_by_confirming_what_a_merged_profile_asked_for(conn: Connection) -> None:
    service = await a_service(conn, double_opt_in=True, confirm_within=7 * DAY)
    ann, bea = await a_person(conn), await a_person(conn)
    await subscriptions.subscribe(conn, SYSTEM, [Wish(service_id=service, profile_id=ann)], now=NOW, confirmed=True)
    await leave(conn, service, ann, now=NOW)
    await join(conn, service, bea, now=NOW + DAY)
    await become_one(conn, ann, bea, now=NOW + 2 * DAY)
    assert await shown(conn, ann, NOW + 2 * DAY) is UNSUBSCRIBED

    assert await confirm(conn, service, ann, NOW + 3 * DAY) is Outcome.CONFIRMED

    assert await shown(conn, ann, NOW + 3 * DAY) is ACTIVE
    assert await stored(conn) == {ann: "active", bea: "pending"}
    assert await ledger.find_differences(conn) == []


async def test_who_has_left_and_asks_anew_has_left_until_they_confirm(conn: Connection) -> None:
    service = await a_service(conn, double_opt_in=True, confirm_within=DAY)
    ann, bea = await a_person(conn), await a_person(conn)
    wishes = [Wish(service_id=service, profile_id=one) for one in (ann, bea)]
    await subscriptions.subscribe(conn, SYSTEM, wishes, now=NOW, confirmed=True)
    await leave(conn, service, ann, now=NOW)
    await become_one(conn, ann, bea, now=NOW)

    for days in (1, 3):
        now = NOW + days * DAY
        assert await join(conn, service, ann, now=now) == [Outcome.REQUESTED]
        assert await shown(conn, ann, now) is not ACTIVE
        await subscriptions.expire(conn, now + DAY)
        assert await shown(conn, ann, now + DAY) is not ACTIVE
    now = NOW + 5 * DAY
    assert await join(conn, service, ann, now=now) == [Outcome.REQUESTED]
    assert await confirm(conn, service, ann, now) is Outcome.CONFIRMED
    assert await shown(conn, ann, now) is ACTIVE
    assert await ledger.find_differences(conn) == []


async def test_who_was_subscribed_under_a_merged_profile_is_not_subscribed_for_the_first_time(conn: Connection) -> None:
    service = await a_service(conn, subscribe_confirmation=Confirmation.DEFAULT)
    ann, bea, cat = [await a_person(conn) for _ in range(3)]
    await join(conn, service, bea)
    await leave(conn, service, bea, now=NOW + DAY)
    await become_one(conn, ann, bea, now=NOW + 2 * DAY)

    wishes = [Wish(service_id=service, profile_id=one) for one in (ann, cat)]
    done = await subscriptions.subscribe(conn, SYSTEM, wishes, now=NOW + 3 * DAY)

    assert [(one.outcome, one.first_time, one.confirmation) for one in done] == [
        (Outcome.SUBSCRIBED, False, Confirmation.NONE), (Outcome.SUBSCRIBED, True, Confirmation.DEFAULT)
    ]  # fmt: skip
    (event, *_) = (await subscriptions.list_events(conn, ann, PAGE)).rows
    assert (event.profile_id, event.first_time) == (ann, False)


async def test_who_is_subscribed_under_a_merged_profile_is_a_subscriber(conn: Connection) -> None:
    service = await a_service(conn)
    ann, bea, cat = [await a_person(conn) for _ in range(3)]
    await join(conn, service, bea, expires_at=NOW + 20 * DAY)
    await join(conn, service, cat, expires_at=NOW + 30 * DAY)
    await become_one(conn, ann, bea, cat, now=NOW + DAY)

    assert await join(conn, service, ann, now=NOW + 2 * DAY) == [Outcome.UNCHANGED]
    assert await join(conn, service, ann, now=NOW + 2 * DAY, expires_at=NOW + 30 * DAY) == [Outcome.UNCHANGED]
    assert await join(conn, service, ann, now=NOW + 2 * DAY, expires_at=NOW + 10 * DAY) == [Outcome.RENEWED]

    rows = await conn.fetch("SELECT profile_id, expires_at FROM subscription ORDER BY 1")
    assert [tuple(row) for row in rows] == [(bea, NOW + 10 * DAY), (cat, NOW + 10 * DAY)]
    assert await ledger.find_differences(conn) == []


async def test_who_comes_back_for_a_time_before_they_left_or_were_one_is_late(conn: Connection) -> None:
    service, ann, bea = await a_service(conn), await a_person(conn), await a_person(conn)
    await join(conn, service, ann, bea)
    await leave(conn, service, bea, now=NOW + 2 * DAY)
    await become_one(conn, ann, bea, now=NOW + 4 * DAY)
    for days in (1, 3):
        form = Act(origin="paper", happened_at=NOW + days * DAY)
        assert await join(conn, service, ann, now=NOW + 5 * DAY, act=form) == [Outcome.LATE]
        assert await shown(conn, ann, NOW + 5 * DAY) is UNSUBSCRIBED
    assert await join(conn, service, ann, now=NOW + 5 * DAY) == [Outcome.SUBSCRIBED]
    assert await shown(conn, ann, NOW + 5 * DAY) is ACTIVE


async def subscribers(conn: Connection, service: int, now: datetime) -> list[int]:
    """Listed page by page, as many as are counted."""
    found: list[int] = []
    while True:
        page = await subscriptions.list_subscribers(
            conn, service, PageRequest(first=2, after=found[-1] if found else None), now=now
        )
        found += [one.profile_id for one in page.rows]
        if not page.has_next:
            break
    assert await subscriptions.count_subscribers(conn, [service], now=now) == ({service: len(found)} if found else {})
    return found


async def test_people_are_counted_and_listed_once_by_the_strictest_word(conn: Connection) -> None:
    service = await a_service(conn)
    ann, bea, dan, eve, fay, gus, hal = [await a_person(conn) for _ in range(7)]
    await join(conn, service, ann, bea, dan, fay, gus, hal)
    await leave(conn, service, hal, now=NOW + DAY)
    assert await subscribers(conn, service, NOW + DAY) == [ann, bea, dan, fay, gus]

    await become_one(conn, ann, bea, now=NOW + 2 * DAY)  # both are subscribed
    await become_one(conn, eve, dan, now=NOW + 2 * DAY)  # the other is subscribed
    await become_one(conn, gus, hal, now=NOW + 2 * DAY)  # the other has left
    assert await subscribers(conn, service, NOW + 2 * DAY) == [ann, eve, fay]

    await join(conn, service, gus, now=NOW + 3 * DAY)
    assert await subscribers(conn, service, NOW + 3 * DAY) == [ann, eve, fay, gus]
    await leave(conn, service, ann, eve, gus, fay, now=NOW + 4 * DAY)
    assert await subscribers(conn, service, NOW + 4 * DAY) == []
    assert await subscriptions.count_subscribers(conn, [service, 10**9], now=NOW + 3 * DAY) == {}


ACTS = st.tuples(
    st.sampled_from(["join", "leave", "confirm", "end", "sweep"]), st.integers(0, 3), st.integers(0, 5), st.integers(1, 3)
)


@given(st.lists(ACTS, max_size=12), st.integers(0, 12), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_every_answer_says_the_same(
    conn: Connection, acts: list[tuple[str, int, int, int]], merge_at: int, asks: bool
) -> None:
    attempt = conn.transaction()
    await attempt.start()
    try:
        service = await a_service(conn, double_opt_in=asks, confirm_within=5 * DAY)
        people = [await a_person(conn) for _ in range(4)]
        now = NOW
        for n, (what, who, back, wait) in enumerate(acts):
            now += wait * DAY
            if n == merge_at:
                await become_one(conn, people[0], *people[1:3], now=now - DAY / 2)
            outcome = await _act(conn, service, people[who], what, now, Act(happened_at=now - back * DAY))
            survivor = people[0] if n >= merge_at and who < 3 else people[who]
            assert await ledger.find_differences(conn) == []
            state = await shown(conn, survivor, now)
            everybody = [people[0], people[3]] if n >= merge_at else people
            assert await subscribers(conn, service, now) == [
                one for one in everybody if await is_reached(conn, service, one, now)
            ]
            assert (state is ACTIVE) == await is_reached(conn, service, survivor, now)
            assert await asked(conn, "subscribes_to('weekly')", now) == await subscribers(conn, service, now)
            assert await asked(conn, "count(subscriptions) > 1", now) == []  # there is one service
            left = await asked(conn, "exists(subscriptions where state = 'unsubscribed')", now)
            assert (survivor in left) == (state is UNSUBSCRIBED)
            if outcome in (Outcome.SUBSCRIBED, Outcome.CONFIRMED, Outcome.RENEWED):
                assert state is ACTIVE
            if outcome in (Outcome.REQUESTED, Outcome.UNSUBSCRIBED) or (what == "leave" and outcome is Outcome.UNCHANGED):
                assert state is not ACTIVE
    finally:
        await attempt.rollback()


async def _act(conn: Connection, service: int, profile: int, what: str, now: datetime, act: Act) -> Outcome | None:
    if what == "sweep":
        await subscriptions.expire(conn, now)
        return None
    if what == "confirm":
        return await confirm(conn, service, profile, now)
    if what == "leave":
        (outcome,) = await leave(conn, service, profile, now=now, act=act)
    else:
        (outcome,) = await join(conn, service, profile, now=now, act=act, expires_at=now + 3 * DAY if what == "end" else None)
    return outcome


async def asked(conn: Connection, question: str, now: datetime) -> list[int]:
    """Whom a question finds."""
    return await sample(conn, await open_question(conn, parse_text(question)), size=50, at=now, zone=ZoneInfo("UTC"))


async def is_reached(conn: Connection, service: int, profile: int, now: datetime) -> bool:
    """By the words of the claim and of the preparation."""
    found: bool | None = await conn.fetchval(
        """
        SELECT bool_or(state = 'active' AND (expires_at IS NULL OR expires_at > $3)) AND NOT bool_or(state = 'unsubscribed')
          FROM person_subscription WHERE service_id = $1 AND profile_id = $2
        """,
        service, profile, now,
    )  # fmt: skip
    return bool(found)
