"""What rules make of cells."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.profiles.errors import BadValue
from core.profiles.fields import FIELDS, Field, FieldType
from core.profiles.import_cells import compile_rule, parse_date_format
from core.profiles.import_options import ColumnRule, OtherValues, TextCase

CITY, BORN = FIELDS["city"], FIELDS["birth_date"]
SEEN = Field(name="seen", label="Seen", type=FieldType.INSTANT)


def cell(rule: ColumnRule, text: str, field: Field = CITY, nulls: tuple[str, ...] = ()) -> str:
    """What a rule makes of a cell."""
    return compile_rule(rule, nulls, field)(text)


def refusal(rule: ColumnRule, text: str, field: Field = CITY) -> str:
    """The code with which a rule refuses a cell."""
    with pytest.raises(BadValue) as caught:
        cell(rule, text, field)
    return caught.value.code


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        (ColumnRule(column="a"), "  x  y ", "x  y"),
        (ColumnRule(column="a", collapse_blanks=True), "  x\u00a0 \t y ", "x y"),
        (ColumnRule(column="a", nulls=("NULL", " - ")), " - ", ""),
        (ColumnRule(column="a", nulls=("NULL",), default="z"), "NULL", "z"),
        (ColumnRule(column="a", case=TextCase.UPPER), "straße", "STRASSE"),
        (ColumnRule(column="a", case=TextCase.CAPITALIZE), "O'BRIEN-SMITH of l’isle", "O'Brien-Smith Of L’Isle"),
        (ColumnRule(column="a", case=TextCase.CAPITALIZE), "it's", "It's"),
        (ColumnRule(column="a", case=TextCase.LOWER, values={"h": "male"}), "H", "male"),
        (ColumnRule(column="a", values={"h": ""}, default="z"), "h", "z"),
        (ColumnRule(column="a", values={"h": "x"}), "other", "other"),
        (ColumnRule(column="a", values={}, other_values=OtherValues.DEFAULT, default="z"), "other", "z"),
        (ColumnRule(column="a", decimal_mark=","), "-1,50", "-1.50"),
        (ColumnRule(column="a", decimal_mark=","), ",5", "0.5"),
        (ColumnRule(column="a", decimal_mark=",", thousands_mark="."), "1.234.567,8", "1234567.8"),
        (ColumnRule(column="a", thousands_mark=" "), "1\u202f234", "1234"),
        (ColumnRule(column="a", thousands_mark="'"), "1234", "1234"),
    ],
)
def test_a_cell_becomes(rule: ColumnRule, text: str, expected: str) -> None:
    assert cell(rule, text) == expected


@pytest.mark.parametrize(
    ("rule", "text", "code"),
    [
        (ColumnRule(column="a", required=True), " ", "MISSING"),
        (ColumnRule(column="a", values={"h": "x"}, other_values=OtherValues.REFUSE), "other", "BAD_VALUE"),
        (ColumnRule(column="a", decimal_mark=","), "1.5", "BAD_VALUE"),
        (ColumnRule(column="a", decimal_mark=","), ",", "BAD_VALUE"),
        (ColumnRule(column="a", decimal_mark=","), "١", "BAD_VALUE"),
        (ColumnRule(column="a", thousands_mark=","), "1,23", "BAD_VALUE"),
        (ColumnRule(column="a", thousands_mark=","), "1234,567", "BAD_VALUE"),
        (ColumnRule(column="a", date_format="DD/MM/YYYY"), "31/02/2001", "BAD_DATE"),
        (ColumnRule(column="a", date_format="DD/MM/YYYY"), "1/2/2001 3:00", "BAD_DATE"),
    ],
)
def test_a_cell_is_refused(rule: ColumnRule, text: str, code: str) -> None:
    assert refusal(rule, text) == code


def test_times_are_of_their_zone() -> None:
    rule = ColumnRule(column="a", date_format="DD.MM.YYYY HH:MI", time_zone="Europe/Paris")
    assert cell(rule, "01.07.2024 12:00", SEEN) == "2024-07-01T10:00:00+00:00"
    assert cell(rule, "01.07.2024 00:30", BORN) == "2024-07-01"  # a day is that of the file
    assert cell(ColumnRule(column="a", date_format="%Y%m%d%z"), "20240701+0200", SEEN) == "2024-06-30T22:00:00+00:00"
    assert refusal(ColumnRule(column="a", date_format="%Y-%m-%d%z"), "0001-01-01+0200", SEEN) == "BAD_DATE"


@pytest.mark.parametrize(
    ("zone", "text", "read"),
    [
        ("Europe/Paris", "31.03.2024 01:59", "2024-03-31T00:59:00+00:00"),
        ("Europe/Paris", "31.03.2024 02:00", None),
        ("Europe/Paris", "31.03.2024 02:59", None),
        ("Europe/Paris", "31.03.2024 03:00", "2024-03-31T01:00:00+00:00"),
        ("Europe/Paris", "27.10.2024 02:30", "2024-10-27T00:30:00+00:00"),  # comes twice: the first
        ("Europe/Paris", "27.10.2024 03:00", "2024-10-27T02:00:00+00:00"),
        ("Australia/Lord_Howe", "06.10.2024 02:15", None),  # half an hour is skipped
        ("Pacific/Apia", "30.12.2011 12:00", None),  # a day is
        (None, "31.03.2024 02:30", "2024-03-31T02:30:00+00:00"),
    ],
)
def test_a_time_that_clocks_skip_is_refused_and_one_that_comes_twice_is_the_first(
    zone: str | None, text: str, read: str | None
) -> None:
    iso = f"{text[6:10]}-{text[3:5]}-{text[:2]}T{text[11:]}"
    rule = ColumnRule(column="a", date_format="DD.MM.YYYY HH:MI", time_zone=zone)
    rules = [(rule, text), (ColumnRule(column="a", time_zone=zone), iso)][: 2 if zone else 1]
    for one, written in rules:
        if read is None:
            assert refusal(one, written, SEEN) == "SKIPPED_TIME"
        else:
            assert cell(one, written, SEEN) == read


@pytest.mark.parametrize(
    "text", ["2024-07-01T12:00:00Z", "2024-07-01T12:00:00+05:00", "2024-07-01", "20240701", "2024-W27-1", "tomorrow", "12:00"]
)
def test_a_zone_alone_leaves_what_says_its_offset_and_what_is_no_time(text: str) -> None:
    assert cell(ColumnRule(column="a", time_zone="Europe/Paris"), text, SEEN) == text


def test_a_zone_alone_is_about_instants() -> None:
    for field in (BORN, CITY):
        assert cell(ColumnRule(column="a", time_zone="Europe/Paris"), "2024-07-01 12:00", field) == "2024-07-01 12:00"
    assert refusal(ColumnRule(column="a", time_zone="Europe/Paris"), "0001-01-01T00:00", SEEN) == "BAD_DATE"


@pytest.mark.parametrize(
    "text", ["", "YYYY", "MM/YYYY", "dd/mm/yyyy", "DD/MM/YYYY Q", "%", "%Q", "%d/%m", "%Y-%m-%d" * 20, "[YYYY"]
)
def test_what_does_not_say_a_day_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_date_format(text)
    assert caught.value.code == "BAD_DATE_FORMAT"


@given(st.dates(date(1850, 1, 1)), st.sampled_from(["DD/MM/YYYY", "YYYYMMDD", "MON DD, YYYY", "DD MONTH YYYY", "%j %Y"]))
def test_dates_come_through(day: date, pattern: str) -> None:
    written = datetime(day.year, day.month, day.day, tzinfo=UTC).strftime(parse_date_format(pattern))
    assert cell(ColumnRule(column="a", date_format=pattern), written, BORN) == day.isoformat()


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.sampled_from([",.", ".,", ", ", ".'"]))
def test_numbers_come_through(number: object, marks: str) -> None:
    written = f"{number:,f}".replace(",", "T").replace(".", marks[0]).replace("T", marks[1])
    assert cell(ColumnRule(column="a", decimal_mark=marks[0], thousands_mark=marks[1]), written) == f"{number:f}"


@given(st.text(max_size=30), st.text(max_size=8))
def test_no_cell_breaks_a_rule(text: str, other: str) -> None:
    for rule in (
        ColumnRule(column="a", nulls=(other,), case=TextCase.CAPITALIZE, values={other: "x"}, default=other),
        ColumnRule(column="a", decimal_mark=",", thousands_mark="."),
        ColumnRule(column="a", date_format="DD/MM/YYYY"),
        ColumnRule(column="a", time_zone="Europe/Paris"),
    ):
        for field in (CITY, SEEN):
            with contextlib.suppress(BadValue):
                assert isinstance(cell(rule, text, field), str)
