"""What templates may read of a profile is what profiles have, in the form in which ledger rows carry it."""

from __future__ import annotations

from core.content.personalization import FIELDS, fields_read, shown
from core.db import Connection
from core.profiles.fields import FIELDS as PROFILE_FIELDS
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
    assert set(fields_read(program.variables)) == {"city", "gender", "zip_code", "language"}
