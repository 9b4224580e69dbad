"""The ledger tells of every change of a refusal, is only ever added to, and gives back what is stored."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM
from core.consent import ledger, opt_outs, preferences, purposes, subscriptions
from core.consent.preferences import Person, PreferenceChanges, get_preferences
from core.consent.records import Act, Choice, Decision, Outcome, SubscriptionState, Wish
from core.consent.wordings import add_wording
from core.db import Connection
from core.paging import PageRequest
from core.profiles.profiles import update_profile
from core.profiles.records import Channel
from tests.core.consent.made import NOW, a_person, a_purpose, a_service, join, leave

PAGE = PageRequest(first=100)
HOUR = timedelta(hours=1)


async def test_whoever_changes_a_flag_leaves_an_entry(conn: Connection) -> None:
    wording = await add_wording(conn, SYSTEM, "footer", "Never write to me again.", now=NOW)
    ann = await a_person(conn, opt_out_email=True)
    await update_profile(conn, SYSTEM, ann, {"opt_out_email": False, "first_name": "Ann"}, now=NOW + HOUR)
    await update_profile(conn, SYSTEM, ann, {"first_name": "Anna"}, now=NOW + 2 * HOUR)
    act = Act(origin="footer", wording_id=wording.id, proof={"ip": "192.0.2.1"})
    await opt_outs.opt_out(conn, SYSTEM, [ann], Channel.ALL, act, now=NOW + 3 * HOUR)
    await conn.execute("SELECT set_config('clarion.provenance', '', true)")
    await conn.execute("UPDATE profile SET opt_out_push = true WHERE id = $1", ann)

    told = (await ledger.list_entries(conn, ann, PAGE)).rows[::-1]
    assert [(one.channel, one.decision, one.origin) for one in told] == [
        (Channel.EMAIL, Decision.REFUSED, "profile"),
        (Channel.EMAIL, Decision.GRANTED, "profile"),
        (Channel.ALL, Decision.WITHDRAWN, "footer"),
        (Channel.PUSH, Decision.WITHDRAWN, ""),
    ]
    assert [one.actor for one in told[:3]] == ["system"] * 3
    assert told[3].actor.startswith("sql:")
    assert (told[2].happened_at, told[2].wording_id, told[2].proof) == (NOW + 3 * HOUR, wording.id, {"ip": "192.0.2.1"})
    assert await ledger.find_differences(conn) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_entry SET decision = 'granted'", "DELETE FROM consent_entry", "TRUNCATE consent_entry",
        "UPDATE subscription_event SET actor = 'x'", "DELETE FROM subscription_event",
        "UPDATE consent_wording SET text = 'x'", "DELETE FROM consent_wording",
    ],
)  # fmt: skip
async def test_what_was_said_is_not_rewritten(conn: Connection, statement: str) -> None:
    await a_person(conn, opt_out=True)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await conn.execute(statement)


async def test_erasing_takes_a_person_out_and_nobody_else(conn: Connection) -> None:
    service, purpose = await a_service(conn), await a_purpose(conn)
    ann, bob = await a_person(conn, opt_out=True), await a_person(conn, opt_out=True)
    await join(conn, service, ann, bob)
    await purposes.decide(conn, SYSTEM, [Choice(purpose_id=purpose, profile_id=ann, granted=True)], now=NOW)

    assert await ledger.erase(conn, SYSTEM, [ann]) == 3

    assert (await ledger.list_entries(conn, ann, PAGE)).rows == []
    assert (await subscriptions.list_events(conn, ann, PAGE)).rows == []
    assert len((await ledger.list_entries(conn, bob, PAGE)).rows) == 2
    assert await subscriptions.count_subscribers(conn, [service], now=NOW) == {service: 1}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute("DELETE FROM consent_entry")


async def test_what_was_changed_behind_the_house_is_found(conn: Connection) -> None:
    service, ann = await a_service(conn), await a_person(conn)
    await join(conn, service, ann)
    await conn.execute("UPDATE subscription SET state = 'unsubscribed' WHERE profile_id = $1", ann)
    (found,) = await ledger.find_differences(conn, ann - 1, ann)
    assert (found.subject, found.stored, found.derived) == (f"service:{service}", "unsubscribed", "active")


async def test_a_grant_of_their_own_is_entered_where_only_others_had_said_so(conn: Connection) -> None:
    service, asks, purpose = await a_service(conn), await a_service(conn, "asks", double_opt_in=True), await a_purpose(conn)
    ann = await a_person(conn)
    agrees = [Choice(purpose_id=purpose, profile_id=ann, granted=True)]
    wish = Wish(service_id=asks, profile_id=ann)
    await join(conn, service, ann)
    await subscriptions.subscribe(conn, SYSTEM, [wish], now=NOW, confirmed=True)
    await purposes.decide(conn, SYSTEM, agrees, now=NOW)
    me = Person(profile_id=ann, by_own_link=True)
    changes = PreferenceChanges(purposes={purpose: True}, services={service: True})
    for hours in (1, 2):
        now = NOW + hours * HOUR
        results = await preferences.set_preferences(conn, SYSTEM, me, changes, Act(), now=now)
        done = await preferences.confirm_subscription(conn, SYSTEM, me, asks, Act(), now=now)
        assert [done.outcome, *(one.outcome for one in results)] == [Outcome.UNCHANGED] * 3
        await join(conn, service, ann, now=now)
        await purposes.decide(conn, SYSTEM, agrees, now=now)

    told = (await ledger.list_entries(conn, ann, PAGE)).rows
    for subject in ("service_id", "purpose_id"):
        for key in {getattr(one, subject) for one in told} - {None}:
            said = [(one.by_person, one.happened_at) for one in told if getattr(one, subject) == key]
            assert said == [(True, NOW + HOUR), (False, NOW)]
    assert len(told) == 6
    assert len((await subscriptions.list_events(conn, ann, PAGE)).rows) == 2
    assert await ledger.find_differences(conn) == []


SAYS = st.tuples(
    st.sampled_from(["email", "all", "purpose", "other", "open", "asks", "update"]), st.booleans(),
    st.integers(0, 2), st.integers(0, 4), st.booleans(),
)  # fmt: skip


class Slow:
    """What somebody said of one thing, said over again in Python: the last word counts, by when it was spoken."""

    def __init__(self) -> None:
        self.words: list[tuple[datetime, int, bool]] = []
        self.own: set[datetime] = set()  # when they agreed themselves

    def newest(self) -> tuple[datetime, int, bool] | None:
        return max(self.words, default=None, key=lambda word: word[:2])

    def say(self, at: datetime, granted: bool, default: bool | None, own: bool = False) -> None:
        newest = self.newest()
        now = default if newest is None else newest[2]
        first_own = granted and own and newest is not None and at > newest[0] and newest[0] not in self.own
        again = granted and not first_own
        if granted == now and (again or newest is None or at <= newest[0]) and (newest is None or at >= newest[0]):
            return  # the same once more
        if granted and own:
            self.own.add(at)
        self.words.append((at, len(self.words), granted))


@given(st.lists(SAYS, max_size=14))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_what_is_stored_is_what_the_ledger_says(conn: Connection, acts: list[tuple[str, bool, int, int, bool]]) -> None:
    attempt = conn.transaction()
    await attempt.start()
    try:
        ids = {"purpose": await a_purpose(conn), "other": await a_purpose(conn, "other", needs_consent=False)}
        services = {"open": await a_service(conn), "asks": await a_service(conn, "asks", double_opt_in=True)}
        ann = await a_person(conn)
        slow = {name: Slow() for name in ("email", "all", "purpose", "other")}
        me, now = Person(profile_id=ann, by_own_link=False), NOW + 10 * HOUR
        for what, yes, back, wait, own in acts:
            now += wait * HOUR
            at = now - back * HOUR
            await _say(conn, ann, what, yes, Act(happened_at=at, by_person=own), now, ids, services)
            if what == "update":  # by hand it is now
                slow["email"].say(now, yes, True)
            elif what in slow:
                slow[what].say(at, yes, True if what in ("email", "all") else None, own and what in ids)
            assert await ledger.find_differences(conn, ann - 1, ann) == []
        found = await get_preferences(conn, SYSTEM, me, now=now)
        newest = {name: one.newest() for name, one in slow.items()}
        for channel in (Channel.EMAIL, Channel.ALL):
            word = newest[channel.value]
            assert found.opted_out[channel] is (word is not None and not word[2])
        for state in found.purposes:
            word = newest[state.purpose.name.replace("profiling", "purpose")]
            assert (None if state.decision is None else state.decision is Decision.GRANTED) == (
                None if word is None else word[2]
            )
            assert state.since == (None if word is None else word[0])
    finally:
        await attempt.rollback()


async def _say(
    conn: Connection, ann: int, what: str, yes: bool, act: Act, now: datetime, ids: dict[str, int], services: dict[str, int]
) -> None:
    if what == "update":
        await update_profile(conn, SYSTEM, ann, {"opt_out_email": not yes}, now=now)
    elif what in services:
        await (join if yes else leave)(conn, services[what], ann, now=now, act=act)
        if yes and what == "asks" and now.hour % 2:
            me = Person(profile_id=ann, by_own_link=True)
            await preferences.confirm_subscription(conn, SYSTEM, me, services[what], Act(), now=now)
    else:
        flags = {Channel(what): not yes} if what in ("email", "all") else {}
        said = {ids[what]: yes} if what in ids else {}
        changes = PreferenceChanges(opted_out=flags, purposes=said)
        await preferences.set_preferences(conn, SYSTEM, Person(profile_id=ann, by_own_link=False), changes, act, now=now)


async def test_setting_preferences_answers_for_each_and_again_changes_nothing(conn: Connection) -> None:
    service, purpose, ann = await a_service(conn), await a_purpose(conn), await a_person(conn)
    me = Person(profile_id=ann, by_own_link=True)
    changes = PreferenceChanges(
        opted_out={Channel.EMAIL: False, Channel.PUSH: True},
        purposes={purpose: True, 10**9: True},
        services={service: True, 10**9: False},
    )
    results = [await preferences.set_preferences(conn, SYSTEM, me, changes, Act(origin="page"), now=NOW) for _ in range(2)]

    missing = [Outcome.PURPOSE_NOT_FOUND, Outcome.SERVICE_NOT_FOUND]
    assert [one.outcome for one in results[0]] == [
        Outcome.UNCHANGED, Outcome.RECORDED, Outcome.RECORDED, missing[0], Outcome.SUBSCRIBED, missing[1],
    ]  # fmt: skip
    unchanged = Outcome.UNCHANGED
    assert [one.outcome for one in results[1]] == [unchanged, unchanged, unchanged, missing[0], unchanged, missing[1]]
    assert len((await ledger.list_entries(conn, ann, PAGE)).rows) == 3
    found = await get_preferences(conn, SYSTEM, me, now=NOW)
    assert found.services[-1].subscription is not None
    assert found.services[-1].subscription.state is SubscriptionState.ACTIVE
    assert [one.allowed for one in found.purposes] == [True]
