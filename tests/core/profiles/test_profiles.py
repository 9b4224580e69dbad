"""People are made, changed, found and deleted; every refusal names its field."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from core.access import Actor, Permission
from core.audit import list_entries
from core.db import Connection, Pool, transaction
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.paging import PageRequest
from core.profiles import profiles
from core.profiles.errors import FieldsInvalid
from core.profiles.postal import postal_lines
from core.profiles.records import Gender, Profile

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
READER = Actor(name="token:9", permissions=frozenset({Permission.READ}))


async def create(conn: Connection, actor: Actor, **values: Any) -> Profile:
    """A profile with these values."""
    return await profiles.create_profile(conn, actor, values, now=NOW, default_country="FR")


async def update(conn: Connection, actor: Actor, profile: Profile, **changes: Any) -> Profile:
    """The changed profile."""
    return await profiles.update_profile(conn, actor, profile.id, changes, now=NOW + timedelta(hours=1))


async def audited(conn: Connection, profile: Profile) -> list[tuple[str, Any]]:
    """What was done to a profile, the last first."""
    entries = await list_entries(conn, object_type="profile", object_ids=[str(profile.id)], before_id=None, limit=10)
    return [(entry.action, entry.changes) for entry in entries]


async def test_a_new_profile_is_normalised(conn: Connection, actor: Actor) -> None:
    profile = await create(
        conn, actor, external_id=" C-1 ", email="Jürgen@Bücher.example", first_name="Ju\u0308rgen", gender="male",
        birth_date="1984-12-31", mobile_phone="06 12 34 56 78", country="fr", language="de_ch", opt_out_email=None,
    )  # fmt: skip

    assert profile.external_id == "C-1"
    assert profile.email == "Jürgen@xn--bcher-kva.example"
    assert profile.email_key == "jürgen@xn--bcher-kva.example"
    assert profile.email_domain == "xn--bcher-kva.example"
    assert profile.first_name == "Jürgen"
    assert profile.gender is Gender.MALE
    assert profile.birth_date == date(1984, 12, 31)
    assert profile.age(date(2026, 12, 30)) == 41
    assert profile.age(date(2026, 12, 31)) == 42
    assert profile.mobile_phone == "+33612345678"
    assert (profile.country, profile.language, profile.opt_out_email) == ("FR", "de-CH", False)
    assert profile.created_at == profile.updated_at == NOW
    assert await profiles.get_profile(conn, profile.id) == profile


async def test_a_number_without_prefix_is_read_for_the_persons_country(conn: Connection, actor: Actor) -> None:
    german = await create(conn, actor, country="DE", phone="0151 23456789")
    nowhere = await create(conn, actor, phone="06 12 34 56 78")
    moved = await update(conn, actor, german, phone="0151 23456780")

    assert german.phone == "+4915123456789"
    assert nowhere.phone == "+33612345678"
    assert moved.phone == "+4915123456780"


async def test_all_problems_are_told_at_once_with_their_places(conn: Connection, actor: Actor) -> None:
    with pytest.raises(FieldsInvalid) as caught:
        await create(conn, actor, email="nobody", birth_date="tomorrow", firstname="A", id=7, first_name="ok", country="XX")

    problems = {problem.path: problem for problem in caught.value.problems}
    assert {path: problem.code for path, problem in problems.items()} == {
        "email": "BAD_EMAIL", "birth_date": "BAD_DATE", "firstname": "UNKNOWN_FIELD", "id": "READ_ONLY_FIELD",
        "country": "BAD_VALUE",
    }  # fmt: skip
    assert problems["firstname"].hint == "Did you mean 'first_name'?"
    assert "(and 4 more)" in caught.value.message
    assert await profiles.count_profiles(conn) == 0


async def test_a_change_touches_only_its_fields(conn: Connection, actor: Actor) -> None:
    profile = await create(conn, actor, first_name="Ann", last_name="Lee", email="ann@mail.example", opt_out=True)

    changed = await update(conn, actor, profile, first_name="Anna", email=None, opt_out=None)

    assert (changed.first_name, changed.last_name) == ("Anna", "Lee")
    assert (changed.email, changed.email_key, changed.email_domain) == (None, None, None)
    assert changed.opt_out is False
    assert changed.created_at == NOW
    assert changed.updated_at == NOW + timedelta(hours=1)


async def test_a_change_that_changes_nothing_writes_nothing(conn: Connection, actor: Actor) -> None:
    profile = await create(conn, actor, first_name="Ann", email="Ann@mail.example")

    same = await update(conn, actor, profile, first_name=" Ann ", email="Ann@mail.example", city=None)

    assert same == profile
    assert [action for action, _ in await audited(conn, profile)] == ["profile.create"]


async def test_the_audit_names_fields_and_no_values(conn: Connection, actor: Actor) -> None:
    profile = await create(conn, actor, first_name="Secretname", email="secret@mail.example")
    await update(conn, actor, profile, email="other@mail.example", last_name="Alsosecret")
    await profiles.delete_profile(conn, actor, profile.id)

    told = await audited(conn, profile)

    assert told == [
        ("profile.delete", {}),
        ("profile.update", {"fields": ["email", "last_name"]}),
        ("profile.create", {"fields": ["email", "first_name"]}),
    ]


async def test_unique_fields_of_another_are_a_conflict_with_its_place(conn: Connection, actor: Actor) -> None:
    await create(conn, actor, external_id="C-1", crypted_id="k", email="same@mail.example")
    other = await create(conn, actor, email="SAME@mail.example")

    with pytest.raises(Conflict) as created:
        await create(conn, actor, external_id="C-1")
    with pytest.raises(Conflict) as updated:
        await update(conn, actor, other, crypted_id="k")

    assert (created.value.code, created.value.path) == ("VALUE_TAKEN", "external_id")
    assert (updated.value.code, updated.value.path) == ("VALUE_TAKEN", "crypted_id")
    # the transaction goes on, and emails may be shared
    assert (await profiles.get_profile(conn, other.id)).crypted_id is None
    assert other.email_key == "same@mail.example"


async def test_what_does_not_exist_is_not_found(conn: Connection, actor: Actor) -> None:
    profile = await create(conn, actor, first_name="Ann")
    await profiles.delete_profile(conn, actor, profile.id)

    assert await profiles.find_profile(conn, profile.id) is None
    with pytest.raises(NotFound):
        await profiles.get_profile(conn, profile.id)
    with pytest.raises(NotFound):
        await update(conn, actor, profile, first_name="Anna")
    with pytest.raises(NotFound):
        await profiles.delete_profile(conn, actor, profile.id)


async def test_readers_do_not_write(conn: Connection, actor: Actor) -> None:
    profile = await create(conn, actor, first_name="Ann")

    with pytest.raises(Forbidden):
        await create(conn, READER, first_name="Bob")
    with pytest.raises(Forbidden):
        await update(conn, READER, profile, first_name="Bob")
    with pytest.raises(Forbidden):
        await profiles.delete_profile(conn, READER, profile.id)


async def test_profiles_are_looked_up_by_what_is_unique(conn: Connection, actor: Actor) -> None:
    profile = await create(conn, actor, external_id="C-1", crypted_id="k")

    assert await profiles.find_profile_by(conn, "external_id", "C-1") == profile
    assert await profiles.find_profile_by(conn, "crypted_id", "k") == profile
    assert await profiles.find_profile_by(conn, "external_id", "c-1") is None
    assert await profiles.find_profile_by(conn, "external_id", "\0") is None
    with pytest.raises(Invalid):
        await profiles.find_profile_by(conn, "email; DROP TABLE profile", "x")
    assert await profiles.get_profiles(conn, [profile.id, profile.id + 1]) == {profile.id: profile}
    assert await profiles.get_profiles(conn, []) == {}


async def test_pages_follow_the_ids(conn: Connection, actor: Actor) -> None:
    made = [(await create(conn, actor, first_name=f"P{n}")).id for n in range(5)]

    seen: list[int] = []
    after = None
    while True:
        page = await profiles.list_profiles(conn, PageRequest(first=2, after=after))
        seen += [profile.id for profile in page.rows]
        if not page.has_next:
            break
        after = seen[-1]

    assert seen == made
    assert await profiles.count_profiles(conn) == 5


async def test_two_who_create_the_same_person_at_once_make_one(pool: Pool, actor: Actor) -> None:
    async def one(n: int) -> object:
        try:
            async with transaction(pool) as conn:
                return await create(conn, actor, external_id="C-1", first_name=f"N{n}")
        except Conflict as error:
            return error.code

    outcomes = await asyncio.gather(*(one(n) for n in range(5)))

    assert sorted(str(type(outcome).__name__) for outcome in outcomes) == ["Profile", "str", "str", "str", "str"]


async def test_two_changes_of_different_fields_at_once_both_stay(pool: Pool, actor: Actor) -> None:
    async with transaction(pool) as conn:
        profile = await create(conn, actor, first_name="Ann", last_name="Lee")

    async def change(**changes: Any) -> None:
        async with transaction(pool) as conn:
            await update(conn, actor, profile, **changes)

    await asyncio.gather(change(first_name="Anna"), change(last_name="Li"), change(city="Paris"))

    async with transaction(pool) as conn:
        found = await profiles.get_profile(conn, profile.id)
    assert (found.first_name, found.last_name, found.city) == ("Anna", "Li", "Paris")


async def test_a_letter_has_six_lines_at_most(conn: Connection, actor: Actor) -> None:
    full = await create(
        conn, actor, salutation="Ms", first_name="Ann", last_name="Lee", address_line1="c/o X", address_line2="Bât. B",
        address_line3="1 rue Y", address_line4="Cedex", zip_code="75001", city="Paris",
    )  # fmt: skip
    little = await create(conn, actor, last_name="Lee", city="Paris")

    assert postal_lines(full) == ("Ms Ann Lee", "c/o X", "Bât. B", "1 rue Y", "Cedex", "75001 Paris")
    assert postal_lines(little) == ("Lee", "Paris")
