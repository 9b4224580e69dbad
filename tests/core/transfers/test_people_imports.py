"""Files of subscriptions, of quarantined addresses, and of members of lists."""

from __future__ import annotations

import dataclasses

import pytest

from core.access import SYSTEM, Actor, Permission
from core.clock import UTC_ZONE
from core.consent.ledger import find_differences
from core.consent.records import ServiceDraft, Wish
from core.consent.services import create_service
from core.consent.subscriptions import subscribe
from core.datamodel import jobs as datamodel
from core.db import Connection
from core.errors import Forbidden, Invalid, NotFound
from core.profiles import import_runner
from core.profiles.import_options import ImportMode, ImportTarget, TargetKind
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.profiles.profiles import create_profile
from core.profiles.quarantine import find_entry
from core.profiles.quarantine_records import QuarantineStatus
from core.profiles.run_records import ImportOptions, MatchKey, RunState
from core.runtime import Runtime
from core.targeting.lists import create_list
from core.transfers import jobs
from core.transfers.lists import list_name
from tests.core.datamodel.model import NOW, field, publish_draft, save, unique
from tests.core.profiles.house import Times, get_import, read_rejects
from tests.core.transfers.house import counts, import_rows, ready

SUBSCRIPTIONS = ImportTarget(kind=TargetKind.SUBSCRIPTIONS)


async def crowd(db: Connection, number: int = 4) -> list[int]:
    """People A0, A1, …, each with an email."""
    return [
        (await create_profile(db, SYSTEM, {"external_id": f"A{n}", "email": f"a{n}@mail.example"}, now=NOW)).id
        for n in range(number)
    ]


async def service(db: Connection, name: str, **more: object) -> int:
    return (await create_service(db, SYSTEM, ServiceDraft(name=name, label=name, **more))).id  # type: ignore[arg-type]


async def test_each_row_is_subscribed_by_itself_and_a_duplicate_fails_nobody(
    runtime: Runtime, db: Connection, times: Times
) -> None:
    people = await crowd(db)
    news = await service(db, "news")
    await service(db, "asks", double_opt_in=True)
    data = (
        "email,service,since,origin,expires_at,first_name\n"
        "a0@mail.example,news,2026-01-05T10:00:00Z,fair,,x\n"
        "A0@MAIL.example,news,2026-01-07T10:00:00Z,shop,2027-01-01T00:00:00Z,\n"  # the same, said later
        "a0@mail.example,news,2026-01-06T10:00:00Z,post,,\n"
        "a1@mail.example,asks,,,,\n"
        "a2@mail.example,none,,,,\n"
        "a3@mail.example,news,2030-01-01T00:00:00Z,,,\n"
        "nobody@mail.example,news,,,,\n"
        "a3@mail.example,news,,,2020-01-01T00:00:00Z,\n"
        "a2@mail.example,news,,,,\n"
    )
    dry = await import_rows(runtime, data, "email", target=SUBSCRIPTIONS, dry_run=True)
    assert await db.fetchval("SELECT count(*) FROM subscription_event") == 0
    run = await import_rows(runtime, data, "email", target=SUBSCRIPTIONS)

    assert counts(run) == counts(dry) == {"inserted": 3, "rejected": 4, "repeated": 2}
    assert [(one["line"], one["column"], one["code"]) for one in await read_rejects(runtime, run)] == [
        ("6", "service", "SERVICE_NOT_FOUND"), ("7", "since", "BAD_MOMENT"), ("8", "email", "NOT_FOUND"),
        ("9", "service", "EXPIRY_IN_PAST"),
    ]  # fmt: skip
    rows = await db.fetch(
        "SELECT profile_id, state, since::date::text AS since, origin, expires_at FROM subscription ORDER BY 1"
    )
    assert [(row["profile_id"], row["state"], row["origin"]) for row in rows] == [
        (people[0], "active", "shop"), (people[1], "pending", f"import:{run.id}"), (people[2], "active", f"import:{run.id}"),
    ]  # fmt: skip
    assert (rows[0]["since"], rows[0]["expires_at"].year) == ("2026-01-07", 2027)
    assert await db.fetchval("SELECT count(*) FROM consent_entry WHERE service_id = $1 AND origin = 'shop'", news) == 1
    assert await find_differences(db) == []

    late = await import_rows(
        runtime, "external_id,happened_at\nA0,2026-01-02T00:00:00Z\nA2,\nA3,\n", "external_id",
        target=ImportTarget(kind=TargetKind.SUBSCRIPTIONS, service_id=news, origin="left"), mode=ImportMode.DELETE,
    )  # fmt: skip
    assert counts(late) == {"deleted": 1, "skipped": 2}
    assert [(one["line"], one["code"]) for one in await read_rejects(runtime, late)] == [("2", "LATE")]
    assert await db.fetchval("SELECT state FROM subscription WHERE profile_id = $1", people[2]) == "unsubscribed"
    assert await find_differences(db) == []


