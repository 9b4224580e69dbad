"""Text → the fields of a date that it names, as Ruby's Date._parse reads them (ruby/date, ext/date/date_parse.c; compared on
400,000 texts with Ruby 3.1).

Ruby tries forms in an order, takes the first that stands anywhere in the text and leaves the rest unread. The order and the
forms are Ruby's, so that a text means here what it means there. `\\s` is a space: what is neither a letter, a digit nor one
of a few signs has become one before.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from typing import Final

LONGEST: Final = 128  # bytes of a text that may be a date, as in Ruby
MONTH_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ERAS: Final = {"m": 1867, "t": 1911, "s": 1925, "h": 1988, "r": 2018}  # of Japan: the year before the first of each
STRANGE_LETTER: Final = "\N{LATIN SMALL LETTER A WITH DIAERESIS}"
STRANGE_DIGIT: Final = "\N{ARABIC-INDIC DIGIT ZERO}"
PIVOT: Final = 69  # years of two digits: 69 is 1969, 68 is 2068

DIGITS = "(?<![0-9])[0-9]++"  # from the first digit of a run only, and to its last: a long run is read once
DAY = f"'?{DIGITS}"
YEAR = f"'?-?{DIGITS}"
ORDINAL = r"(?:st|nd|rd|th)\b"
MONTH = f"({'|'.join(MONTH_NAMES)})"
MONTH_WORD = rf"{MONTH}[^-0-9\s']*"
MONTH_BEFORE_DASH = f"{MONTH}[^-/.]*-"
ERA = r"(ce|c\.e\.|bce|b\.c\.e\.|ad|a\.d\.|bc|b\.c\.)?"
DAY_OF_YEAR_END = r"-([0-9]{3})\b"
LETTER = r"[^\W\d_]"
HALF = r"(?:m\b|\.m\.)"  # of a day, after its first letter
WITH_COLONS = rf"{DIGITS}\s*:\s*{DIGITS}(?:\s*:\s*{DIGITS}(?:[,.][0-9]*)?)?"
WITH_LETTERS = rf"{DIGITS}\s*h(?:\s*{DIGITS}m?(?:\s*{DIGITS}s?)?)?"
OFFSET = rf"(?:gmt|utc|ut)?[-+]{DIGITS}(?:[,.:]{DIGITS}(?::{DIGITS})?)?"
ZONE_NAME = rf"(?:{LETTER}|[.\s])+(?:standard|daylight)\stime\b|{LETTER}+(?:\sdst)?\b"

USUAL_FORM = re.compile(
    "([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[t ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]+))?)?(z|[-+][0-9]{2}:?[0-9]{2})?)?"
)
SEPARATORS = re.compile(rf"[^-+',./:@\[\]0-9a-z{STRANGE_LETTER}{STRANGE_DIGIT}]+")
WEEKDAY_FORM = re.compile(r"\b(?:sun|mon|tue|wed|thu|fri|sat)[^-/0-9\s]*")
CLOCK_FORM = re.compile(
    rf"((?:{WITH_COLONS}|{WITH_LETTERS})(?:\s*[ap]{HALF})?|{DIGITS}\s*[ap]{HALF})(?:\s*({OFFSET}|{ZONE_NAME}))?"
)
CLOCK_PARTS = re.compile(
    rf"({DIGITS})h?(?:\s*:?\s*({DIGITS})m?(?:\s*:?\s*({DIGITS})(?:[,.]({DIGITS}))?s?)?)?(?:\s*([ap]){HALF})?"
)
LEFT_OVER = re.compile(r"\s*([0-9]{1,2})\s*\Z")
BEFORE_CHRIST = re.compile(r"\b(?:bce?\b|b\.c\.(?:e\.)?)")


class Fields:
    """What a text says of a date: each None where it says nothing."""

    def __init__(self) -> None:
        self.year: int | None = None
        self.yday: int | None = None
        self.mon: int | None = None
        self.mday: int | None = None
        self.hour: int | None = None
        self.min: int | None = None
        self.sec: int | None = None
        self.fraction: Fraction | None = None
        self.zone: str | None = None
        self.before_christ = False
        self.short_year = True  # a year below 100 is one of this century or the last


def read_fields(text: str) -> Fields:
    """The fields that a text names. Texts longer than LONGEST name none."""
    found = Fields()
    if len(text) > LONGEST or len(text.encode("utf-8", "replace")) > LONGEST:
        return found
    lower = text.lower()
    usual = USUAL_FORM.fullmatch(lower)
    if usual is not None:
        return _usual(usual, found)
    rest = WEEKDAY_FORM.sub(" ", _plain(lower), count=1)
    rest = _take(rest, CLOCK_FORM, _clock, found)
    for pattern, action in FORMS:
        if _is_blocked(pattern, rest):
            continue
        shorter = _take(rest, pattern, action, found)
        if shorter is not rest:
            rest = shorter
            break
    if BEFORE_CHRIST.search(rest):
        found.before_christ = True
        rest = BEFORE_CHRIST.sub(" ", rest, count=1)
    _left_over(rest, found)
    _settle_year(found)
    return found


def _usual(match: re.Match[str], found: Fields) -> Fields:
    """What the forms make of most texts that are dates, without trying them in turn."""
    year, month, day, hour, minute, second, fraction, found.zone = match.groups()
    found.year, found.mon, found.mday, found.short_year = int(year), int(month), int(day), False
    if hour is not None:
        found.hour, found.min = int(hour), int(minute)
    if second is not None:
        found.sec = int(second)
    if fraction is not None:
        found.fraction = _fraction(fraction)
    return found


def _plain(text: str) -> str:
    """Letters, digits and the signs that forms are made of; a space for each run of anything else."""
    if not text.isascii():
        text = "".join(character if character.isascii() else _stand_in(character) for character in text)
    return SEPARATORS.sub(" ", text)


def _stand_in(character: str) -> str:
    """One letter and one digit stand for all that are not ASCII: no form asks for a certain one."""
    category = unicodedata.category(character)
    return STRANGE_LETTER if category[0] in "LM" else STRANGE_DIGIT if category == "Nd" else " "


Action = Callable[[tuple[str | None, ...], Fields], None]


def _take(text: str, pattern: re.Pattern[str], action: Action, found: Fields) -> str:
    """The text without the first place that a form fits, whose fields are taken; the same text where none does."""
    match = pattern.search(text)
    if match is None:
        return text
    action(match.groups(), found)
    return f"{text[: match.start()]} {text[match.end() :]}"


def _is_blocked(pattern: re.Pattern[str], text: str) -> bool:
    blocking = BLOCKED.get(pattern)
    return blocking is not None and blocking.search(text) is not None


# ---- clock ---------------------------------------------------------------------------------------


def _clock(groups: tuple[str | None, ...], found: Fields) -> None:
    found.zone = groups[1]
    parts = CLOCK_PARTS.match(groups[0] or "")
    assert parts is not None
    hour, minute, second, fraction, half = parts.groups()
    found.hour = int(hour) if half is None or len(hour) > 9 else int(hour) % 12 + (12 if half == "p" else 0)
    if minute is not None:
        found.min = int(minute)
    if second is not None:
        found.sec = int(second)
    if fraction is not None:
        found.fraction = _fraction(fraction)


def _fraction(digits: str) -> Fraction:
    return Fraction(int(digits or "0"), 10 ** len(digits))


# ---- dates of three parts ------------------------------------------------------------------------


def _three(year: str | None, month: str | None, day: str | None, found: Fields) -> None:
    """Year, month and day in the order of the form; what cannot be a day, or has an apostrophe, changes places."""
    if year is not None and day is None:
        year, month, day = None, year, month
    if year is None and day is not None and (len(day) > 2 or day.startswith("'")):
        year, day = day, None
    if year is not None:
        digits = re.search(r"[-+]?[0-9]+", year)
        if digits is not None and digits.end() < len(year):
            year, day = day, digits[0]
    if month is not None and _is_year(month):
        year, month, day = month, day, year
    if day is not None and _is_year(day):
        year, day = day, year
    if year is not None:
        _set_year(year, found)
    found.mon, found.mday = _number(month, found.mon), _number(day, found.mday)


def _is_year(part: str) -> bool:
    return len(part) > 2 or part.startswith("'")


def _set_year(year: str, found: Fields) -> None:
    match = re.search(r"([-+]?)([0-9]*)", year.lstrip("'"))
    assert match is not None
    found.year = int(match[0]) if match[2] else 0
    if match[1] or len(match[2]) > 2:
        found.short_year = False


def _number(part: str | None, otherwise: int | None) -> int | None:
    digits = re.search("[0-9]+", part) if part is not None else None
    return int(digits[0]) if digits is not None else otherwise


def _month_number(name: str | None) -> str:
    return str(MONTH_NAMES.index(name or "") + 1)


def _day_month(groups: tuple[str | None, ...], found: Fields) -> None:
    day, month, era, year = groups
    found.before_christ = (era or "").startswith("b")
    _three(year, _month_number(month), day, found)


def _month_day(groups: tuple[str | None, ...], found: Fields) -> None:
    month, day, era, year = groups
    found.before_christ = (era or "").startswith("b")
    _three(year, _month_number(month), day, found)


def _year_month_day(groups: tuple[str | None, ...], found: Fields) -> None:
    _three(groups[0], groups[1], groups[2], found)


def _vms(groups: tuple[str | None, ...], found: Fields) -> None:
    _three(groups[2], _month_number(groups[1]), groups[0], found)


def _vms_month_first(groups: tuple[str | None, ...], found: Fields) -> None:
    _three(groups[2], _month_number(groups[0]), groups[1], found)


def _japanese(groups: tuple[str | None, ...], found: Fields) -> None:
    era, year, month, day = groups
    found.year = int(year or "0") + ERAS[era or ""]
    found.mon, found.mday = _number(month, None), _number(day, None)


# ---- dates of fewer parts ------------------------------------------------------------------------


def _nothing(groups: tuple[str | None, ...], found: Fields) -> None:
    """Weeks: Ruby's Time.parse does not read them, and goes on to no other form."""


