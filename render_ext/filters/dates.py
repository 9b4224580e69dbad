"""Filters of dates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from render_ext.dates import parse_date, strftime
from render_ext.errors import FilterError
from render_ext.filters.records import Surroundings
from render_ext.values import leading_integer, to_text


def date_(around: Surroundings, value: Any, pattern: Any) -> Any:
    """A date as strftime writes it; what is no date comes back as it is."""
    form = to_text(pattern)
    moment = to_moment(around, value) if form else None
    return value if moment is None else strftime(moment, form)


def to_moment(around: Surroundings, value: Any) -> date | None:
    """The date a value means: a date, seconds since 1970, or text. Instants are in the program's zone."""
    try:
        if isinstance(value, datetime):
            return value.astimezone(around.zone) if value.tzinfo else value.replace(tzinfo=around.zone)
        if isinstance(value, date):
            return value
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return None
        if isinstance(value, int) or (value.isascii() and value.isdigit()):
            seconds = value if isinstance(value, int) else leading_integer(value)
            return datetime.fromtimestamp(seconds, UTC).astimezone(around.zone)
        return _now(around) if value.lower() in ("now", "today") else parse_date(value, around.now, around.zone)
    except (OverflowError, OSError, ValueError):
        return None


def _now(around: Surroundings) -> datetime:
    if around.now is None:
        raise FilterError("the template was compiled without a date, so there is no `now`")
    return around.now.astimezone(around.zone)
