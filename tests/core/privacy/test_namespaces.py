"""Namespaces of the team's: fields of profiles and of datasets that lead to them; and what cannot be one."""

from __future__ import annotations

from datetime import date

import pytest

from core.access import SYSTEM
from core.datamodel.drafts import remove_field
from core.datamodel.records import FieldKind, LinkKind
from core.db import Connection, transaction
from core.errors import ClarionError, Conflict
from core.privacy import namespaces
from core.privacy.records import Namespace, NamespaceDraft, RequestKind, RequestState
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, publish_fields
from tests.core.delivery.people import add_person
from tests.core.privacy.asking import done


async def add(runtime: Runtime, name: str, field: str, entity: str = "profile") -> Namespace:
    draft = NamespaceDraft(name=name, label=name.title(), entity=entity, field=field)
    async with transaction(runtime.pool) as conn:
        return await namespaces.create_namespace(conn, SYSTEM, draft)


async def refused(runtime: Runtime, code: str, name: str, field: str, entity: str = "profile") -> None:
    with pytest.raises(ClarionError) as caught:
        await add(runtime, name, field, entity)
    assert caught.value.code == code


async def left(db: Connection) -> set[int]:
    return {row["id"] for row in await db.fetch("SELECT id FROM profile")}


@pytest.mark.parametrize(
    ("kind", "kept", "asked"),
    [
        (FieldKind.TEXT, "C-1 a", " C-1 a "),
        (FieldKind.INTEGER, 4711, "4711"),
        (FieldKind.DATE, date(1990, 5, 17), "1990-05-17"),
    ],
)
async def test_people_are_found_by_a_field_of_the_team(
    runtime: Runtime, db: Connection, kind: FieldKind, kept: object, asked: str
) -> None:
    """All who have the value; nobody else."""
    await publish_fields(db, field("card", kind))
    await add(runtime, "card", "card")
    await add_person(db, "ann@mail.example", x_card=kept)
    await add_person(db, "anna@mail.example", x_card=kept)
    bob = await add_person(db, "bob@mail.example")

    request = await done(runtime, RequestKind.DELETE, "card", asked)

    assert (request.state, request.profiles_found) == (RequestState.COMPLETE, 2)
    assert await left(db) == {bob}
    again = await done(runtime, RequestKind.DELETE, "card", "something else")
    assert again.error is not None
    assert (again.state, again.error.code) == (RequestState.ERROR, "NOBODY_FOUND")


async def test_people_are_found_by_rows_that_lead_to_them(runtime: Runtime, db: Connection) -> None:
    """By every link of the row: by a column, and by fields that are all equal."""
    await dataset(db, "phone", field("number"), field("place"), field("mail"))
    await point(db, link("owner"), "phone")
    await point(db, link("user", source_fields=("place", "mail"), target_fields=("external_id", "email")), "phone")
    await publish_draft(db)
    await add(runtime, "phone", "number", "phone")
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
    await dataset(db, "shop", field("code"))
    await dataset(db, "visit", field("code"))
    await point(db, link("people", kind=LinkKind.MANY_TO_MANY), "visit")
    await publish_fields(db, field("card"))
    await refused(runtime, "UNKNOWN_DATASET", "one", "code", "nothing")
    await refused(runtime, "UNKNOWN_DATASET", "one", "name", "campaign")
    await refused(runtime, "UNKNOWN_FIELD", "one", "nothing")
    await refused(runtime, "NOT_LINKED", "one", "code", "shop")
    await refused(runtime, "NOT_LINKED", "one", "code", "visit")
    await refused(runtime, "BAD_NAME", "One Two", "card")
    await refused(runtime, "NAME_TAKEN", "email", "card")
    await add(runtime, "card", "card")
    await refused(runtime, "NAME_TAKEN", "card", "card")


async def test_a_namespace_stays_while_requests_name_it(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("card"))
    unused, used = await add(runtime, "unused", "card"), await add(runtime, "used", "card")
    await done(runtime, RequestKind.DELETE, "used", "C-1")
    (built_in, *_) = await namespaces.list_namespaces(db)
    for one, code in ((used, "IN_USE"), (built_in, "BUILT_IN")):
        with pytest.raises(ClarionError) as caught:
            async with transaction(runtime.pool) as conn:
                await namespaces.delete_namespace(conn, SYSTEM, one.id)
        assert caught.value.code == code
    async with transaction(runtime.pool) as conn:
        await namespaces.delete_namespace(conn, SYSTEM, unused.id)
    assert "unused" not in {one.name for one in await namespaces.list_namespaces(db)}


async def test_a_field_that_people_are_known_by_is_not_hidden(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("card"))
    await add(runtime, "card", "card")

    await remove_field(db, SYSTEM, "profile", "card", now=NOW)
    with pytest.raises(Conflict, match=r"the privacy namespace 'card' \(card\)") as refused_for:
        await publish_draft(db)

    assert refused_for.value.code == "FIELD_IN_USE"