def _month_and_day(groups: tuple[str | None, ...], found: Fields) -> None:
    found.mon, found.mday = _number(groups[0], found.mon), _number(groups[1], found.mday)


def _year_and_day(groups: tuple[str | None, ...], found: Fields) -> None:
    found.year, found.yday = _number(groups[0], None), _number(groups[1], None)


def _day_of_year(groups: tuple[str | None, ...], found: Fields) -> None:
    found.yday = _number(groups[0], None)


def _year(groups: tuple[str | None, ...], found: Fields) -> None:
    found.year = _number(groups[0], None)


def _month(groups: tuple[str | None, ...], found: Fields) -> None:
    found.mon = int(_month_number(groups[0]))


def _day(groups: tuple[str | None, ...], found: Fields) -> None:
    found.mday = _number(groups[0], None)


# ---- digits without signs ------------------------------------------------------------------------

FROM_THE_LEFT: Final = {
    2: ("mday",), 3: ("yday",), 4: ("mon", "mday"), 5: ("year", "yday"), 6: ("year", "mon", "mday"), 7: ("YEAR", "yday"),
    8: ("YEAR", "mon", "mday"), 10: ("YEAR", "mon", "mday", "hour"), 12: ("YEAR", "mon", "mday", "hour", "min"),
    14: ("YEAR", "mon", "mday", "hour", "min", "sec"),
}  # fmt: skip
SIZES: Final = {"YEAR": 4, "yday": 3}
FROM_THE_RIGHT: Final = ("sec", "min", "hour", "mday", "mon", "year")