async def test_who_is_to_go_goes_under_merged_profiles_too(runtime: Runtime, db: Connection) -> None:
    people = await crowd(db, 2)
    news = await service(db, "news")
    await subscribe(db, SYSTEM, [Wish(service_id=news, profile_id=people[1])], now=NOW)
    await merge_profiles(db, SYSTEM, MergePlan(survivor_id=people[0], other_ids=(people[1],)), now=NOW)

    gone = await import_rows(
        runtime, "external_id\nA0\n", "external_id",
        target=ImportTarget(kind=TargetKind.SUBSCRIPTIONS, service_id=news), mode=ImportMode.DELETE,
    )  # fmt: skip

    assert counts(gone) == {"deleted": 1}
    assert await db.fetchval("SELECT state FROM subscription") == "unsubscribed"
    assert await find_differences(db) == []


async def test_people_are_found_by_the_keys_of_the_team(runtime: Runtime, db: Connection) -> None:
    for one in (field("card", max_length=20), field("club", max_length=20)):
        await save(db, one)
    await unique(db, "membership", "club", "card", entity="profile")
    await publish_draft(db)
    await datamodel.build(runtime)
    first = await create_profile(db, SYSTEM, {"external_id": "A"}, {"club": "x", "card": "1"}, now=NOW)
    await create_profile(db, SYSTEM, {"external_id": "B"}, {"club": "x", "card": "2"}, now=NOW)
    news = await service(db, "news")
    target = ImportTarget(kind=TargetKind.SUBSCRIPTIONS, service_id=news)
    run = await import_rows(
        runtime, "club,card,external_id\nx,1,\nx,,B\ny,1,\n,,\n", "membership", target=target,
        more_keys=(MatchKey.EXTERNAL_ID,),
    )  # fmt: skip
    assert counts(run) == {"inserted": 2, "rejected": 2}

    profiles = ImportTarget()
    data = "club,card,city\nx,1,Paris\nx,3,Rome\nx,3,Lyon\nx,,Nice\n"
    assert counts(await import_rows(runtime, data, "membership", target=profiles)) == {
        "updated": 1, "inserted": 1, "repeated": 1, "rejected": 1,
    }  # fmt: skip
    assert counts(await import_rows(runtime, data, "membership", target=profiles)) == {
        "unchanged": 2, "repeated": 1, "rejected": 1,
    }  # fmt: skip
    assert await db.fetchval("SELECT city FROM profile WHERE id = $1", first.id) == "Paris"
    several = await import_rows(
        runtime, "external_id,club,card,city\n,x,1,Oslo\nB,x,1,Bonn\nB,x,9,Bern\nZ,x,9,Graz\n", MatchKey.EXTERNAL_ID,
        target=profiles, more_keys=("membership",),
    )  # fmt: skip
    assert counts(several) == {"updated": 2, "rejected": 1, "repeated": 1}
    gone = await import_rows(runtime, "club,card\nx,9\nx,7\n", "membership", target=profiles, mode=ImportMode.DELETE)
    assert counts(gone) == {"deleted": 1, "skipped": 1}


