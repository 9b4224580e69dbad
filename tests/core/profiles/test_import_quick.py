"""What is read quickly is what is read otherwise."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.profiles.errors import BadValue
from core.profiles.fields import Field, FieldType
from core.profiles.import_quick import QUICK
from core.profiles.values import Reading, clean

READING = Reading(region="FR", today=date(2026, 3, 1))
CELLS = [
    "", " ", "0", "-0", "007", "12", "+12", "-12", " 12", "1_000", "١٢", "²", "9223372036854775807", "9223372036854775808",
    "9" * 18, "9" * 19, "1.5", "-1.50", ".5", "5.", "1e3", "1.5e-300", "0." + "0" * 29 + "1", "9" * 30, "NaN", "Infinity",
    "1,5", "2024-05-01", "2024-05-01T10:00", "2024-05-01T10:00Z", "2024-05-01T10:00:00.5+02:00", "20240501T100000Z",
    "0001-01-01T00:00+14:00", "9999-12-31T23:59:59-01:00", "2024-05-01 10:00:00-23:59", "2024-W18-3T10:00Z",
    "2024-05-01T10:00Z ", "2024-05-01\u00a010:00Z", "2024-02-30T10:00Z", "2024-05-01T10:00:00,5Z",
    "2024-05-01T24:00Z", "2024-05-01é10:00Z",
]  # fmt: skip
NUMBERS = st.integers(-(10**20), 10**20).map(str) | st.decimals(allow_nan=False, allow_infinity=False).map(str)
INSTANTS = st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat())


def check(kind: FieldType, cell: str) -> None:
    quick = QUICK[kind](cell)
    if quick is None:
        return
    found = clean(Field(name="x", label="X", type=kind), cell, READING)
    assert (type(quick), str(quick)) == (type(found), str(found))


@pytest.mark.parametrize("kind", QUICK)
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_read_alike_or_left_alone(kind: FieldType, cell: str) -> None:
    try:
        check(kind, cell)
    except BadValue as error:
        raise AssertionError(f"{cell!r} is read quickly, and refused otherwise") from error


@pytest.mark.parametrize("kind", QUICK)
@given(cell=NUMBERS | INSTANTS | st.text("0123456789.-+TZ: e_٣", max_size=12))
def test_any_cell_is(kind: FieldType, cell: str) -> None:
    check(kind, cell)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [(FieldType.INTEGER, "42"), (FieldType.DECIMAL, "-19.90"), (FieldType.INSTANT, "2024-05-01T10:00:00.25+02:00")],
)
def test_what_is_usual_is_read_quickly(kind: FieldType, cell: str) -> None:
    assert QUICK[kind](cell) is not None
