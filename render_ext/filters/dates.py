"""Filters of dates."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final

from render_ext.date_fields import read_fields
from render_ext.dates import parse_date
from render_ext.errors import FilterError
from render_ext.filters.records import Surroundings
from render_ext.strftime import strftime
from render_ext.values import leading_integer, to_text

SECONDS: Final = re.compile("[0-9]+")  # since 1970
NOW: Final = ("now", "today")


def date_(around: Surroundings, value: Any, pattern: Any) -> Any:
    """A date as strftime writes it; what is no date comes back as it is."""
    form = to_text(pattern)
    moment = to_moment(around, value) if form else None
    return value if moment is None else strftime(moment, form)


def to_moment(around: Surroundings, value: Any, zone: tzinfo | None = None) -> date | None:
    """The date a value means: a date, seconds since 1970, or text. Instants are in the program's zone.

    With `zone`, all that has a time of day is in that zone; a day stays the day it is.
    """
    try:
        moment = _moment(around, value)
        if zone is None or not isinstance(moment, datetime) or (isinstance(value, str) and is_day(value)):
            return moment
        return moment.astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return None


def _moment(around: Surroundings, value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.astimezone(around.zone) if value.tzinfo else value.replace(tzinfo=around.zone)
    if isinstance(value, date):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int) or SECONDS.fullmatch(value):
        seconds = value if isinstance(value, int) else leading_integer(value)
        return datetime.fromtimestamp(seconds, UTC).astimezone(around.zone)
    return _now(around) if value.lower() in NOW else parse_date(value, around.now, around.zone)


def is_day(text: str) -> bool:
    """Whether a text names a date without a time of day."""
    return text.lower() not in NOW and SECONDS.fullmatch(text) is None and read_fields(text).hour is None


def _now(around: Surroundings) -> datetime:
    if around.now is None:
        raise FilterError("the template was compiled without a date, so there is no `now`")
    return around.now.astimezone(around.zone)
