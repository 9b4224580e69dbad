"""Calendar arithmetic in a zone: pure, and the same for SQL's constants as for whoever else asks."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.targeting.language import Anchor, Relative, Unit

_EXACT = {
    Unit.HOURS: timedelta(hours=1),
    Unit.MINUTES: timedelta(minutes=1),
    Unit.SECONDS: timedelta(seconds=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A value that stands for `now` and what is near to it in a statement that is made before it is asked."""

    node: Relative
    zone: ZoneInfo
    day: bool  # its day in the zone, rather than the instant

    def known(self, at: datetime) -> date | datetime:
        """What it is when it is asked."""
        found = resolve(self.node, at, self.zone)
        return today(found, self.zone) if self.day and isinstance(found, datetime) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """When a question is asked and where: at an instant, or (None) at any of a day, each of which is bound when it comes."""

    at: datetime | None
    zone: ZoneInfo
    today: date

    def near_now(self, node: Relative, *, day: bool = False) -> date | datetime | Later:
        """A time relative to now, or its day: known, or a Later."""
        later = Later(node=node, zone=self.zone, day=day)
        return later if self.at is None else later.known(self.at)


def asked_at(at: datetime, zone: ZoneInfo) -> Asked:
    """At an instant."""
    return Asked(at=at, zone=zone, today=today(at, zone))


def to_utc(moment: datetime, zone: ZoneInfo) -> datetime:
    """A wall-clock time of a zone in UTC, or the first or last instant there is.

    A time that a clock change skips is taken with the offset before the change; of a time that comes twice,
    it is the first.
    """
    try:
        return moment.replace(tzinfo=zone, fold=0).astimezone(UTC)  # whichever of two it was where it was read off a clock
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


def resolve_day(node: Relative, day: date) -> date:
    """The day that a relative time comes to from a day: all of it for `today`."""
    offsets = dict(node.offsets)
    months = 12 * offsets.get(Unit.YEARS, 0) + offsets.get(Unit.MONTHS, 0)
    days = 7 * offsets.get(Unit.WEEKS, 0) + offsets.get(Unit.DAYS, 0)
    return add_months(day, months) + timedelta(days=days)


def resolve(node: Relative, at: datetime, zone: ZoneInfo) -> date | datetime:
    """A relative time at an instant: a day for `today`, an instant in UTC for `now`.

    Years to days move the calendar and keep the wall clock; hours to seconds are exact durations.
    """
    day = today(at, zone)
    moved = resolve_day(node, day)
    if node.anchor is Anchor.TODAY:
        return moved
    offsets = dict(node.offsets)
    exact = sum((offsets.get(unit, 0) * length for unit, length in _EXACT.items()), timedelta())
    if moved == day:
        return at.astimezone(UTC) + exact
    return to_utc(datetime.combine(moved, at.astimezone(zone).time()), zone) + exact
