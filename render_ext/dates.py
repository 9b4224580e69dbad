"""The moment that a text means: its fields, completed from now and moved by its zone as Ruby's Time.parse does."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from render_ext.date_fields import Fields, read_fields

OFFSET: Final = re.compile(r"([+-])([0-9]{2})(?:(:?)([0-9]{2})(?:\3([0-9]{2}))?)?")
NAMED_ZONES: Final = {
    "utc": 0, "ut": 0, "gmt": 0,
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
    "z": 0,
    **{letter: hours for hours, letter in enumerate("abcdefghiklm", 1)},  # of RFC 822, as Ruby reads them
    **{letter: -hours for hours, letter in enumerate("nopqrstuvwxy", 1)},
}  # fmt: skip
LEAP_YEAR: Final = 2024  # lends its days to years that datetime does not have


def parse_date(text: str, now: datetime | None, zone: tzinfo) -> datetime | None:
    """The moment a text means, None when it means none or one outside of the years 1 to 9999.

    A text without a zone is in `zone`, one without a date is today. A text that says UTC names an instant and
    is shown in `zone`; another offset is kept as written.
    """
    fields = read_fields(text)
    try:
        return _moment(fields, now, zone)
    except (ValueError, OverflowError):
        return None


def _moment(fields: Fields, now: datetime | None, zone: tzinfo) -> datetime | None:
    offset = _offset(fields.zone, fields.year or (now.year if now is not None else LEAP_YEAR), zone)
    if fields.yday is not None:
        return _on_day_of_year(fields, now, zone, offset)
    parts = _completed(fields, now.astimezone(timezone(offset) if offset is not None else zone) if now is not None else None)
    if parts is None:
        return None
    micro = int(fields.fraction * 1_000_000) if fields.fraction is not None else 0
    if offset is None:
        return _in_zone(_at(parts, micro, zone), zone)
    moment = _at(_in_utc(parts, round(offset.total_seconds())), micro, UTC)
    local = moment.astimezone(zone)
    return local if offset == timedelta(0) or local.utcoffset() == offset else moment.astimezone(timezone(offset))


def _offset(name: str | None, year: int, zone: tzinfo) -> timedelta | None:
    """What a zone's name or offset means; None for one that Ruby does not know either: it is left unread."""
    if name is None:
        return None
    match = OFFSET.fullmatch(name)
    if match is not None:
        size = timedelta(hours=int(match[2]), minutes=int(match[4] or 0), seconds=int(match[5] or 0))
        return -size if match[1] == "-" else size
    if name in NAMED_ZONES:
        return timedelta(hours=NAMED_ZONES[name])
    if not 1 <= year <= 9999:
        return None
    seasons = (datetime(year, month, 1, tzinfo=zone) for month in (1, 7))
    return next((season.utcoffset() for season in seasons if (season.tzname() or "").lower() == name), None)


def _completed(fields: Fields, now: datetime | None) -> tuple[int, int, int, int, int, int] | None:
    """All parts: what is above the first one that the text names is now's, what is missing below it the least there is."""
    named = (fields.year, fields.mon, fields.mday, fields.hour, fields.min, fields.sec)
    first = next((index for index, value in enumerate(named) if value is not None), None)
    if first is None and fields.fraction is None:
        return None
    if first != 0 and now is None:
        return None
    current = now.timetuple()[:6] if now is not None else ()
    above = len(named) if first is None else first
    year, month, day, hour, minute, second = (
        current[index] if index < above else least if value is None else value
        for index, (value, least) in enumerate(zip(named, (1970, 1, 1, 0, 0, 0), strict=True))
    )
    return year, month, day, hour, minute, second


def _at(parts: tuple[int, int, int, int, int, int], micro: int, zone: tzinfo) -> datetime:
    """Ruby's Time.utc and Time.local: the 31st of a shorter month, 24:00:00 and the second 60 are what comes after."""
    year, month, day, hour, minute, second = parts
    if not (1 <= day <= 31 and 0 <= minute <= 59 and 0 <= second <= 60 and 0 <= hour <= 24):
        raise ValueError("no such time")
    if hour == 24 and (minute or second):
        raise ValueError("no such time")
    whole = datetime(year, month, 1, tzinfo=zone) + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    return whole.replace(microsecond=micro)


def _in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """A time as the clocks of its zone show it: one they skip is an hour later; of one they show twice the second counts."""
    other = moment.replace(fold=1)
    earlier, later = moment.utcoffset(), other.utcoffset()
    chosen = other if earlier is not None and later is not None and later < earlier else moment
    return chosen.astimezone(UTC).astimezone(zone)


def _in_utc(parts: tuple[int, int, int, int, int, int], offset: int) -> tuple[int, int, int, int, int, int]:
    """The parts moved by an offset, part for part as Ruby moves them: what the offset leaves alone is not settled."""
    year, month, day, *clock = parts
    sign = -1 if offset < 0 else 1
    rest = abs(offset)
    for index, size in ((2, 60), (1, 60), (0, 24)):
        rest, step = divmod(rest, size)
        if step != 0:
            carried, clock[index] = divmod(clock[index] - sign * step, size)
            rest -= sign * carried
    day -= sign * rest
    if sign < 0 and rest != 0 and day > _days_in(year, month):
        year, month, day = (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)
    elif sign > 0 and rest != 0 and day < 1:
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        day = _days_in(year, month)
    hour, minute, second = clock
    return year, month, day, hour, minute, second


def _days_in(year: int, month: int) -> int:
    """Days of a month; the month 0 is a December, as it is in Ruby while an offset moves a date."""
    if month > 12:
        raise ValueError("no such month")
    return monthrange(year, month or 12)[1]


def _on_day_of_year(fields: Fields, now: datetime | None, zone: tzinfo, offset: timedelta | None) -> datetime | None:
    """A day of the year: its month is guessed from months of 31 days, then put right by the days that it was off."""
    yday = fields.yday or 0
    if not 1 <= yday <= 366:
        raise ValueError("no such day")
    fields.yday = None
    month, day = divmod(yday - 1, 31)
    fields.mon, fields.mday = month + 1, day + 1
    moment = _moment(fields, now, zone)
    if moment is None:
        return None
    missing = yday - (moment if offset is None else moment.astimezone(timezone(offset))).timetuple().tm_yday
    if missing == 0:
        return moment
    fields.mday += missing
    year = fields.year if fields.year is not None else moment.year
    if fields.mday > 28 and fields.mday > _days_in(year, fields.mon):
        fields.mday -= _days_in(year, fields.mon)
        fields.mon += 1
    return _moment(fields, now, zone) if fields.mon <= 12 else None
