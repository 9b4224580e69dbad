"""What a text means as a date, beyond the case files: bounds, zones and texts that are none."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import render_ext
from render_ext.date_fields import LONGEST
from render_ext.dates import parse_date
from render_ext.strftime import strftime

NOW = datetime(2026, 11, 26, 17, 30, 15, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
PIECES = (
    "0", "1", "12", "31", "99", "2024", "10000", "-", "/", ".", ":", ",", "'", " ", "t", "z", "[", "]", "+", "jan", "may",
    "sat", "am", "pm", "bc", "th", "h", "m", "gmt", "est", "w", "é", "٣", "standard time", "dst", "_", "\ud800", "\x00",
)  # fmt: skip


def shown(text: str, zone: ZoneInfo = PARIS, now: datetime | None = NOW) -> str | None:
    """The moment of a text, written out."""
    moment = parse_date(text, now, zone)
    return None if moment is None else strftime(moment, "%Y-%m-%d %H:%M:%S %z %Z")


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.sampled_from([None, NOW]))
def test_any_text_is_a_date_or_none(text: str, now: datetime | None) -> None:
    shown(text, now=now)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-15 10:00", "2024-07-15 10:00:00 +0200 CEST"),
        ("2024-07-15 10:00Z", "2024-07-15 12:00:00 +0200 CEST"),
        ("2024-07-15 10:00 gmt", "2024-07-15 12:00:00 +0200 CEST"),
        ("2024-07-15 10:00 +0200", "2024-07-15 10:00:00 +0200 CEST"),
        ("2024-07-15 10:00 -0500", "2024-07-15 10:00:00 -0500 "),
        ("2024-07-15 10:00 CET", "2024-07-15 10:00:00 +0100 "),
        ("2024-07-15 10:00 JST", "2024-07-15 10:00:00 +0200 CEST"),
        ("2024-03-31 02:30", "2024-03-31 03:30:00 +0200 CEST"),
        ("2024-10-27 02:30", "2024-10-27 02:30:00 +0100 CET"),
        ("2024-165 23:30Z", "2024-06-14 01:30:00 +0200 CEST"),
        ("23:30", "2026-11-26 23:30:00 +0100 CET"),
        ("23:30 -0500", "2026-11-26 23:30:00 -0500 "),
    ],
)
def test_the_zone_of_a_text(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_without_now_a_text_needs_its_year() -> None:
    assert shown("10:20", now=None) is None
    assert shown("5 May", now=None) is None
    assert shown("May 2024", now=None) == "2024-05-01 00:00:00 +0200 CEST"


def test_a_text_has_a_bound() -> None:
    date = "2024-01-15"
    assert shown(date + " " * (LONGEST - len(date))) == "2024-01-15 00:00:00 +0100 CET"
    assert shown(date + " " * (LONGEST - len(date) + 1)) is None
    assert shown(date + "é" * ((LONGEST - len(date)) // 2 + 1)) is None
    assert shown(date * 1_000_000) is None


@pytest.mark.parametrize(
    "text", ["0000-01-01", "10000-01-01", "9999-12-31 23:00 -0500", "0001-01-01 00:00 +0500", "5 May 44 BC"]
)
def test_years_that_there_are_none_of(text: str) -> None:
    assert shown(text, ZoneInfo("UTC")) is None


def test_a_percent_sign_that_begins_nothing_stays() -> None:
    template = '{{ "2024-01-15" | date: form }}'
    for form in ("100 %", "%", "%-", "%5", "%E", "%99999Q", "%Ö"):
        assert render_ext.compile(template).render({"form": form}) == form