def _digits(groups: tuple[str | None, ...], found: Fields) -> None:
    sign, digits, clock, fraction, zone = groups
    assert digits is not None
    if clock is None and fraction is not None:
        _from_the_right(digits, sign == "-", found)
    else:
        _from_the_left(digits, sign == "-", found)
    if clock is not None and len(clock) in (2, 4, 6):
        parts = [int(clock[at : at + 2]) for at in range(0, len(clock), 2)]
        names = ("hour", "min", "sec") if fraction is None else ("sec", "min", "hour")
        for name, value in zip(names, parts if fraction is None else reversed(parts), strict=False):
            setattr(found, name, value)
    if fraction is not None:
        found.fraction = _fraction(fraction)
    if zone is not None:
        found.zone = zone[1:-1].partition(":")[2] or zone[1:-1] if zone.startswith("[") else zone


def _from_the_left(digits: str, negative: bool, found: Fields) -> None:
    at = 0
    for name in FROM_THE_LEFT.get(len(digits), ()):
        size = SIZES.get(name, 2)
        value = int(digits[at : at + size])
        at += size
        if name == "YEAR" and len(digits) != 7:
            found.short_year = False
        setattr(found, name.lower(), -value if negative and name.lower() == "year" else value)


def _from_the_right(digits: str, negative: bool, found: Fields) -> None:
    """Digits before a fraction are a clock, and before that a date. Some lengths say nothing."""
    if len(digits) in (9, 11, 13):
        return
    end = len(digits)
    for name in FROM_THE_RIGHT:
        size = 4 if name == "year" and len(digits) == 14 else 2
        if end <= 0:
            break
        value = int(digits[max(0, end - size) : end])
        end -= size
        setattr(found, name, -value if negative and name == "year" else value)
        if size == 4:
            found.short_year = False


