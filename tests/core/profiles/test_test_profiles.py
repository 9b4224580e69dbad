"""Test profiles: a person's fields, nobody's place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.datamodel.records import FieldKind
from core.db import Connection
from core.errors import ClarionError, Conflict, Forbidden, Invalid, NotFound, Stale
from core.paging import PageRequest
from core.profiles import profiles, test_profile_records, test_profiles
from core.profiles.errors import FieldsInvalid
from core.profiles.team_rows import Extended, get_team_values
from tests.core.datamodel.model import field, publish_fields

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
Draft, Use = test_profile_records.TestProfileDraft, test_profile_records.TestProfileUse


async def made(conn: Connection, label: str = "Anna", *uses: Any, **values: Any) -> test_profile_records.TestProfile:
    draft = Draft(label=label, uses=uses or (Use.PREVIEW,))
    return await test_profiles.create_test_profile(conn, SYSTEM, draft, values, now=NOW)


async def test_it_has_a_person_s_fields_and_is_in_no_list_of_people(conn: Connection) -> None:
    draft = Draft(
        label="Anna", uses=(Use.PREVIEW, Use.TRAP), app_token="token", event_type="booking", event_payload={"rooms": 2}
    )
    values = {"email": "Anna@Mail.example", "country": "fr", "mobile_phone": "06 12 34 56 78", "email_format": "text"}
    found = await test_profiles.create_test_profile(conn, SYSTEM, draft, values, now=NOW)

    assert await test_profiles.get_test_profile(conn, found.id) == found
    assert (found.person.email, found.person.email_key) == ("Anna@Mail.example", "anna@mail.example")
    assert (found.person.mobile_phone, found.person.country) == ("+33612345678", "FR")
    assert found.uses == (Use.TRAP, Use.PREVIEW), "in their order"
    assert (found.app_token, found.event_type, found.event_payload) == ("token", "booking", {"rooms": 2})
    assert found.id > 10**15
    assert await profiles.count_profiles(conn) == 0
    assert await profiles.find_profile(conn, found.id) is None


async def test_it_has_every_column_of_a_profile_the_team_s_too(conn: Connection) -> None:
    await publish_fields(conn, field("tier"), field("points", FieldKind.INTEGER))
    columns = {
        name: {row["column_name"]: (row["data_type"], row["character_maximum_length"], row["is_nullable"]) for row in rows}
        for name in ("profile", "test_profile")
        for rows in [await conn.fetch("SELECT * FROM information_schema.columns WHERE table_name = $1", name)]
    }
    for one in ("merged_into", "search_words"):  # what is written about people themselves
        del columns["profile"][one]
    assert columns["profile"].items() <= columns["test_profile"].items()

    found = await test_profiles.create_test_profile(
        conn, SYSTEM, Draft(label="A", uses=(Use.PROOF,)), {}, {"tier": "gold"}, now=NOW
    )
    assert await get_team_values(conn, Extended.TEST_PROFILE, [found.id]) == {found.id: {"tier": "gold", "points": None}}
    later = await test_profiles.update_test_profile(conn, SYSTEM, found.id, {}, {}, {"points": 7}, now=NOW)
    assert later.version == 2
    assert await get_team_values(conn, Extended.TEST_PROFILE, [found.id]) == {found.id: {"tier": "gold", "points": 7}}
    same = await test_profiles.update_test_profile(conn, SYSTEM, found.id, {"label": "A"}, {}, {"points": 7}, now=NOW)
    assert same == later

    with pytest.raises(FieldsInvalid) as refused:
        await test_profiles.update_test_profile(conn, SYSTEM, found.id, {}, {}, {"points": "many", "teir": "x"}, now=NOW)
    assert [one.path for one in refused.value.problems] == ["team_fields.points", "team_fields.teir"]

    await publish_fields(conn, field("story", max_length=10_000))
    await conn.execute("ALTER TABLE test_profile ALTER COLUMN x_story SET STORAGE PLAIN")  # instead of hundreds of columns
    with pytest.raises(Invalid) as big:
        await test_profiles.update_test_profile(conn, SYSTEM, found.id, {}, {}, {"story": "x" * 9_000}, now=NOW)
    assert big.value.code == "ROW_TOO_BIG"


async def test_the_audit_names_the_fields_that_changed_and_no_others(conn: Connection) -> None:
    await publish_fields(conn, field("tier"), field("points", FieldKind.INTEGER))
    found = await test_profiles.create_test_profile(
        conn, SYSTEM, Draft(label="A", uses=(Use.PROOF,)), {}, {"tier": "gold", "points": 1}, now=NOW
    )
    await test_profiles.update_test_profile(conn, SYSTEM, found.id, {}, {}, {"tier": "gold", "points": 2}, now=NOW)
    (entry, *_) = await list_entries(conn, object_type="test_profile", object_ids=[str(found.id)], before_id=None, limit=5)
    assert entry.changes == {"fields": ["points"]}


async def test_changes_are_versions_with_a_trace(conn: Connection) -> None:
    found = await made(conn, first_name="Anna", phone="+33123456789")
    changed = await test_profiles.update_test_profile(
        conn, SYSTEM, found.id, {"uses": (Use.PROOF,)}, {"first_name": None, "city": "Lyon"}, expected_version=1, now=NOW
    )
    assert (changed.version, changed.uses) == (2, (Use.PROOF,))
    assert (changed.person.first_name, changed.person.city, changed.person.phone) == (None, "Lyon", "+33123456789")
    with pytest.raises(Stale):
        await test_profiles.update_test_profile(conn, SYSTEM, found.id, {}, {}, expected_version=1, now=NOW)
    await test_profiles.delete_test_profile(conn, SYSTEM, found.id)
    with pytest.raises(NotFound):
        await test_profiles.get_test_profile(conn, found.id)
    told = await conn.fetch("SELECT action, changes FROM audit_entry WHERE object_type = 'test_profile' ORDER BY id")
    assert [row["action"] for row in told] == ["test_profile.create", "test_profile.update", "test_profile.delete"]
    assert told[1]["changes"] == {"fields": ["city", "first_name", "uses"]}


async def test_they_are_listed_by_use_and_by_words(conn: Connection) -> None:
    anna = await made(conn, "Ánna in Lyon", Use.TRAP, email="a@mail.example")
    bert = await made(conn, "Bert", Use.TRAP, Use.PROOF, last_name="Lyonnais")
    await made(conn, "100% _", Use.PROOF)

    async def found(**asked: Any) -> list[str]:
        page = await test_profiles.list_test_profiles(conn, PageRequest(first=10), **asked)
        assert await test_profiles.count_test_profiles(conn, **asked) == len(page.rows)
        return [one.label for one in page.rows]

    assert len(await found()) == 3
    assert await found(use=Use.TRAP) == [anna.label, bert.label]
    assert await found(text="lyon") == [anna.label, bert.label]
    assert await found(text="ANNA") == [anna.label]
    assert await found(text="%") == ["100% _"]
    assert await found(text="\0") == []
    page = await test_profiles.list_test_profiles(conn, PageRequest(first=1, after=anna.id))
    assert ([one.id for one in page.rows], page.has_next) == ([bert.id], True)


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (Draft(label="", uses=(Use.TRAP,)), "BAD_LABEL"),
        (Draft(label="A", uses=()), "BAD_USES"),
        (Draft(label="A", uses=(Use.TRAP, Use.TRAP)), "BAD_USES"),
        (Draft(label="A", uses=(Use.RENDERING,)), "BAD_USES"),
        (Draft(label="A", uses=(Use.TRAP,), app_token="\n"), "BAD_VALUE"),
        (Draft(label="A", uses=(Use.TRAP,), event_type="No Name"), "BAD_EVENT"),
        (Draft(label="A", uses=(Use.TRAP,), event_payload={}), "BAD_EVENT"),
        (Draft(label="A", uses=(Use.TRAP,), event_type="a", event_payload={"a": "x" * 70_000}), "BAD_EVENT"),
        (Draft(label="A", uses=(Use.TRAP,), event_type="a", event_payload={"a": "\0"}), "BAD_EVENT"),
        (Draft(label="A", uses=(Use.TRAP,), event_type="a", event_payload={"\ud800": 1}), "BAD_EVENT"),
    ],
)
async def test_what_it_may_not_be(conn: Connection, draft: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        await test_profiles.create_test_profile(conn, SYSTEM, draft, {}, now=NOW)
    assert refused.value.code == code


async def test_fields_are_read_as_a_person_s_are(conn: Connection) -> None:
    with pytest.raises(FieldsInvalid) as refused:
        await made(conn, email="nobody", time_zone="Mars", nope=1)
    assert {one.path for one in refused.value.problems} == {"email", "time_zone", "nope"}


async def test_what_is_built_in_is_read_only_and_only_editors_write(conn: Connection) -> None:
    found = await made(conn)
    await conn.execute("UPDATE test_profile SET built_in = true, uses = '{rendering}'")
    acts = (
        test_profiles.update_test_profile(conn, SYSTEM, found.id, {"label": "B"}, now=NOW),
        test_profiles.delete_test_profile(conn, SYSTEM, found.id),
    )
    for act in acts:
        with pytest.raises(Conflict, match="built in"):
            await act
    reader = Actor(name="token:1", permissions=frozenset({Permission.READ}))
    with pytest.raises(Forbidden):
        await test_profiles.create_test_profile(conn, reader, Draft(label="A", uses=(Use.TRAP,)), {}, now=NOW)
    with pytest.raises(ClarionError):
        await test_profiles.update_test_profile(conn, SYSTEM, 1, {}, now=NOW)
