"""Addresses of people who were erased are asked for when rows are claimed, as when they are prepared."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from itertools import product

from channels.contract import FailureReason
from core.access import SYSTEM
from core.consent.ledger import find_differences
from core.consent.preferences import Person, PreferenceChanges, confirm_subscription, set_preferences
from core.consent.purposes import decide
from core.consent.records import Act, Choice, Outcome
from core.db import Connection
from core.delivery import ending
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.privacy.records import RequestKind, RequestState
from core.profiles import erased
from core.profiles.import_options import ImportTarget, TargetKind
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles, undo_merge
from core.profiles.profiles import update_profile
from core.profiles.records import Channel
from core.runtime import Runtime
from tests.core.consent.made import a_person, a_purpose, a_service, join
from tests.core.delivery.people import Times, add_person, check_equation, confirmed, new_delivery, outcome_of, prepared
from tests.core.privacy.asking import done, given
from tests.core.transfers.house import import_rows

SAID = """
INSERT INTO consent_entry (profile_id, channel, decision, origin, by_person, actor, happened_at, recorded_at)
VALUES ($1, 'email', $2, $3, $4, 'test', $5, $5)
"""
ORIGINS = ("preference page", "import:7", "profile", "undone merge:3", "")  # whichever it is, it decides nothing


async def check_both_let_in(
    engine: Engine, runtime: Runtime, db: Connection, delivery_id: int, people: dict[str, int], let_in: set[str]
) -> None:
    """Who is written to of those of a delivery that was prepared before; and the next preparation says the same."""
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)
    found = {name: await outcome_of(db, delivery_id, one) for name, one in people.items()}
    gone, had = (LedgerState.WITHDRAWN, FailureReason.ERASED), (LedgerState.ACCEPTED, FailureReason.NOT_DEFINED)
    assert found == {name: had if name in let_in else gone for name in people}
    await check_equation(db, delivery_id)

    again = await new_delivery(runtime, db, name="summer")
    await prepared(engine, runtime, db, again)
    found = {name: await outcome_of(db, again, one) for name, one in people.items()}
    out, waits = (LedgerState.EXCLUDED, FailureReason.ERASED), (LedgerState.PENDING, FailureReason.NOT_DEFINED)
    assert found == {name: waits if name in let_in else out for name in people}


async def test_who_was_erased_since_the_preparation_is_withdrawn_unless_they_opted_in_again(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    """Each entry that there can be, by itself: whatever was decided, by whom, and when."""
    entries = list(product(("granted", "refused", "withdrawn", "requested"), (True, False, None), (-1, 0, 1)))
    names = ["erased", "spared", "other", *(f"{decision}-{by}-{after}".lower() for decision, by, after in entries)]
    people = {name: await add_person(db, f"{name}@mail.example") for name in names}
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)

    addresses = [("email", f"{name}@mail.example") for name in names if name != "other"]
    await erased.keep_out(db, runtime.keyring, addresses, [people["spared"]], times())
    for n, (name, (decision, by_person, after)) in enumerate(zip(names[3:], entries, strict=True)):
        said_at = times() + timedelta(seconds=after)
        await db.execute(SAID, people[name], decision, ORIGINS[n % len(ORIGINS)], by_person, said_at)
    times.move(seconds=5)

    await check_both_let_in(engine, runtime, db, delivery_id, people, {"spared", "other", "granted-true-1"})


async def test_nothing_but_an_act_of_their_own_lets_somebody_be_written_to_again(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    """Whatever the origin says: a file, an operator, or a merge that is undone may call it a preference page."""
    page, theirs = Act(origin="preference page"), Act(origin="form", by_person=True)
    own = {"after a file", "by link", "by id, told", "subscribed, told", "agreed, told", "confirmed"}
    others = {
        "file", "file by target", "operator", "decided", "edited", "by id", "merged", "sql", "asked", "refused by link",
    }  # fmt: skip
    mail = {name: f"{name.replace(' ', '').replace(',', '-')}@mail.example" for name in sorted(own | others)}
    times.move(hours=4)  # the people are there by then
    async with db.transaction():
        people = {name: await a_person(db, email=one, opt_out_fax=name != "merged") for name, one in mail.items()}
        twin = await a_person(db, opt_out_fax=True)
        news, asks, purpose = await a_service(db, "news"), await a_service(db, "asks", double_opt_in=True), await a_purpose(db)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await erased.keep_out(db, runtime.keyring, [("email", one) for one in mail.values()], [], times())
    times.move(seconds=1)
    now = times()

    # Files, and SQL
    data = f"email,service,origin\n{mail['file']},news,preference page\n{mail['after a file']},news,page\n"
    assert (await import_rows(runtime, data, "email", target=ImportTarget(kind=TargetKind.SUBSCRIPTIONS))).inserted == 2
    target = ImportTarget(kind=TargetKind.SUBSCRIPTIONS, service_id=news, origin="preference page")
    assert (await import_rows(runtime, f"email\n{mail['file by target']}\n", "email", target=target)).inserted == 1
    await db.execute("UPDATE profile SET opt_out_fax = false WHERE id = $1", people["sql"])
    async with db.transaction():  # operators
        await join(db, news, people["operator"], now=now, act=page)
        await decide(db, SYSTEM, [Choice(purpose_id=purpose, profile_id=people["decided"], granted=True)], page, now=now)
    async with db.transaction():  # the people themselves, or somebody who says so
        await join(db, news, people["subscribed, told"], now=now, act=theirs)
        await decide(db, SYSTEM, [Choice(purpose_id=purpose, profile_id=people["agreed, told"], granted=True)], theirs, now=now)
        await join(db, asks, people["asked"], now=now, act=theirs)
        await join(db, asks, people["confirmed"], now=now, act=page)
        link = Person(profile_id=people["confirmed"], by_own_link=True)
        assert (await confirm_subscription(db, SYSTEM, link, asks, Act(), now=now)).outcome is Outcome.CONFIRMED
        lifts = PreferenceChanges(opted_out={Channel.FAX: False})
        for name, by_own_link, act in (("by id, told", False, theirs), ("by link", True, page), ("by id", False, page)):
            person = Person(profile_id=people[name], by_own_link=by_own_link)
            await set_preferences(db, SYSTEM, person, lifts, act, now=now)
        link = Person(profile_id=people["after a file"], by_own_link=True)
        stays = PreferenceChanges(services={news: True})
        (one,) = await set_preferences(db, SYSTEM, link, stays, Act(), now=now + timedelta(seconds=1))
        assert one.outcome is Outcome.UNCHANGED
        refuses = PreferenceChanges(opted_out={Channel.PUSH: True}, purposes={purpose: False})
        link = Person(profile_id=people["refused by link"], by_own_link=True)
        await set_preferences(db, SYSTEM, link, refuses, Act(), now=now)
        # In one transaction with the acts of people: what follows is none of theirs
        await update_profile(db, SYSTEM, people["edited"], {"opt_out_fax": False}, now=now)
        merge = await merge_profiles(db, SYSTEM, MergePlan(survivor_id=people["merged"], other_ids=(twin,)), now=now)
        await undo_merge(db, SYSTEM, merge.id, now=now)
    times.move(seconds=5)

    granted = await db.fetch("SELECT DISTINCT profile_id FROM consent_entry WHERE decision = 'granted'")
    silent = {people["asked"], people["refused by link"]}
    assert {row["profile_id"] for row in granted} == set(people.values()) - silent
    await check_both_let_in(engine, runtime, db, delivery_id, people, own)
    assert await find_differences(db) == []


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


LIST = "INSERT INTO suppression_list (name, label, kind, scope, created_by) VALUES ($1::text, 'No', $1::text, 'all', 'test')"
HASHED = """
INSERT INTO suppression_entry (list_id, form, value, comment, created_by, created_at, updated_at)
SELECT l.id, f.form, f.value, 'asked', 'test', now(), now()
  FROM suppression_list l,
       (VALUES (1::smallint, $1), (2::smallint, encode(sha256(convert_to($1, 'UTF8')), 'hex')), (3::smallint, md5($1)),
               (1::smallint, $2), (2::smallint, encode(sha256(convert_to($2, 'UTF8')), 'hex')), (4::smallint, 'mail.example'))
           AS f (form, value)
 WHERE f.form < 4 OR l.kind = 'email_domain'
