"""Dates of the `date` filter: reading them from text, and strftime as Ruby writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from render_ext.errors import FilterError

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NUMBERS: Final = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}
WIDEST: Final = 1024  # of a padded directive
LONGEST: Final = 100  # of a text that may be a date
LONGEST_FORMAT: Final = 1000

MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
REST = r"(?P<rest>(?:[,\s].*)?)"
DATE_FORMS: Final = (
    re.compile(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2}))?(?P<rest>(?:[t\s].*)?)", re.DOTALL),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<rest>(?:[t\s].*)?)", re.DOTALL),
    re.compile(rf"{WEEKDAY}{MONTH}\s+{DAY}(?:,?\s+(?P<year>\d{{4}}))?{REST}", re.DOTALL),
    re.compile(rf"{WEEKDAY}{DAY}[\s-]+{MONTH},?(?:[\s-]+(?P<year>\d{{4}}))?{REST}", re.DOTALL),
)
CLOCK_FORMS: Final = (
    re.compile(
        r"(?:t|at|,)?\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
        r"\s*(?P<half>[ap])?\.?(?:(?<=[ap])m|(?<=[ap]\.)m)?\.?"
    ),
    re.compile(r"t(?P<hour>\d{2})(?P<minute>\d{2})(?:(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?(?P<half>\Z)?"),
)
OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?")
NAMED_ZONES: Final = {
    "z": 0, "utc": 0, "gmt": 0,
    "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
DIRECTIVE = re.compile(
    r"%(?P<flags>[-0^#_]*)(?P<width>[0-9]*)(?:(?P<colons>:{1,3})(?=z)|E(?=[cCxXyY])|O(?=[deHkIlmMSuUVwWy]))?(?P<letter>[A-Za-z%+])"
)


def parse_date(text: str, now: datetime | None, zone: tzinfo) -> datetime | None:
    """The moment a text means, None when it means none.

    A text without a zone is in `zone`, one without a date is today. A text that says UTC names an instant and
    is shown in `zone`; another offset is kept as written.
    """
    if len(text) > LONGEST:
        return None
    lower = text.strip().lower()
    for pattern in DATE_FORMS:
        match = pattern.fullmatch(lower)
        if match is not None:
            return _from_match(match, now, zone)
    if now is not None and CLOCK_FORMS[0].match(lower):
        today = now.astimezone(zone)
        return _build(today.year, today.month, today.day, lower, zone)
    return None


def _from_match(match: re.Match[str], now: datetime | None, zone: tzinfo) -> datetime | None:
    month, year = match["month"], match["year"]
    number = int(month) if month.isdigit() else MONTH_NUMBERS[month]
    if year is None and now is None:
        return None
    this_year = now.astimezone(zone).year if now is not None else 1
    return _build(int(year) if year else this_year, number, int(match["day"] or 1), match["rest"], zone)


def _build(year: int, month: int, day: int, rest: str, zone: tzinfo) -> datetime | None:
    rest = rest.strip()
    hour = minute = second = micro = 0
    clock = next(filter(None, (form.match(rest) for form in CLOCK_FORMS)), None)
    if clock is not None:
        hour, minute, second = int(clock["hour"]), int(clock["minute"]), int(clock["second"] or 0)
        micro = int(((clock["fraction"] or "") + "000000")[:6])
        if clock["half"]:
            hour = hour % 12 + (12 if clock["half"] == "p" else 0)
        rest = rest[clock.end() :].strip()
    offset = _offset(rest)
    try:
        made = datetime(year, month, day, hour, minute, min(second, 59), micro, tzinfo=offset or zone)
        return made.astimezone(zone) if offset is UTC else made
    except (ValueError, OverflowError):
        return None


def _offset(rest: str) -> tzinfo | None:
    match = OFFSET.match(rest)
    if match is not None:
        minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
        if minutes == 0:
            return UTC
        return timezone(timedelta(minutes=-minutes if match["sign"] == "-" else minutes)) if minutes < 1440 else None
    word = re.match(r"[a-z]+", rest)
    hours = NAMED_ZONES.get(word[0]) if word else None
    if hours is None:
        return None
    return UTC if hours == 0 else timezone(timedelta(hours=hours))


def strftime(moment: date, pattern: str) -> str:
    """Ruby's Time#strftime: flags `-0^#_`, a width, `E` and `O` (which change nothing), its directives; others stay as written.

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
    letter, flags, width = match["letter"], match["flags"], match["width"]
    if width and int(width[:6]) > WIDEST:
        raise FilterError(f"a date padded to more than {WIDEST} characters")
    if letter == "z":
        return _zone_offset(moment, len(match["colons"] or ""), int(width or 0), flags)
    if letter in ("L", "N"):
        digits = int(width or (3 if letter == "L" else 9))
        return f"{moment.microsecond:06}".ljust(digits, "0")[:digits]
    composite = COMPOSITES.get(letter)
    if composite is not None:
        return _padded(_strftime(moment, composite), " ", width, 0, flags.replace("-", ""))  # of which Ruby keeps the width
    number = NUMBERS.get(letter)
    if number is not None:
        value, size, fill = number[0](moment), number[1], number[2]
        return _padded(str(value), fill, width, size, flags)
    text = TEXTS.get(letter)
    if text is None:
        return match[0]
    shown = text(moment)
    if "^" in flags:
        shown = shown.upper()
    elif "#" in flags:
        shown = shown.lower() if letter in "pZ" else shown.upper()
    return _padded(shown, " ", width, 0, flags)


def _padded(text: str, fill: str, width: str, size: int, flags: str) -> str:
    for flag in flags:
        if flag == "-":
            return text
        if flag == "0":
            fill = "0"
        elif flag == "_":
            fill = " "
    if "^" in flags:
        text = text.upper()
    wanted = int(width) if width else size
    if fill == "0" and text.startswith("-"):
        return "-" + text[1:].rjust(wanted - 1, "0")
    return text.rjust(wanted, fill)


def _zone_offset(moment: datetime, colons: int, width: int, flags: str) -> str:
    offset = moment.utcoffset() or timedelta(0)
    total = int(offset.total_seconds())
    minutes, seconds = divmod(abs(total), 60)
    hours, minutes = divmod(minutes, 60)
    colon = ":" if colons else ""
    rest = f"{colon}{minutes:02}" if colons < 3 or minutes or seconds else ""
    if colons == 2 or (colons == 3 and seconds):
        rest += f":{seconds:02}"
    sign, digits = "-" if total < 0 else "+", 1 if "-" in flags else 2
    if width > len(rest) + 3:
        digits = width - len(rest) - 1
    if "_" in flags.rpartition("0")[2].rpartition("-")[2]:
        return f"{sign}{hours}".rjust(digits + 1) + rest
    return f"{sign}{hours:0{digits}}{rest}"


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or "UTC"
    return "" if name.startswith("UTC") and len(name) > 3 else name


def _epoch(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)


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
    "+": "%a %b %e %H:%M:%S %Z %Y",
}
