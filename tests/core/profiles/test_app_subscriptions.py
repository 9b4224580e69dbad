"""Devices with an app: told in sets, known to a person by one key, read through merges, gone with the person."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.db import Connection, Pool, transaction
from core.errors import Forbidden, Invalid
from core.paging import PageRequest
from core.profiles import app_subscriptions, merging, profiles
from core.profiles.app_records import AppResult, AppSubscription, Platform, SentAppSubscription
from core.profiles.app_subscriptions import remove_app_subscriptions, save_app_subscriptions
from core.profiles.identities import ProfileReference, ReferenceKind
from core.profiles.merge_records import MergePlan
from core.profiles.told_in_sets import MOST_AT_ONCE
from core.targeting.audiences import open_question, sample
from core.targeting.parse import parse_text
from tests.core.targeting.kept import counted, keep, members, settle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ZONE = ZoneInfo("UTC")


async def found(conn: Connection, question: str) -> set[int]:
    return set(await sample(conn, await open_question(conn, parse_text(question)), size=9, at=NOW, zone=ZONE))


async def a_person(conn: Connection, **values: Any) -> int:
    """The id."""
    return (await profiles.create_profile(conn, SYSTEM, values, now=NOW)).id


def by(kind: ReferenceKind, value: int | str) -> ProfileReference:
    return ProfileReference(kind, value)


def device(token: str = "t1", app: str = "com.shop", **more: Any) -> SentAppSubscription:
    return SentAppSubscription(**{"app": app, "registration_token": token, "platform": Platform.IOS, **more})


async def save(conn: Connection, *sent: SentAppSubscription, now: datetime = NOW) -> list[str]:
    """The outcomes."""
    return told(await save_app_subscriptions(conn, SYSTEM, sent, now=now))


def told(results: list[AppResult]) -> list[str]:
    """What became of each row, or the code of what was wrong with it."""
    assert [one.index for one in results] == list(range(len(results)))
    return [one.error.code if one.error else one.outcome.value for one in results]


async def stored(conn: Connection) -> list[AppSubscription]:
    return list((await app_subscriptions.list_app_subscriptions(conn, PageRequest(first=99))).rows)


async def test_devices_are_added_and_changed_each_with_a_result_of_its_own(conn: Connection) -> None:
    ann = await a_person(conn, external_id="A", email="ann@shop.example")
    for _ in range(2):
        await a_person(conn, email="twins@shop.example")
    sent = [
        device("t1", profile=by(ReferenceKind.EMAIL, "Ann@Shop.example")),
        device("t2", platform=Platform.WEB, opted_out=True),
        device("t1", app="com.other", profile=by(ReferenceKind.EXTERNAL_ID, "A")),
        device("t1", platform=Platform.WEB),
        device("t3", app="no app"),
        device("two words"),
        device("t4", profile=by(ReferenceKind.EXTERNAL_ID, "nobody")),
        device("t5", profile=by(ReferenceKind.EMAIL, "twins@shop.example")),
        device("t6", profile=by(ReferenceKind.EMAIL, "no address")),
        device("ü"),
    ]
    assert await save(conn, *sent) == [
        "created", "created", "created", "REPEATED", "BAD_APP", "BAD_TOKEN", "PROFILE_NOT_FOUND", "AMBIGUOUS_EMAIL",
        "BAD_EMAIL", "BAD_TOKEN",
    ]  # fmt: skip
    # What is left out stays; a logout is told by name
    changed = [device("t2", opted_out=None), replace(sent[0], profile=None, opted_out=True), device("t1", "com.other")]
    assert await save(conn, *changed, now=LATER) == ["updated", "updated", "unchanged"]
    assert await save(conn, device("t1", "com.other", forget_profile=True), now=LATER) == ["updated"]

    rows = {(one.app, one.registration_token): one for one in await stored(conn)}
    assert {key: (one.platform, one.opted_out, one.profile_id, one.updated_at) for key, one in rows.items()} == {
        ("com.shop", "t1"): (Platform.IOS, True, ann, LATER),
        ("com.shop", "t2"): (Platform.IOS, True, None, LATER),
        ("com.other", "t1"): (Platform.IOS, False, None, LATER),
    }
    assert {one.created_at for one in rows.values()} == {NOW}
    entries = await list_entries(conn, object_type="app_subscription", object_ids=["com.shop"], before_id=None, limit=9)
    assert [(one.action, one.changes) for one in entries] == [
        ("app_subscription.save", {"updated": 2}), ("app_subscription.save", {"created": 2}),
    ]  # fmt: skip


async def test_devices_are_removed_and_what_is_wrong_costs_only_itself(conn: Connection) -> None:
    await save(conn, device("t1"), device("t2"))
    keys = [("com.shop", "t1"), ("com.shop", "t9"), ("com.shop", "t1"), ("", "t1")]
    done = told(await remove_app_subscriptions(conn, SYSTEM, keys))
    assert done == ["removed", "APP_SUBSCRIPTION_NOT_FOUND", "REPEATED", "BAD_APP"]
    assert [one.registration_token for one in await stored(conn)] == ["t2"]
    for number in (0, MOST_AT_ONCE + 1):
        with pytest.raises(Invalid) as caught:
            await save(conn, *[device()] * number)
        assert caught.value.code == "BAD_VALUE"
    reader = Actor(name="reader", permissions=frozenset({Permission.READ}))
    with pytest.raises(Forbidden):
        await save_app_subscriptions(conn, reader, [device()], now=NOW)
    with pytest.raises(Forbidden):
        await remove_app_subscriptions(conn, reader, keys)


async def test_devices_are_read_as_the_survivors_while_people_are_merged_and_asked_about(conn: Connection) -> None:
    ann, bea = await a_person(conn, first_name="Ann", external_id="A"), await a_person(conn, first_name="Bea", external_id="B")
    await save(conn, device("t1", profile=by(ReferenceKind.ID, bea)), device("t2", profile=by(ReferenceKind.ID, ann)))
    question = "exists(app_subscriptions where platform = 'ios' and opted_out = false and app = 'com.shop')"
    assert await found(conn, question) == {ann, bea}
    plan = MergePlan(survivor_id=ann, other_ids=(bea,))
    done = await merging.merge_profiles(conn, SYSTEM, plan, now=LATER)
    # What is told of the other by its key is told of the survivor
    await save(conn, device("t3", profile=by(ReferenceKind.ID, bea)))
    of_both = await app_subscriptions.list_of_profiles(conn, [ann, bea])
    assert [one.registration_token for one in of_both[ann]] == ["t3", "t2", "t1"]
    assert await found(conn, "count(app_subscriptions) = 3") == {ann}

    await merging.undo_merge(conn, SYSTEM, done.id, now=LATER)
    of_both = await app_subscriptions.list_of_profiles(conn, [ann, bea])
    assert {key: [one.registration_token for one in some] for key, some in of_both.items()} == {ann: ["t3", "t2"], bea: ["t1"]}


async def test_an_audience_that_is_kept_follows_devices(conn: Connection) -> None:
    ann = await a_person(conn, external_id="A")
    audience = await keep(conn, "with_app", "exists(app_subscriptions where opted_out = false)")
    await settle(conn)
    owner = by(ReferenceKind.ID, ann)
    for one, expected in [
        (device("t1"), set()), (device("t1", profile=owner), {ann}), (device("t1", opted_out=True), set()),
        (device("t1", opted_out=False), {ann}), (device("t1", forget_profile=True), set()),
    ]:  # fmt: skip
        await save(conn, one)
        await settle(conn)
        assert await members(conn, audience) == await counted(conn, audience) == expected


async def test_the_devices_of_somebody_who_is_deleted_go_too(conn: Connection) -> None:
    ann, bea = await a_person(conn, first_name="Ann"), await a_person(conn, first_name="Bea")
    await save(conn, *(device(f"t{n}", profile=by(ReferenceKind.ID, who)) for n, who in enumerate((ann, bea))), device("free"))
    await profiles.delete_profile(conn, SYSTEM, ann)
    assert {one.registration_token for one in await stored(conn)} == {"t1", "free"}
    assert await save(conn, device("t0", profile=by(ReferenceKind.ID, ann))) == ["PROFILE_NOT_FOUND"]


async def test_two_who_tell_the_same_devices_at_once_do_not_wait_in_a_circle(pool: Pool) -> None:
    sent = [device(f"t{n}") for n in range(50)]

    async def tell(rows: list[SentAppSubscription], opted_out: bool) -> list[str]:
        async with transaction(pool) as conn:
            return await save(conn, *(replace(one, opted_out=opted_out) for one in rows))

    for _ in range(3):
        both = await asyncio.gather(tell(sent, True), tell(sent[::-1], False))
        assert {one for outcomes in both for one in outcomes} <= {"created", "updated", "unchanged"}
    async with pool.acquire() as conn:
        assert len(await stored(conn)) == 50