"""


async def test_nothing_but_a_keyed_hash_is_kept_of_an_address(runtime: Runtime, db: Connection) -> None:
    """A hash without a key is the address to whoever tries them all: also those that a team put on its lists go."""
    for kind in ("email", "email_domain"):
        await db.execute(LIST, kind)
    await db.execute(HASHED, "ann@mail.example", "bob@mail.example")
    lists = "SELECT count(*) FROM suppression_entry e JOIN suppression_list l ON l.id = e.list_id WHERE l.kind = $1"
    assert await db.fetchval(lists, "email") == 5

    given_to_her = await done(runtime, RequestKind.ACCESS, "email", "ann@mail.example")
    assert (given_to_her.state, given_to_her.profiles_found) == (RequestState.COMPLETE, 0)
    assert given_to_her.counts == {"suppression_entry": 3}, "she has no profile, and is given what is kept of her address"
    request = await done(runtime, RequestKind.DELETE, "email", "Ann@mail.example")

    assert (request.state, request.counts["suppression_entry"]) == (RequestState.COMPLETE, 3)
    assert await db.fetchval(lists, "email") == 2
    (kept,) = await db.fetch("SELECT * FROM erased_address")
    key = runtime.keyring.by_id[kept["key_id"]].derive(erased.PURPOSE)
    assert kept["hash"] == hmac.new(key, b"ann@mail.example", hashlib.sha256).digest()
    assert kept["hash"] != hashlib.sha256(b"ann@mail.example").digest()


async def test_who_asks_is_given_the_lists_that_name_them_also_by_a_hash(runtime: Runtime, db: Connection) -> None:
    await add_person(db, "ann@mail.example")
    await db.execute(
        "INSERT INTO suppression_list (name, label, kind, scope, created_by) VALUES ('n', 'N', 'email', 'all', 't')"
    )
    await db.execute(HASHED, "ann@mail.example", "bob@mail.example")

    data, _ = await given(runtime, db, await done(runtime, RequestKind.ACCESS, "email", "ann@mail.example"))

    assert sorted(row["form"] for row in data["tables"]["suppression_entry"]) == [1, 2, 3]