# ---- what is left --------------------------------------------------------------------------------


def _left_over(rest: str, found: Fields) -> None:
    """One number that nothing else has read is the day of an hour, or the hour of a day."""
    match = LEFT_OVER.match(rest)
    if match is None:
        return
    number = int(match[1])
    if found.hour is not None and found.mday is None and 1 <= number <= 31:
        found.mday = number
    if found.mday is not None and found.hour is None and 0 <= number <= 24:
        found.hour = number


def _settle_year(found: Fields) -> None:
    if found.year is None:
        return
    if found.before_christ:
        found.year = 1 - found.year
    if found.short_year and 0 <= found.year <= 99:
        found.year += 1900 if found.year >= PIVOT else 2000


DAY_OF_YEAR = re.compile(rf"\b([0-9]{{2}}|[0-9]{{4}}){DAY_OF_YEAR_END}")
DAY_ALONE_OF_YEAR = re.compile(rf"\b{DAY_OF_YEAR_END}")
BLOCKED: Final = {  # a form is not tried on a text with this in it
    DAY_OF_YEAR: re.compile(rf"[,.](?:[0-9]{{2}}|[0-9]{{4}}){DAY_OF_YEAR_END}"),
    DAY_ALONE_OF_YEAR: re.compile(f"[0-9]{DAY_OF_YEAR_END}"),
}
FORMS: Final[tuple[tuple[re.Pattern[str], Action], ...]] = (
    (re.compile(rf"({DAY})[^-0-9\s]*\s*{MONTH_WORD}(?:\s*{ERA}\s*({YEAR}(?:{ORDINAL})?))?"), _day_month),
    (re.compile(rf"\b{MONTH_WORD}\s*({DAY})[^-0-9\s']*(?:\s*,?\s*{ERA}\s*({YEAR}))?"), _month_day),
    (re.compile(f"('?[-+]?{DIGITS})-({DIGITS})-({YEAR})"), _year_month_day),
    (re.compile(rf"\b([{''.join(ERAS)}])({DIGITS})\.({DIGITS})\.({DIGITS})"), _japanese),
    (re.compile(f"({YEAR})-{MONTH_BEFORE_DASH}({YEAR})"), _vms),
    (re.compile(rf"\b{MONTH_BEFORE_DASH}({YEAR})(?:-({YEAR}))?"), _vms_month_first),
    (re.compile(rf"({YEAR})/\s*({DAY})(?:[^0-9]\s*({YEAR}))?"), _year_month_day),
    (re.compile(rf"({YEAR})\.\s*({DAY})\.\s*({YEAR})"), _year_month_day),
    (re.compile(r"\b(?:[0-9]{2}|[0-9]{4})?-?w[0-9]{2}(?:-?[0-9])?\b"), _nothing),
    (re.compile(r"-w-[0-9]\b"), _nothing),
    (re.compile(r"--([0-9]{2})?-([0-9]{2})\b"), _month_and_day),
    (re.compile(r"--([0-9]{2})([0-9]{2})?\b"), _month_and_day),
    (DAY_OF_YEAR, _year_and_day),
    (DAY_ALONE_OF_YEAR, _day_of_year),
    (re.compile(rf"'({DIGITS})\b"), _year),
    (re.compile(rf"\b{MONTH}\S*"), _month),
    (re.compile(f"({DIGITS}){ORDINAL}"), _day),
    (
        re.compile(
            r"([-+]?)([0-9]{2,14})(?:\s*t?\s*([0-9]{2,6})?(?:[,.]([0-9]*))?)?"
            r"(?:\s*(z\b|[-+][0-9]{1,4}\b|\[[-+]?[0-9][^\]]*\]))?"
        ),
        _digits,
    ),
)