async def test_addresses_are_put_in_corrected_and_let_out(runtime: Runtime, db: Connection) -> None:
    target = ImportTarget(kind=TargetKind.QUARANTINE)
    data = (
        "kind,address,status,reason,text\n"
        "email,Ann@Mail.example,quarantine,user_unknown,550 no\n"
        "mobile,06 12 34 56 78,denylisted,,\n"
        "email,ann@mail.EXAMPLE,allowlisted,,\n"  # the last row counts
        "email,not one,,,\n"
        "pigeon,x,,,\n"
        "email,ben@mail.example,,mailbox_full,\n"
    )
    dry = await import_rows(runtime, data, "address", target=target, dry_run=True)
    assert await db.fetchval("SELECT count(*) FROM quarantine") == 0
    run = await import_rows(runtime, data, "address", target=target)
    assert counts(run) == counts(dry) == {"inserted": 3, "rejected": 2, "repeated": 1}
    assert counts(await import_rows(runtime, data, "address", target=target)) == {"unchanged": 3, "rejected": 2, "repeated": 1}
    found = await find_entry(db, "email", "ann@mail.example")
    assert found is not None
    assert found.status is QuarantineStatus.ALLOWLISTED
    assert await db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'quarantine.put'") == 3

    emails = ImportTarget(kind=TargetKind.QUARANTINE, address_kind="email")
    known = await import_rows(
        runtime, "address,status\nben@mail.example,valid\nnew@mail.example,valid\n", "address", target=emails,
        mode=ImportMode.UPDATE,
    )  # fmt: skip
    assert counts(known) == {"updated": 1, "skipped": 1}
    new = await import_rows(
        runtime, "email\nben@mail.example\nnew@mail.example\n", "address", target=emails, mode=ImportMode.INSERT
    )
    assert counts(new) == {"inserted": 1, "skipped": 1}
    gone = await import_rows(
        runtime, "address\nben@mail.example\nnew@mail.example\nno@mail.example\n", "address", target=emails,
        mode=ImportMode.DELETE,
    )  # fmt: skip
    assert counts(gone) == {"deleted": 2, "skipped": 1}


async def members(db: Connection, audience_id: int | None) -> list[int]:
    rows = await db.fetch("SELECT profile_id FROM audience_member WHERE audience_id = $1 ORDER BY 1", audience_id)
    return [row["profile_id"] for row in rows]


async def test_a_list_is_made_and_named_after_the_file_and_the_time(runtime: Runtime, db: Connection) -> None:
    people = await crowd(db)
    target = ImportTarget(kind=TargetKind.LIST)
    data = "external_id,email\nA0,\nA2,\nA0,\nX,\n"
    dry = await import_rows(runtime, data, "external_id", target=target, name="Spring Fair.csv.gz", dry_run=True)
    run = await import_rows(runtime, data, "external_id", target=target, name="Spring Fair.csv.gz")
    assert counts(run) == counts(dry) == {"inserted": 2, "repeated": 1, "rejected": 1}
    audience = run.options.target.audience_id
    assert await members(db, audience) == [people[0], people[2]]
    assert await db.fetchval("SELECT name FROM audience WHERE id = $1", audience) == "spring_fair_20260301_120000"
    assert await db.fetchval("SELECT count(*) FROM audience") == 1
    assert list_name("../../ÄÖ.csv", NOW) == "list_20260301_120000"

    again = await import_rows(runtime, data, "external_id", target=target, name="Spring Fair.csv")
    assert (again.state, again.error and again.error.code) == (RunState.FAILED, "NAME_TAKEN")


