"""What templates may read of a profile is what profiles have, in the form in which ledger rows carry it."""

from __future__ import annotations

from datetime import UTC, datetime

from core.access import Actor
from core.content.personalization import FIELDS, fields_read, personal_values, shown
from core.db import Connection
from core.profiles.fields import FIELDS as PROFILE_FIELDS
from core.profiles.profiles import create_profile
from render_ext import compile


async def test_every_field_is_a_column_of_profiles(conn: Connection) -> None:
    columns = await conn.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = 'profile'")
    assert set(FIELDS) <= {row["column_name"] for row in columns}
    assert set(FIELDS) == set(PROFILE_FIELDS)


def test_codes_are_shown_as_words() -> None:
    assert FIELDS["gender"].words == {0: "unknown", 1: "male", 2: "female"}
    row = {"gender": 1, "email_format": 2, "city": "Ulm"}
    assert shown(row, ("city", "gender", "email_format")) == {
        "gender": "male",
        "email_format": "html",
        "city": "Ulm",
    }
    assert shown(row, ("city",)) is row
    assert shown({}, ("gender",)) == {"gender": ""}
    assert shown({"gender": 99}, ("gender",)) == {"gender": ""}


def test_the_fields_of_a_row_are_those_that_the_template_reads() -> None:
    program = compile(
        "{{ profile.city }}{% if profile.gender == 'male' %}{{ profile['zip_code'] }}{% endif %}"
        "{{ products[0].city }}{% assign a = profile.language %}{{ a }}"
        "{% for p in products %}{{ p.profile.fax }}{% endfor %}"
    )
    assert fields_read(program.variables) == {"city", "gender", "zip_code", "language"}


async def test_a_record_gives_the_values_that_a_ledger_row_would_carry(conn: Connection, actor: Actor) -> None:
    # Given a profile, and what Postgres makes of its row
    given = {
        "email": "Zoe@Example.com",
        "first_name": "Zoë",
        "birth_date": "2000-02-29",
        "gender": 2,
        "latitude": 1.5,
    }
    profile = await create_profile(conn, actor, given, now=datetime(2030, 1, 1, 9, 30, 0, 123450, tzinfo=UTC))
    row = await conn.fetchval("SELECT to_jsonb(p) FROM profile p WHERE id = $1", profile.id)
    # Then a preview sees the same
    made = personal_values(profile)
    for name in FIELDS:
        if name.endswith("_at"):
            assert datetime.fromisoformat(made[name]) == datetime.fromisoformat(row[name])
        else:
            assert made[name] == row[name], name
    assert (made["email"], made["gender"], made["birth_date"]) == ("Zoe@Example.com", 2, "2000-02-29")
