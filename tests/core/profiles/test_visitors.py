"""Visitors of forms: told in sets, known to be a person by one key, read through merges, gone with the person."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.db import Connection, Pool, transaction
from core.errors import Forbidden, Invalid
from core.paging import PageRequest
from core.personal import Person
from core.privacy.perimeter import all_tables
from core.privacy.store import tables
from core.profiles import merging, profiles, visitors
from core.profiles.identities import ProfileReference, ReferenceKind
from core.profiles.merge_records import MergePlan
from core.profiles.told_in_sets import MOST_AT_ONCE
from core.profiles.visitor_records import SentVisitor, Visitor, VisitorResult
from core.profiles.visitors import remove_visitors, save_visitors
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


def by_id(value: int) -> ProfileReference:
    return ProfileReference(ReferenceKind.ID, value)


def by_email(value: str) -> ProfileReference:
    return ProfileReference(ReferenceKind.EMAIL, value)


def visitor(key: str = "v1", *, profile: int | None = None, referrer: int | None = None, **values: str | None) -> SentVisitor:
    """One, who is a profile and was sent by another."""
    return SentVisitor(
        external_id=key, values=values, profile=None if profile is None else by_id(profile),
        referrer=None if referrer is None else by_id(referrer),
    )  # fmt: skip


def told(results: list[VisitorResult]) -> list[str]:
    """What became of each row, or the code of what was wrong with it."""
    assert [one.index for one in results] == list(range(len(results)))
    return [one.error.code if one.error else one.outcome.value for one in results]


async def save(conn: Connection, *sent: SentVisitor, now: datetime = NOW) -> list[str]:
    """The outcomes."""
    return told(await save_visitors(conn, SYSTEM, sent, now=now))


async def stored(conn: Connection, *, unidentified: bool = False) -> dict[str, Visitor]:
    page = await visitors.list_visitors(conn, PageRequest(first=99), unidentified=unidentified)
    return {one.external_id: one for one in page.rows}


async def test_visitors_are_added_changed_and_identified_later(conn: Connection) -> None:
    ann = await a_person(conn, external_id="A", email="ann@shop.example")
    bea = await a_person(conn, email="bea@shop.example")
    first = visitor(
        email="Zoë@Shöp.example", first_name=" Zoë ", last_name="Roe", origin="contest", forward_url="https://shop.example/x",
        referrer_email="Bea@Shop.Example", referrer_first_name="Bea", referrer_last_name="B", referrer_comment="Try this",
    )  # fmt: skip
    assert await save(conn, first, visitor("v2")) == ["created", "created"]
    one = (await stored(conn))["v1"]
    assert (one.email, one.first_name, one.last_name, one.origin) == ("zoë@xn--shp-tna.example", "Zoë", "Roe", "contest")
    assert (one.referrer_email, one.referrer_comment, one.referrer_id) == ("bea@shop.example", "Try this", None)
    assert (one.forward_url, one.profile_id, one.created_at) == ("https://shop.example/x", None, NOW)

    assert await save(conn, visitor(), visitor("v2", origin=" "), now=LATER) == ["unchanged", "unchanged"]
    known = [
        SentVisitor(external_id="v1", profile=by_email("ANN@shop.example"), referrer=by_id(bea)),
        visitor("v2", origin="quiz"),
    ]
    assert await save(conn, *known, now=LATER) == ["updated", "updated"]
    one = (await stored(conn))["v1"]
    assert (one.profile_id, one.referrer_id, one.first_name, one.updated_at, one.created_at) == (ann, bea, "Zoë", LATER, NOW)
    assert list(await stored(conn, unidentified=True)) == ["v2"]

    forgotten = SentVisitor(external_id="v1", values={"origin": None}, forget_profile=True, forget_referrer=True)
    assert await save(conn, forgotten, now=LATER) == ["updated"]
    one = (await stored(conn))["v1"]
    assert (one.profile_id, one.referrer_id, one.origin) == (None, None, None)
    assert await visitors.find_visitor_by_key(conn, "v1") == one
    assert await visitors.find_visitor_by_key(conn, "no key") is None
    entries = await list_entries(conn, object_type="visitor", object_ids=["set"], before_id=None, limit=9)
    assert [(one.action, one.changes) for one in entries] == [
        ("visitor.save", {"updated": 1}), ("visitor.save", {"updated": 2}), ("visitor.save", {"created": 2}),
    ]  # fmt: skip


async def test_what_is_wrong_costs_only_its_row(conn: Connection) -> None:
    for _ in range(2):
        await a_person(conn, email="twins@shop.example")
    nobody, twins = ProfileReference(ReferenceKind.EXTERNAL_ID, "nobody"), by_email("twins@shop.example")
    sent = [
        visitor("v1"), visitor("v1", origin="x"), visitor("two words"), visitor("é"), visitor(""), visitor("x" * 201),
        visitor("v2", email="no address"), visitor("v3", first_name="x" * 101),
        visitor("v4", forward_url="javascript:alert(1)"),
        SentVisitor(external_id="v5", profile=nobody), SentVisitor(external_id="v6", referrer=nobody),
        SentVisitor(external_id="v7", profile=twins),
        SentVisitor(external_id="v8", profile=nobody, referrer=twins), visitor("v9"),
    ]  # fmt: skip
    results = await save_visitors(conn, SYSTEM, sent, now=NOW)
    assert [(one.error.code, one.error.path) if one.error else one.outcome.value for one in results] == [
        "created", ("REPEATED", "external_id"), *[("BAD_EXTERNAL_ID", "external_id")] * 4,
        ("BAD_EMAIL", "email"), ("TOO_LONG", "first_name"), ("BAD_VALUE", "forward_url"),
        ("PROFILE_NOT_FOUND", "profile.external_id"), ("PROFILE_NOT_FOUND", "referrer.external_id"),
        ("AMBIGUOUS_EMAIL", "profile.email"), ("PROFILE_NOT_FOUND", "profile.external_id"), "created",
    ]  # fmt: skip
    assert list(await stored(conn)) == ["v1", "v9"]
    done = told(await remove_visitors(conn, SYSTEM, ["v1", "v7", "v1", "no key"]))
    assert done == ["removed", "VISITOR_NOT_FOUND", "REPEATED", "BAD_EXTERNAL_ID"]
    assert list(await stored(conn)) == ["v9"]
    for number in (0, MOST_AT_ONCE + 1):
        with pytest.raises(Invalid) as caught:
            await save(conn, *[visitor()] * number)
        assert caught.value.code == "BAD_VALUE"
    reader = Actor(name="reader", permissions=frozenset({Permission.READ}))
    with pytest.raises(Forbidden):
        await save_visitors(conn, reader, [visitor()], now=NOW)
    with pytest.raises(Forbidden):
        await remove_visitors(conn, reader, ["v9"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
async def test_what_is_written_is_what_is_read_and_never_sql(conn: Connection, text: str) -> None:
    hostile = f"{text}'; DROP TABLE visitor; --\\\"{{}}$1"
    await save(conn, visitor(origin=hostile))
    assert await save(conn, visitor(origin=hostile)) == ["unchanged"]
    kept = (await stored(conn))["v1"].origin
    assert kept is not None
    assert await save(conn, visitor(origin=kept)) == ["unchanged"]
    assert kept.endswith("'; DROP TABLE visitor; --\\\"{}$1")


async def test_visits_are_read_as_the_survivors_while_people_are_merged_and_asked_about(conn: Connection) -> None:
    ann, bea, eve = [await a_person(conn, first_name=name) for name in ("Ann", "Bea", "Eve")]
    await save(
        conn, visitor("v1", profile=bea, origin="contest"), visitor("v2", profile=ann, referrer=bea, email="A@shop.example")
    )
    assert await found(conn, "exists(visitors where origin = 'Contest')") == {bea}
    assert await found(conn, "exists(visitors where email = 'a@Shop.example' and referrer.first_name = 'bea')") == {ann}
    assert await found(conn, "exists(referred_visitors where profile.first_name = 'Ann')") == {bea}
    done = await merging.merge_profiles(conn, SYSTEM, MergePlan(survivor_id=eve, other_ids=(bea,)), now=LATER)
    await save(conn, visitor("v3", profile=bea))  # what is told of the other by its key is told of the survivor
    of_all = await visitors.list_of_profiles(conn, [ann, bea, eve])
    assert [one.external_id for one in of_all[eve]] == ["v3", "v1"]
    assert await found(conn, "count(visitors) = 2") == {eve}
    assert await found(conn, "exists(referred_visitors)") == {eve}
    assert await found(conn, "exists(visitors where referrer.first_name = 'eve')") == {ann}

    await merging.undo_merge(conn, SYSTEM, done.id, now=LATER)
    of_all = await visitors.list_of_profiles(conn, [ann, bea, eve])
    assert {key: [one.external_id for one in some] for key, some in of_all.items()} == {ann: ["v2"], bea: ["v1"], eve: ["v3"]}


async def test_an_audience_that_is_kept_follows_visitors(conn: Connection) -> None:
    ann = await a_person(conn, external_id="A")
    visited = await keep(conn, "visited", "exists(visitors where origin = 'contest')")
    referred = await keep(conn, "referred", "exists(referred_visitors)")
    await settle(conn)
    for sent, first, second in [
        (visitor(origin="contest"), set(), set()), (visitor(profile=ann), {ann}, set()),
        (visitor(origin="quiz", referrer=ann), set(), {ann}), (visitor(origin="contest"), {ann}, {ann}),
        (SentVisitor(external_id="v1", forget_profile=True, forget_referrer=True), set(), set()),
    ]:  # fmt: skip
        await save(conn, sent)
        await settle(conn)
        for audience, expected in ((visited, first), (referred, second)):
            assert await members(conn, audience) == await counted(conn, audience) == expected


async def test_the_visits_of_somebody_who_is_deleted_go_too(conn: Connection) -> None:
    ann, bea = await a_person(conn, first_name="Ann"), await a_person(conn, first_name="Bea")
    await save(conn, visitor("v1", profile=ann), visitor("v2", profile=bea, referrer=ann, referrer_comment="x"), visitor("v3"))
    await profiles.delete_profile(conn, SYSTEM, ann)
    rows = await stored(conn)
    assert list(rows) == ["v2", "v3"]
    assert (rows["v2"].profile_id, rows["v2"].referrer_id, rows["v2"].referrer_comment) == (bea, None, "x")


async def test_the_person_is_given_whom_they_sent_and_what_they_said_before_anybody_knew_who_they_are(conn: Connection) -> None:
    ann, bea = await a_person(conn, first_name="Ann"), await a_person(conn, first_name="Bea")
    await save(
        conn, visitor("own", profile=ann), visitor("unknown", email="Ann@shop.example"),
        visitor("sent", profile=bea, referrer=ann, email="bea@shop.example", first_name="Bea", origin="Bea's page"),
        visitor("named", referrer_email="ANN@shop.example", email="bea@shop.example"),
        visitor("self", profile=ann, referrer=ann, referrer_email="ann@shop.example"),
        visitor("other", profile=bea), visitor("else", email="x@shop.example"),
    )  # fmt: skip
    declared = [one for one in await all_tables(conn) if one.table == "visitor"]
    person = Person(profile_ids=(ann,), addresses=(("email", "ann@shop.example"),))
    rows = [row async for row in tables.rows_of(conn, declared, person)]
    assert {row["external_id"] for row in rows if "external_id" in row} == {"own", "unknown", "self"}
    # And of whom they sent no more than what it says of them
    sent = [row for row in rows if "external_id" not in row]
    kept = await stored(conn)
    assert {row["id"] for row in sent} == {kept["sent"].id, kept["named"].id}
    assert {row["referrer_email"] for row in sent} == {None, "ann@shop.example"}
    assert all("bea" not in str(row).lower() and "profile_id" not in row for row in sent)


async def test_two_who_tell_the_same_visitors_at_once_do_not_wait_in_a_circle(pool: Pool) -> None:
    async def tell(keys: list[str], origin: str) -> list[str]:
        async with transaction(pool) as conn:
            return await save(conn, *(visitor(key, origin=origin) for key in keys))

    keys = [f"v{n}" for n in range(50)]
    for _ in range(3):
        both = await asyncio.gather(tell(keys, "a"), tell(keys[::-1], "b"))
        assert {one for outcomes in both for one in outcomes} <= {"created", "updated", "unchanged"}
    async with pool.acquire() as conn:
        assert len(await stored(conn)) == 50
