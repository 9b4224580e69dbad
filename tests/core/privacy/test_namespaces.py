"""Namespaces of the team's: fields of profiles and of datasets that lead to them; and what cannot be one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from core.access import SYSTEM
from core.datamodel.drafts import remove_field
from core.datamodel.records import FieldKind, LinkKind
from core.db import Connection, transaction
from core.errors import ClarionError, Conflict, Invalid
from core.events import event_types
from core.events.records import EventField
from core.privacy import namespaces
from core.privacy.records import NamespaceDraft, RequestKind, RequestState
from core.privacy.store import finding
from core.privacy.uses import find_namespaces_without_events
from core.privacy.work import work
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, publish_fields
from tests.core.delivery.people import add_person
from tests.core.events.told import save
from tests.core.privacy.asking import add_namespace, ask, done, get

OPT_IN = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


async def refused(runtime: Runtime, code: str, name: str, field: str, entity: str = "profile") -> None:
    with pytest.raises(ClarionError) as caught:
        await add_namespace(runtime, name, field, entity)
    assert caught.value.code == code


async def left(db: Connection) -> set[int]:
    return {row["id"] for row in await db.fetch("SELECT id FROM profile")}


@pytest.mark.parametrize(
    ("kind", "kept", "asked", "other"),
    [
        (FieldKind.TEXT, "C-1 a", " C-1 a ", "something else"),
        (FieldKind.INTEGER, 4711, "4711", "471"),
        (FieldKind.DATE, date(1990, 5, 17), "1990-05-17", "1990-05-18"),
    ],
)
async def test_people_are_found_by_a_field_of_the_team(
    runtime: Runtime, db: Connection, kind: FieldKind, kept: object, asked: str, other: str
) -> None:
    """All who have the value; nobody else."""
    await publish_fields(db, field("card", kind))
    await add_namespace(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card=kept)
    await add_person(db, "anna@mail.example", x_card=kept)
    bob = await add_person(db, "bob@mail.example")

    request = await done(runtime, RequestKind.DELETE, "card", asked)

    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 2)
    assert await left(db) == {bob}
    again = await done(runtime, RequestKind.DELETE, "card", other)
    assert again.error is not None
    assert (again.state, again.error.code) == (RequestState.ERROR, "NOBODY_FOUND")


async def test_people_are_found_by_rows_that_lead_to_them(runtime: Runtime, db: Connection) -> None:
    """By every link of the row: by a column, and by fields that are all equal."""
    await dataset(db, "phone", field("number"), field("place"), field("mail"))
    await point(db, link("owner"), "phone")
    await point(db, link("user", source_fields=("place", "mail"), target_fields=("external_id", "email")), "phone")
    await publish_draft(db)
    await add_namespace(runtime, "phone", "number", "phone")
    owner = await add_person(db, "owner@mail.example")
    user = await add_person(db, "user@mail.example", external_id="here")
    same = await add_person(db, "same@mail.example", external_id="there")
    add_row = "INSERT INTO x_phone (x_number, x_place, x_mail, x_owner_id) VALUES ($1, $2, $3, $4)"
    await db.execute(add_row, "N-1", "here", "user@mail.example", owner)
    await db.execute(add_row, "N-1", "there", "nobody@mail.example", None)
    await db.execute(add_row, "N-2", "here", "somebody@mail.example", same)

    request = await done(runtime, RequestKind.DELETE, "phone", "N-1")

    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 2)
    assert await left(db) == {same}
    assert user not in await left(db)
    rows = await db.fetch("SELECT x_number, x_place, x_mail, x_owner_id FROM x_phone ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("N-1", None, None, None),
        ("N-1", "there", "nobody@mail.example", None),
        ("N-2", "here", "somebody@mail.example", same),  # in the same place, but another's
    ]


async def test_what_cannot_be_a_namespace_is_refused(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "visit", field("code"))
    await point(db, link("people", kind=LinkKind.MANY_TO_MANY), "visit")
    await publish_fields(db, field("card"))
    await refused(runtime, "UNKNOWN_DATASET", "one", "code", "nothing")
    await refused(runtime, "UNKNOWN_DATASET", "one", "name", "campaign")
    await refused(runtime, "UNKNOWN_FIELD", "one", "nothing")
    for kind in (FieldKind.BOOLEAN, FieldKind.JSON, FieldKind.POINT):
        await publish_fields(db, field(kind.value, kind))
        await refused(runtime, "BAD_KIND", "one", kind.value)
    await refused(runtime, "UNKNOWN_FIELD", "one", "first_name", "visitor")
    await refused(runtime, "UNKNOWN_FIELD", "one", "app", "app_subscription")
    await refused(runtime, "UNKNOWN_FIELD", "one", "email_key")
    await refused(runtime, "UNKNOWN_DATASET", "one", "key", "event_nothing")
    await refused(runtime, "UNKNOWN_DATASET", "one", "key", "event_")
    await refused(runtime, "UNKNOWN_DATASET", "one", "key", "e_visit; DROP TABLE profile")
    await refused(runtime, "UNKNOWN_DATASET", "one", "key", "x" * 10_000)
    await save(db, "visit", EventField(name="bag", label="Bag", kind=FieldKind.JSON))
    await refused(runtime, "BAD_KIND", "one", "bag", "event_visit")
    await refused(runtime, "UNKNOWN_FIELD", "one", "profile_id", "event_visit")
    await refused(runtime, "UNKNOWN_FIELD", "one", "x_bag", "event_visit")
    await refused(runtime, "NOT_LINKED", "one", "code", "visit")
    await refused(runtime, "BAD_NAME", "One Two", "card")
    await refused(runtime, "NAME_TAKEN", "email", "card")
    await add_namespace(runtime, "card", "card")
    await refused(runtime, "NAME_TAKEN", "card", "card")


async def test_a_field_that_people_are_known_by_is_not_hidden(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("card"))
    await add_namespace(runtime, "card", "card")

    await remove_field(db, SYSTEM, "profile", "card", now=NOW)
    with pytest.raises(Conflict, match=r"the privacy namespace 'card' \(card\)") as refused_for:
        await publish_draft(db)

    assert refused_for.value.code == "FIELD_IN_USE"


@pytest.mark.parametrize(
    ("name", "column", "kept", "asked"),
    [
        ("phone", "phone", "+33198765432", "01 98 76 54 32"),
        ("fax", "fax", "+33198765432", "+33 1 98 76 54 32"),
        ("crypted_id", "crypted_id", "c-4711", " c-4711 "),
        ("opt_in_id", "opt_in_id", OPT_IN, f"{{{OPT_IN.upper()}}}"),
        ("email", "email_key", "ann@mail.example", "ANN@mail.example"),
    ],
)
async def test_people_are_found_by_fields_of_ours(
    runtime: Runtime, db: Connection, name: str, column: str, kept: str, asked: str
) -> None:
    french = replace(runtime, settings=runtime.settings.model_copy(update={"default_country": "FR"}))
    await add_namespace(runtime, "known", name)
    ann = await add_person(db, None)
    await db.execute(f"UPDATE profile SET {column} = $2 WHERE id = $1", ann, kept)
    bob = await add_person(db, "bob@mail.example")

    request = await done(french, RequestKind.DELETE, "known", asked)

    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 1)
    assert await left(db) == {bob}


@pytest.mark.parametrize(
    ("kind", "kept", "asked"),
    [
        (FieldKind.DECIMAL, Decimal("19.9"), "19.90"),
        (FieldKind.INTEGER, 4711, "+04711"),
        (FieldKind.INSTANT, datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01T10:00:00+01:00"),
        (FieldKind.TEXT, "Zo\u00eb", "Zoe\u0308"),
    ],
)
async def test_a_value_is_read_as_its_field_says(
    runtime: Runtime, db: Connection, kind: FieldKind, kept: object, asked: str
) -> None:
    """However it is spelt."""
    await publish_fields(db, field("card", kind))
    await add_namespace(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card=kept)

    request = await done(runtime, RequestKind.DELETE, "card", asked)

    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 1)


HOSTILE = ("1 OR 1=1", "'; DROP TABLE profile; --", "9" * 400, "1e999999", "NaN", "\u0661\u0662", "%", "0x10", "{}", "infinity")


@pytest.mark.parametrize(
    "kind", [FieldKind.INTEGER, FieldKind.DECIMAL, FieldKind.DATE, FieldKind.INSTANT, FieldKind.AUTOMATIC_ID]
)
async def test_what_is_no_value_of_the_field_is_refused_without_quoting_it(
    runtime: Runtime, db: Connection, kind: FieldKind
) -> None:
    await publish_fields(db, field("card", kind))
    await add_namespace(runtime, "card", "card")
    for value in HOSTILE:
        with pytest.raises(Invalid) as caught:
            await ask(runtime, RequestKind.DELETE, "card", value)
        assert caught.value.code == "BAD_VALUE"
        assert value[:8] not in str(caught.value)
    assert await db.fetchval("SELECT count(*) FROM privacy_request") == 0


@pytest.mark.parametrize("value", [*HOSTILE, "a|b", ".*", "[", "\\", "$1", "\u202eevil", "x" * 1000])
async def test_any_text_is_a_value_of_a_text(runtime: Runtime, db: Connection, value: str) -> None:
    """It finds who has it, letter by letter, and nobody else."""
    await publish_fields(db, field("card", max_length=1000))
    await add_namespace(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card=value)
    bob = await add_person(db, "bob@mail.example", x_card="other")

    request = await done(runtime, RequestKind.DELETE, "card", value)

    assert (request.state, request.error, request.profiles_found) == (RequestState.COMPLETE, None, 1)
    assert await left(db) == {bob}


async def test_two_namespaces_over_the_same_find_the_same(runtime: Runtime, db: Connection) -> None:
    """And the value of an erased person is not kept, whichever of them asks again."""
    await publish_fields(db, field("card"))
    await add_namespace(runtime, "card", "card")
    await add_namespace(runtime, "ticket", "card")
    await add_person(db, "ann@mail.example", x_card="C-1")
    first = await ask(runtime, RequestKind.DELETE, "ticket", "C-1")
    assert (await done(runtime, RequestKind.DELETE, "card", "C-2")).state is RequestState.ERROR
    assert (await done(runtime, RequestKind.DELETE, "card", "C-1")).state is RequestState.ERROR  # the other was there before
    assert (await get(runtime, first)).state is RequestState.COMPLETE

    again = await done(runtime, RequestKind.ACCESS, "card", "C-1")

    assert again.error is not None
    assert again.error.code == "NOBODY_FOUND"
    kept = await db.fetch("SELECT value_hash FROM privacy_request WHERE value IS NOT NULL")
    assert len(kept) == 1, "of C-2, whom nobody knows, alone"


async def test_a_field_that_has_come_to_hold_something_else_ends_the_request(runtime: Runtime, db: Connection) -> None:
    await save(db, "visit", EventField(name="ticket", label="Ticket", kind=FieldKind.TEXT, max_length=20))
    await add_namespace(runtime, "ticket", "ticket", "event_visit")
    request_ids = [await ask(runtime, RequestKind.DELETE, "ticket", "T-1")]
    await save(db, "visit", EventField(name="ticket", label="Ticket", kind=FieldKind.INTEGER))
    await work(runtime)
    request_ids.append(await ask(runtime, RequestKind.DELETE, "ticket", "12"))
    await save(db, "visit", EventField(name="other", label="Other", kind=FieldKind.INTEGER))
    await work(runtime)

    errors = [(await get(runtime, one)).error for one in request_ids]

    assert [one.code for one in errors if one is not None] == ["BAD_VALUE", "UNKNOWN_FIELD"]
    with pytest.raises(Invalid) as caught:
        await ask(runtime, RequestKind.DELETE, "ticket", "12")
    assert (caught.value.code, caught.value.path) == ("UNKNOWN_FIELD", "namespace_name")


async def test_fields_of_devices_and_events_that_people_are_known_by_are_not_hidden(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("device_id"), entity="app_subscription")
    ticket = EventField(name="ticket", label="Ticket", kind=FieldKind.TEXT, max_length=20)
    await save(db, "visit", ticket)
    await add_namespace(runtime, "device", "device_id", "app_subscription")
    await add_namespace(runtime, "ticket", "ticket", "event_visit")
    await add_namespace(runtime, "visit", "key", "event_visit")

    await remove_field(db, SYSTEM, "app_subscription", "device_id", now=NOW)
    with pytest.raises(Conflict, match=r"the privacy namespace 'device' \(device_id\)"):
        await publish_draft(db)
    assert await find_namespaces_without_events(db, "visit") == []
    await save(db, "visit", EventField(name="other", label="Other", kind=FieldKind.TEXT, max_length=20))
    assert [(one.name, one.reads) for one in await find_namespaces_without_events(db, "visit")] == [("ticket", ("ticket",))]
    await event_types.remove_event_type(db, SYSTEM, "visit", confirm="visit")
    assert [one.name for one in await find_namespaces_without_events(db, "visit")] == ["ticket", "visit"]


async def test_a_value_that_very_many_have_names_nobody(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure is for good: whoever takes a language for a name erases nobody by it."""
    monkeypatch.setattr(finding, "MOST", 3)
    await publish_fields(db, field("language"), entity="app_subscription")
    await publish_fields(db, field("card"))
    await add_namespace(runtime, "card", "card")
    await add_namespace(runtime, "device", "language", "app_subscription")
    for n in range(3):
        await add_person(db, f"{n}@mail.example", x_card="C-1")
    columns = "app, registration_token, platform, opted_out, profile_id, created_at, updated_at, x_language"
    told = f"INSERT INTO app_subscription ({columns}) VALUES ('shop', $1, 'ios', false, $2, now(), now(), 'english')"
    for n, owner in enumerate((*await left(db), None)):
        await db.execute(told, f"t-{n}", owner)

    refused = [await done(runtime, kind, "device", "english") for kind in RequestKind]
    assert [(one.state, one.error and one.error.code) for one in refused] == [(RequestState.ERROR, "TOO_MANY_FOUND")] * 2
    assert len(await left(db)) == 3
    assert await db.fetchval("SELECT count(*) FROM app_subscription") == 4
    assert (await done(runtime, RequestKind.DELETE, "card", "C-1")).state is RequestState.COMPLETE
    assert (await done(runtime, RequestKind.DELETE, "device", "english")).state is RequestState.COMPLETE


async def test_a_type_is_not_removed_while_a_namespace_over_it_is_made(runtime: Runtime, db: Connection) -> None:
    """Nor is a namespace made over one that is being removed."""
    await save(db, "visit", EventField(name="ticket", label="Ticket", kind=FieldKind.TEXT, max_length=20))
    draft = NamespaceDraft(name="ticket", label="Ticket", entity="event_visit", field="ticket")
    async with transaction(runtime.pool) as conn:
        await namespaces.create_namespace(conn, SYSTEM, draft)
        with pytest.raises(Conflict) as caught:
            await event_types.remove_event_type(db, SYSTEM, "visit", confirm="visit", lock_timeout_ms=100)
        assert caught.value.code == "TABLE_BUSY"
    await db.execute("DELETE FROM privacy_namespace WHERE name = 'ticket'")
    async with transaction(runtime.pool) as conn:
        await event_types.remove_event_type(conn, SYSTEM, "visit", confirm="visit")
        making = asyncio.create_task(add_namespace(runtime, "ticket", "ticket", "event_visit"))
        await asyncio.sleep(0.2)
        assert not making.done()
    with pytest.raises(Invalid) as refused_for:
        await making
    assert refused_for.value.code == "UNKNOWN_DATASET"
