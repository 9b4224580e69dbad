"""Calendar arithmetic: month ends, clock changes, and the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from core.targeting.language import Anchor, Unit, relative
from core.targeting.moments import add_months, end_of, resolve, start_of, to_utc, today

PARIS, CAIRO, HAVANA, UTC_ZONE = (ZoneInfo(name) for name in ("Europe/Paris", "Africa/Cairo", "America/Havana", "UTC"))
AT = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)  # 01:30 in Paris, half an hour before its clocks go forward


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), -48, date(2020, 2, 29)),
        (date(2024, 1, 15), -1, date(2023, 12, 15)),
        (date(2024, 12, 31), 2, date(2025, 2, 28)),
        (date(2024, 5, 31), 0, date(2024, 5, 31)),
    ],
)
def test_months_end_where_the_month_does(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([], AT),
        ([(Unit.DAYS, -1)], datetime(2024, 3, 30, 0, 30, tzinfo=UTC)),
        # the wall clock stays, though the day has 23 hours
        ([(Unit.DAYS, 1)], datetime(2024, 3, 31, 23, 30, tzinfo=UTC)),
        ([(Unit.HOURS, 24)], datetime(2024, 4, 1, 0, 30, tzinfo=UTC)),
        ([(Unit.MONTHS, -1)], datetime(2024, 2, 29, 0, 30, tzinfo=UTC)),
        ([(Unit.YEARS, -1), (Unit.DAYS, -3)], datetime(2023, 3, 27, 23, 30, tzinfo=UTC)),
        (
            [(Unit.WEEKS, 1), (Unit.MINUTES, -90), (Unit.SECONDS, 5)],
            datetime(2024, 4, 6, 22, 0, 5, tzinfo=UTC),
        ),
    ],
)
def test_now_moves_by_calendar_then_by_duration(offsets: list[tuple[Unit, int]], expected: datetime) -> None:
    assert resolve(relative(Anchor.NOW, offsets), AT, PARIS) == expected


def test_a_skipped_time_is_taken_with_the_offset_before() -> None:
    # given half past two the day before the clocks jump from two to three
    at = datetime(2024, 3, 30, 1, 30, tzinfo=UTC)
    # then a day later it is half past three
    assert resolve(relative(Anchor.NOW, [(Unit.DAYS, 1)]), at, PARIS) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)


def test_the_second_of_two_equal_times_is_a_time_like_others() -> None:
    # given half past two for the second time, the night that clocks go back
    at = datetime(2024, 10, 27, 1, 30, tzinfo=UTC)
    # then half past two that is skipped five months later is taken with the offset before, too
    days = (date(2025, 3, 30) - date(2024, 10, 27)).days
    assert resolve(relative(Anchor.NOW, [(Unit.DAYS, days)]), at, PARIS) == datetime(2025, 3, 30, 1, 30, tzinfo=UTC)
    assert to_utc(datetime(2024, 10, 27, 2, 30, fold=1), PARIS) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_today_is_the_day_of_the_zone() -> None:
    late = datetime(2024, 5, 1, 23, 30, tzinfo=UTC)

    assert resolve(relative(Anchor.TODAY, []), late, UTC_ZONE) == date(2024, 5, 1)
    assert resolve(relative(Anchor.TODAY, [(Unit.MONTHS, -3)]), late, PARIS) == date(2024, 2, 2)


def test_a_day_starts_where_its_midnight_is_skipped_or_comes_twice() -> None:
    assert start_of(date(2024, 4, 26), CAIRO) == datetime(2024, 4, 25, 22, tzinfo=UTC)  # 00:00 → 01:00
    assert end_of(date(2024, 4, 25), CAIRO) == start_of(date(2024, 4, 26), CAIRO)
    assert start_of(date(2024, 11, 3), HAVANA) == datetime(2024, 11, 3, 4, tzinfo=UTC)  # 01:00 → 00:00


def test_the_calendar_ends_without_an_error() -> None:
    last, first = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)

    assert end_of(date.max, PARIS) == last
    assert start_of(date.min, PARIS) == first
    assert to_utc(datetime.max, ZoneInfo("America/New_York")) == last
    assert today(last, PARIS) == date.max
    assert today(first, ZoneInfo("America/New_York")) == date.min
