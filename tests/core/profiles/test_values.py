"""Every field reads typed values and their spellings alike, and names what it cannot take."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.profiles.errors import BadValue
from core.profiles.fields import SETTABLE, FieldType
from core.profiles.records import EmailFormat, Gender
from core.profiles.values import Reading, clean, clean_text

READING = Reading(region="FR", today=date(2026, 3, 1))


def read(name: str, value: object) -> Any:
    """The stored value of a field."""
    return clean(SETTABLE[name], value, READING)


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("first_name", "  Zoé ", "Zoé"),
        ("first_name", "Zoe\u0301", "Zoé"),
        ("first_name", "   ", None),
        ("first_name", "\u00a0\u2003", None),
        ("first_name", "O'Neil 👨‍👩‍👧", "O'Neil 👨‍👩‍👧"),
        ("first_name", "محمد \u200fعلي", "محمد \u200fعلي"),
        ("address_line1", "1 rue X\r\nBât. B\tescalier 2", "1 rue X Bât. B escalier 2"),
        ("gender", "female", 2),
        ("gender", "F", 2),
        ("gender", "1", 1),
        ("gender", Gender.MALE, 1),
        ("gender", 0, 0),
        ("email_format", "HTML", 2),
        ("email_format", EmailFormat.TEXT, 1),
        ("birth_date", "1984-12-31", date(1984, 12, 31)),
        ("birth_date", date(1984, 12, 31), date(1984, 12, 31)),
        ("birth_date", "2026-03-01", date(2026, 3, 1)),
        ("opt_out", "Yes", True),
        ("opt_out", "0", False),
        ("opt_out", True, True),
        ("country", "fr", "FR"),
        ("country", "xk", "XK"),
        ("language", "PT_br", "pt-BR"),
        ("language", "zh-hant-tw", "zh-Hant-TW"),
        ("language", "EN-a-BBB-x-AA", "en-a-bbb-x-aa"),
        ("time_zone", "europe/paris", "Europe/Paris"),
        ("time_zone", "none", None),
        ("latitude", "-12.5", -12.5),
        ("latitude", 90, 90.0),
        ("longitude", "1.8e2", 180.0),
        ("thumbnail_url", "https://shop.example/a.png?x=1", "https://shop.example/a.png?x=1"),
        ("mobile_phone", "06 12 34 56 78", "+33612345678"),
        ("email", None, None),
    ],
)
def test_a_value_is_stored_in_one_form(name: str, value: object, stored: object) -> None:
    found = read(name, value)

    assert found == stored
    assert read(name, found) == stored


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("first_name", "x" * 101, "TOO_LONG"),
        ("first_name", "a\x00b", "BAD_TEXT"),
        ("first_name", "a\x1bb", "BAD_TEXT"),
        ("first_name", "a\ud800", "BAD_TEXT"),
        ("first_name", 5, "WRONG_TYPE"),
        ("gender", "3", "BAD_VALUE"),
        ("gender", 3, "BAD_VALUE"),
        ("gender", True, "BAD_VALUE"),
        ("gender", "woman", "BAD_VALUE"),
        ("birth_date", "1984-02-30", "BAD_DATE"),
        ("birth_date", "31.12.1984", "BAD_DATE"),
        ("birth_date", "19841231", "BAD_DATE"),
        ("birth_date", "1984-W01-1", "BAD_DATE"),
        ("birth_date", "٢٠٠٠-٠١-٠١", "BAD_DATE"),
        ("birth_date", "2026-03-02", "BAD_DATE"),
        ("birth_date", "1700-01-01", "BAD_DATE"),
        ("birth_date", datetime(1984, 1, 1, tzinfo=UTC), "WRONG_TYPE"),
        ("birth_date", 1984, "WRONG_TYPE"),
        ("opt_out", "maybe", "BAD_VALUE"),
        ("opt_out", 1, "BAD_VALUE"),
        ("country", "Atlantis", "BAD_VALUE"),
        ("country", "ZZ", "BAD_VALUE"),
        ("language", "french!", "BAD_VALUE"),
        ("language", "x" * 40, "BAD_VALUE"),
        ("time_zone", "Mars/Base", "BAD_VALUE"),
        ("time_zone", "../../etc/passwd", "BAD_VALUE"),
        ("latitude", "90.1", "BAD_VALUE"),
        ("latitude", "NaN", "BAD_VALUE"),
        ("latitude", float("inf"), "BAD_VALUE"),
        ("latitude", "1_0", "BAD_VALUE"),
        ("latitude", "1e999", "BAD_VALUE"),
        ("latitude", 10**400, "BAD_VALUE"),
        ("latitude", True, "WRONG_TYPE"),
        ("thumbnail_url", "javascript:alert(1)", "BAD_VALUE"),
        ("thumbnail_url", "https://", "BAD_VALUE"),
        ("thumbnail_url", "https://[::1", "BAD_VALUE"),
        ("thumbnail_url", "https://a.example/ b", "BAD_VALUE"),
        ("thumbnail_url", "https://a.example/" + "x" * 1000, "TOO_LONG"),
        ("email", 5, "WRONG_TYPE"),
        ("mobile_phone", 33612345678, "WRONG_TYPE"),
    ],
)
def test_what_cannot_be_stored_has_a_code(name: str, value: object, code: str) -> None:
    with pytest.raises(BadValue) as caught:
        read(name, value)

    assert caught.value.code == code
    assert len(caught.value.message) < 250


def test_every_field_that_people_set_can_be_read() -> None:
    samples = {
        FieldType.TEXT: "x",
        FieldType.EMAIL: "a@mail.example",
        FieldType.PHONE: "+33612345678",
        FieldType.COUNTRY: "FR",
        FieldType.LANGUAGE: "fr",
        FieldType.TIME_ZONE: "UTC",
        FieldType.URL: "https://a.example/",
        FieldType.DATE: "2000-01-01",
        FieldType.BOOLEAN: "true",
        FieldType.NUMBER: "1",
        FieldType.ENUMERATION: "1",
    }

    for name, field in SETTABLE.items():
        assert read(name, samples[field.type]) is not None


@given(st.text())
def test_a_clean_text_stays_as_it_is_and_can_be_written(text: str) -> None:
    try:
        cleaned = clean_text(text)
    except BadValue:
        return
    if cleaned is None:
        return

    assert clean_text(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert "\n" not in cleaned
    assert "\0" not in cleaned
    cleaned.encode()