async def test_people_are_put_on_a_list_taken_off_and_the_list_is_replaced(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 2)
    people = await crowd(db, 5)
    audience = (await create_list(db, SYSTEM, name="vips", label="x", whom=people[:2], now=NOW, zone=UTC_ZONE)).id
    target = ImportTarget(kind=TargetKind.LIST, audience_id=audience)
    added = await import_rows(runtime, "external_id\nA1\nA2\nA3\n", "external_id", target=target)
    assert counts(added) == {"inserted": 2, "unchanged": 1}
    removed = await import_rows(runtime, "external_id\nA1\nA4\n", "external_id", target=target, mode=ImportMode.DELETE)
    assert counts(removed) == {"deleted": 1, "skipped": 1}
    assert await members(db, audience) == [people[0], people[2], people[3]]

    whole = dataclasses.replace(target, replace=True)
    failed = await import_rows(runtime, "external_id\nA4\nX\nY\nZ\n", "external_id", target=whole, most_rejects=1)
    assert failed.state is RunState.FAILED
    assert await members(db, audience) == [people[0], people[2], people[3]]
    await jobs.sweep(runtime)
    assert await db.fetchval("SELECT count(*) FROM import_list_member") == 0

    run = await import_rows(runtime, "external_id\nA4\nA0\nA4\nX\nA1\n", "external_id", target=whole)
    assert counts(run) == {"inserted": 2, "unchanged": 1, "repeated": 1, "rejected": 1}
    assert await members(db, audience) == [people[0], people[1], people[4]]
    assert await db.fetchval("SELECT count(*) FROM import_list_member") == 0
    empty = await import_rows(runtime, "external_id\n", "external_id", target=whole)
    assert (counts(empty), await members(db, audience)) == ({}, [])


async def test_who_is_merged_is_one_member_of_a_list(runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 1)
    people = await crowd(db, 4)
    audience = (await create_list(db, SYSTEM, name="vips", label="x", whom=people[1:3], now=NOW, zone=UTC_ZONE)).id
    await merge_profiles(db, SYSTEM, MergePlan(survivor_id=people[0], other_ids=(people[1],)), now=NOW)
    target = ImportTarget(kind=TargetKind.LIST, audience_id=audience)
    for dry_run in (True, False):
        added = await import_rows(runtime, "external_id\nA0\n", "external_id", target=target, dry_run=dry_run)
        assert counts(added) == {"unchanged": 1}
    whole = dataclasses.replace(target, replace=True)
    replaced = await import_rows(runtime, "external_id\nA0\nA1\nA3\n", "external_id", target=whole)
    assert counts(replaced) == {"unchanged": 1, "inserted": 1, "repeated": 1}
    assert await members(db, audience) == [people[1], people[3]]

    removed = await import_rows(runtime, "external_id\nA0\n", "external_id", target=target, mode=ImportMode.DELETE)
    assert counts(removed) == {"deleted": 1}
    assert await members(db, audience) == [people[3]]


async def test_what_a_target_needs_is_asked_for_at_once(runtime: Runtime, db: Connection) -> None:
    importer = Actor(name="token:1", permissions=frozenset({Permission.IMPORT, Permission.READ}))
    for target, key in ((SUBSCRIPTIONS, "email"), (ImportTarget(kind=TargetKind.LIST), "email")):
        with pytest.raises(Forbidden):
            await ready(runtime, "", key, target=target, actor=importer)
    with pytest.raises(Forbidden):
        await ready(runtime, "", "address", target=ImportTarget(kind=TargetKind.QUARANTINE), actor=importer)
    with pytest.raises(Invalid) as mode:
        await ready(runtime, "", "email", target=SUBSCRIPTIONS, mode=ImportMode.UPDATE)
    assert (mode.value.code, mode.value.path) == ("BAD_MODE", "options.mode")
    with pytest.raises(NotFound):
        await ready(runtime, "", "email", target=ImportTarget(kind=TargetKind.SUBSCRIPTIONS, service_id=99))
    with pytest.raises(NotFound):
        await ready(runtime, "", "email", target=ImportTarget(kind=TargetKind.LIST, audience_id=99))
    with pytest.raises(Invalid):
        await ready(runtime, "", "email", target=ImportTarget(kind=TargetKind.LIST, list_name="Not A Name"))
    with pytest.raises(Invalid):
        await ready(runtime, "", "address", target=ImportTarget(kind=TargetKind.QUARANTINE, address_kind="pigeon"))
    missing = await import_rows(runtime, "email\na@b.example\n", "email", target=SUBSCRIPTIONS)
    assert missing.error is not None
    assert (missing.error.code, missing.error.path) == ("NO_COLUMN", "line 1")
    run = await get_import(runtime, missing.id)
    assert run.options == ImportOptions(target=SUBSCRIPTIONS)
