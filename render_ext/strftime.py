"""strftime as Ruby's Time writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from render_ext.errors import FilterError

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
WIDEST: Final = 1024  # of a padded directive
LONGEST_FORMAT: Final = 1000
# E and O ask for another calendar or other digits; as in Ruby they change nothing, and only before these letters.
DIRECTIVE = re.compile(
    r"%(?P<flags>[-0^#_]*)(?P<width>[1-9][0-9]*)?(?:(?P<colons>:{1,3})(?=z)|E(?=[cCxXyY])|O(?=[deHkIlmMSuUVwWy]))?"
    r"(?P<letter>[A-Za-z%])"
)


def strftime(moment: date, pattern: str) -> str:
    """Ruby's Time#strftime: flags `-0^#_`, a width and its directives; others are left as written.

    Raises FilterError for a pattern that is too long: a few characters of it can make a thousand.
    """
    if len(pattern) > LONGEST_FORMAT:
        raise FilterError(f"a date format of more than {LONGEST_FORMAT} characters")
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return _strftime(moment, pattern)


def _strftime(moment: datetime, pattern: str) -> str:
    return DIRECTIVE.sub(lambda match: _directive(moment, match), pattern)


def _directive(moment: datetime, match: re.Match[str]) -> str:
    letter, flags = match["letter"], match["flags"]
    if letter not in KNOWN:
        return match[0]
    width = int((match["width"] or "0")[:6])
    if width > WIDEST:
        raise FilterError(f"a date padded to more than {WIDEST} characters")
    fill = next((flag for flag in reversed(flags) if flag in "-0_"), "")
    if letter == "z":
        return _zone_offset(moment, len(match["colons"] or ""), width, fill)
    if letter in ("L", "N"):
        digits = width or (3 if letter == "L" else 9)
        return f"{moment.microsecond:06}".ljust(digits, "0")[:digits]
    if letter in COMPOSITES:
        whole = _strftime(moment, COMPOSITES[letter])
        return (whole.upper() if "^" in flags else whole).rjust(width, "0" if fill == "0" else " ")
    if letter in NUMBERS:
        value, size, usual = NUMBERS[letter]
        return _digits(value(moment), 1 if "-" in flags else width or size, {"0": "0", "_": " "}.get(fill, usual))
    shown = _cased(letter, TEXTS[letter](moment), flags)
    return shown if "-" in flags or not shown else shown.rjust(width, "0" if fill == "0" else " ")


def _digits(number: int, width: int, fill: str) -> str:
    return str(number).zfill(width) if fill == "0" else str(number).rjust(width)


def _cased(letter: str, shown: str, flags: str) -> str:
    if "#" in flags and letter in ("p", "Z"):
        return shown.lower()
    return shown.upper() if "^" in flags or "#" in flags else shown


def _zone_offset(moment: datetime, colons: int, width: int, fill: str) -> str:
    """`%z` with its colons; three of them show minutes and seconds only where there are some."""
    seconds = int((moment.utcoffset() or timedelta(0)).total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if colons == 3:
        tail = f":{minutes:02}:{rest:02}" if rest else f":{minutes:02}" if minutes else ""
    else:
        tail = f"{':' if colons else ''}{minutes:02}" + (f":{rest:02}" if colons == 2 else "")
    sign = "-" if seconds < 0 else "+"
    wanted = max(width - len(tail), 3)
    if fill == "_":
        return f"{sign}{hours}".rjust(wanted) + tail
    return sign + str(hours).rjust(wanted - 1, "0") + tail


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or "UTC"
    return "" if name.startswith("UTC") and len(name) > 3 else name


def _epoch(moment: datetime) -> int:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // timedelta(seconds=1)


def _week(moment: datetime, first_weekday: int) -> int:
    weekday = (moment.weekday() - first_weekday) % 7
    return (moment.timetuple().tm_yday + 6 - weekday) // 7


NUMBERS: Final[dict[str, tuple[Callable[[datetime], int], int, str]]] = {
    "Y": (lambda t: t.year, 4, "0"),
    "C": (lambda t: t.year // 100, 2, "0"),
    "y": (lambda t: t.year % 100, 2, "0"),
    "m": (lambda t: t.month, 2, "0"),
    "d": (lambda t: t.day, 2, "0"),
    "e": (lambda t: t.day, 2, " "),
    "j": (lambda t: t.timetuple().tm_yday, 3, "0"),
    "H": (lambda t: t.hour, 2, "0"),
    "k": (lambda t: t.hour, 2, " "),
    "I": (lambda t: (t.hour - 1) % 12 + 1, 2, "0"),
    "l": (lambda t: (t.hour - 1) % 12 + 1, 2, " "),
    "M": (lambda t: t.minute, 2, "0"),
    "S": (lambda t: t.second, 2, "0"),
    "u": (lambda t: t.isoweekday(), 1, "0"),
    "w": (lambda t: t.isoweekday() % 7, 1, "0"),
    "G": (lambda t: t.isocalendar()[0], 4, "0"),
    "g": (lambda t: t.isocalendar()[0] % 100, 2, "0"),
    "V": (lambda t: t.isocalendar()[1], 2, "0"),
    "U": (lambda t: _week(t, 6), 2, "0"),
    "W": (lambda t: _week(t, 0), 2, "0"),
    "s": (_epoch, 1, "0"),
}
TEXTS: Final[dict[str, Callable[[datetime], str]]] = {
    "B": lambda t: MONTHS[t.month - 1],
    "b": lambda t: MONTHS[t.month - 1][:3],
    "h": lambda t: MONTHS[t.month - 1][:3],
    "A": lambda t: DAYS[t.weekday()],
    "a": lambda t: DAYS[t.weekday()][:3],
    "p": lambda t: "AM" if t.hour < 12 else "PM",
    "P": lambda t: "am" if t.hour < 12 else "pm",
    "Z": _zone_name,
    "n": lambda t: "\n",
    "t": lambda t: "\t",
    "%": lambda t: "%",
}
COMPOSITES: Final = {
    "c": "%a %b %e %H:%M:%S %Y",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "v": "%e-%^b-%Y",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
    "r": "%I:%M:%S %p",
    "R": "%H:%M",
    "T": "%H:%M:%S",
}
KNOWN: Final = frozenset({"z", "L", "N", *NUMBERS, *TEXTS, *COMPOSITES})
