"""Calendar arithmetic in a zone: pure, and the same for SQL's constants as for whoever else asks."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.targeting.language import Anchor, Relative, Unit

_EXACT = {
    Unit.HOURS: timedelta(hours=1),
    Unit.MINUTES: timedelta(minutes=1),
    Unit.SECONDS: timedelta(seconds=1),
}


def to_utc(moment: datetime, zone: ZoneInfo) -> datetime:
    """A wall-clock time of a zone in UTC, or the first or last instant there is.

    A time that a clock change skips is taken with the offset before the change; of a time that comes twice,
    it is the first.
    """
    try:
        return moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return (datetime.min if moment.year == 1 else datetime.max).replace(tzinfo=UTC)


def today(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day of an instant, or the first or last day there is."""
    try:
        return at.astimezone(zone).date()
    except OverflowError:
        return date.min if at.year == 1 else date.max


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, in UTC."""
    return to_utc(datetime.combine(day, time()), zone)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after a day, in UTC."""
    return start_of(day + timedelta(days=1), zone) if day < date.max else datetime.max.replace(tzinfo=UTC)


def add_months(day: date, months: int) -> date:
    """The same day some months later, or the last of that month where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def resolve(node: Relative, at: datetime, zone: ZoneInfo) -> date | datetime:
    """A relative time at an instant: a day for `today`, an instant in UTC for `now`.

    Years to days move the calendar and keep the wall clock; hours to seconds are exact durations.
    """
    offsets = dict(node.offsets)
    day = today(at, zone)
    months = 12 * offsets.get(Unit.YEARS, 0) + offsets.get(Unit.MONTHS, 0)
    days = 7 * offsets.get(Unit.WEEKS, 0) + offsets.get(Unit.DAYS, 0)
    moved = add_months(day, months) + timedelta(days=days)
    if node.anchor is Anchor.TODAY:
        return moved
    exact = sum((offsets.get(unit, 0) * length for unit, length in _EXACT.items()), timedelta())
    if moved == day:
        return at.astimezone(UTC) + exact
    return to_utc(datetime.combine(moved, at.astimezone(zone).time()), zone) + exact
