"""A header is understood as people write it, or refused with the place."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from core.profiles.fields import FIELDS
from core.profiles.import_columns import check_mapping, plan_columns
from core.profiles.run_records import ImportOptions, MatchKey, UnknownColumns
from core.profiles.team_fields import OURS


def fields(header: list[str], **options: object) -> list[tuple[int, str]]:
    """What the columns are."""
    plan = plan_columns(header, MatchKey.EMAIL, ImportOptions(**options), OURS)  # type: ignore[arg-type]
    return [(index, field.name) for index, field in plan.fields]


def test_people_spell_columns_in_many_ways() -> None:
    header = ["E-Mail", "First Name", "lastName", "MOBILE_PHONE", " Zip ", "Date of birth", "Opt-out email"]

    assert [name for _, name in fields(header)] == [
        "email", "first_name", "last_name", "mobile_phone", "zip_code", "birth_date", "opt_out_email",
    ]  # fmt: skip


def test_every_field_is_found_by_its_name_and_its_label() -> None:
    for field in FIELDS.values():
        for title in (field.name, field.label):
            header = [title] if field.name == "email" else ["email", title]
            expected = {"email", field.name} if field.settable else {"email"}
            assert {name for _, name in fields(header)} == expected


def test_an_email_fills_three_columns() -> None:
    plan = plan_columns(["external_id", "email", "crypted_id"], MatchKey.EXTERNAL_ID, ImportOptions(), OURS)

    assert plan.staged == ("external_id", "email", "email_key", "email_domain", "crypted_id")
    assert plan.key_columns == (("external_id",),)
    assert plan.other_unique == (("crypted_id",),)
    assert plan_columns(["email"], MatchKey.EMAIL, ImportOptions(), OURS).key_columns == (("email_key",),)


def test_a_mapping_comes_before_the_names() -> None:
    found = fields(["email", "Name", "city", "Note"], mapping={"Name": "last_name", "city": None, "Note": None})

    assert found == [(0, "email"), (1, "last_name")]


@pytest.mark.parametrize(
    ("header", "options", "code", "path", "hint"),
    [
        (["email", "Shoe size"], {}, "UNKNOWN_COLUMN", "line 1, column 2", "Map it"),
        (["email", "frist_name"], {}, "UNKNOWN_COLUMN", "line 1, column 2", "'first_name'"),
        (["email", "city", "City"], {}, "DUPLICATE_COLUMN", "line 1, column 3", "Rename"),
        (["email", "city", "Town"], {"mapping": {"Town": "city"}}, "DUPLICATE_COLUMN", "line 1, column 3", "Rename"),
        (["email"], {"expected_columns": ()}, "OTHER_COLUMNS", "line 1", "leave `expectedColumns` out"),
        (["email", ""], {}, "EMPTY_COLUMN_NAME", "line 1, column 2", "Name it"),
        (["city"], {}, "NO_KEY_COLUMN", "line 1", "another key"),
        (["email"], {"mapping": {"email": None}}, "NO_KEY_COLUMN", "line 1", "another key"),
        (["email", "Town"], {"mapping": {"town": "city"}}, "UNKNOWN_COLUMN", "line 1", "'Town'"),
    ],
)
def test_a_header_that_cannot_be_understood_is_located(
    header: list[str], options: dict[str, object], code: str, path: str, hint: str
) -> None:
    with pytest.raises(Invalid) as caught:
        fields(header, **options)

    assert (caught.value.code, caught.value.path) == (code, path)
    assert hint in (caught.value.hint or "")


def test_unknown_columns_may_be_left_out() -> None:
    assert fields(["x", "email", "y"], unknown_columns=UnknownColumns.IGNORE) == [(1, "email")]


def test_columns_of_the_house_are_left_out_so_that_an_export_can_come_back() -> None:
    assert fields(["id", "email", "email_domain", "created_at", "updated_at", "opt_in_id"]) == [(1, "email")]


def test_a_mapping_is_checked_before_there_is_a_file() -> None:
    check_mapping({"A": "city", "B": None, "C": None}, OURS)
    for mapping, code, path in (
        ({"A": "ctiy"}, "UNKNOWN_FIELD", "options.mapping.A"),
        ({"A": "id"}, "UNKNOWN_FIELD", "options.mapping.A"),
        ({"A": "city", "B": "city"}, "DUPLICATE_FIELD", "options.mapping.B"),
    ):
        with pytest.raises(Invalid) as caught:
            check_mapping(mapping, OURS)
        assert (caught.value.code, caught.value.path) == (code, path)
