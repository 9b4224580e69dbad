"""Reads and checks the value of any field: a typed one, or its text spelling as it stands in a file. Pure.

Every text is stored in Unicode's composed form (NFC) without white space at its ends; white space within it that would
break a line is one blank. Reading what was written gives the same value again.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import available_timezones

import msgspec

from core.profiles.addresses import EmailAddress, parse_email
from core.profiles.countries import COUNTRIES
from core.profiles.errors import BadValue, shown
from core.profiles.fields import Field, FieldType
from core.profiles.phones import parse_phone

# What no stored text holds: control characters and halves of surrogate pairs (they cannot be written as UTF-8).
UNSTORABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
NO_DAY = "\0day "  # before the number of what was a day or time in a file, and is none: a text that no field takes
BREAKING = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_POINT = re.compile(
    r"(?:POINT ?)?\(? ?([+-]?\d{1,3}(?:\.\d{1,30})?(?:e-\d{1,3})?)(?: ?, ?| )([+-]?\d{1,2}(?:\.\d{1,30})?(?:e-\d{1,3})?) ?\)?",
    re.ASCII | re.IGNORECASE,
)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
DEEPEST_JSON = 50  # levels of one value
LARGEST_JSON = 100_000  # bytes of one value
_MOST_DIGITS = 200  # of a decimal, on either side of its point
_MOST_PLACES, _LARGEST_POWER = 400, 308  # of a number in a JSON that is no whole one
_CHOICES_SHOWN = 10
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_EARLIEST = date(1850, 1, 1)
_WORDS = {
    "true": True, "t": True, "1": True, "yes": True, "y": True,
    "false": False, "f": False, "0": False, "no": False, "n": False,
}  # fmt: skip
_SHORT_NAMES = {"m": "male", "f": "female", "u": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a value's meaning depends on: the country of phone numbers without a prefix, and the day."""

    region: str
    today: date


def clean(field: Field, value: object, reading: Reading) -> Any:
    """The value as it is stored (an `EmailAddress` for an email); None for nothing.

    Raises BadValue.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = clean_text(value)
        if value is None:
            return None
    found = READERS[field.type](field, value, reading)
    if field.choices and field.type is not FieldType.CHOICE and str(found) not in dict(field.choices):
        raise _no_choice(field, value)
    return found


def clean_text(text: str) -> str | None:
    """A text as it is stored; None when nothing is left of it. Raises BadValue (BAD_TEXT, BAD_DATE)."""
    if text.startswith(NO_DAY):
        raise BadValue("BAD_DATE", f"holds a day or time out of the calendar: {text.removeprefix(NO_DAY)}")
    if UNSTORABLE.search(text):
        raise BadValue("BAD_TEXT", "holds a character that cannot be stored", "Take out control characters.")
    text = BREAKING.sub(" ", text.strip()).strip()
    return unicodedata.normalize("NFC", text) or None


def _text(field: Field, value: object, reading: Reading) -> str:
    text = _expect_text(value)
    if field.max_length is not None and len(text) > field.max_length:
        raise BadValue("TOO_LONG", f"has {len(text)} characters, more than {field.max_length}")
    return text


def _email(field: Field, value: object, reading: Reading) -> EmailAddress:
    return parse_email(_expect_text(value))


def _phone(field: Field, value: object, reading: Reading) -> str:
    return parse_phone(_expect_text(value), reading.region)


def _country(field: Field, value: object, reading: Reading) -> str:
    code = _expect_text(value).upper()
    if code not in COUNTRIES:
        raise BadValue("BAD_VALUE", f"{shown(code)} is not a country", "Use the two letters of ISO 3166-1, such as FR.")
    return code


def _language(field: Field, value: object, reading: Reading) -> str:
    tag = _expect_text(value).replace("_", "-")
    if not _LANGUAGE.fullmatch(tag) or len(tag) > 35:
        raise BadValue("BAD_VALUE", f"{shown(tag)} is not a language tag", "Use BCP 47, such as fr or pt-BR.")
    return language_tag(tag)


@lru_cache(maxsize=1000)
def language_tag(tag: str) -> str:
    """A language tag in the casing of RFC 5646, 2.1.1."""
    first, *rest = tag.lower().split("-")
    written, single = [first], len(first) == 1
    for part in rest:
        if single:
            written.append(part)
        else:
            written.append(part.upper() if len(part) == 2 else part.title() if len(part) == 4 else part)
        single = single or len(part) == 1
    return "-".join(written)


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _time_zone(field: Field, value: object, reading: Reading) -> str | None:
    text = _expect_text(value)
    if text.lower() == "none":  # feature map 2.02: the delivery's zone
        return None
    zone = _zones().get(text.lower())
    if zone is None:
        raise BadValue("BAD_VALUE", f"{shown(text)} is not a time zone", "Use the IANA name, such as Europe/Paris.")
    return zone


def _url(field: Field, value: object, reading: Reading) -> str:
    text = _text(field, value, reading)
    try:
        parts = urlsplit(text)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and text.isprintable()
    except ValueError:
        good = False
    if not good or " " in text:
        raise BadValue("BAD_VALUE", f"{shown(text)} is not a web address", "Write https://host/….")
    return text


def _date(field: Field, value: object, reading: Reading) -> date:
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise _wrong_type("a date", value)
    day = value if isinstance(value, date) else _day(value)
    if not _EARLIEST <= day <= reading.today:
        raise BadValue("BAD_DATE", f"{day} is not between {_EARLIEST} and today")
    return day


def _day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadValue("BAD_DATE", f"{shown(text)} is not a day of the calendar", "Write it like 1984-12-31.")


def _boolean(field: Field, value: object, reading: Reading) -> bool:
    found = _WORDS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise BadValue("BAD_VALUE", f"{shown(value)} is neither true nor false", "Use true, false, yes, no, 1 or 0.")
    return found


def _number(field: Field, value: object, reading: Reading) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong_type("a number", value)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise BadValue("BAD_VALUE", f"{shown(value)} is not a number", "Write it like -12.5.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadValue("BAD_VALUE", f"{shown(value)} is not a number", "Write it like -12.5.")
    if (field.low is not None and number < field.low) or (field.high is not None and number > field.high):
        raise BadValue("BAD_VALUE", f"{number:g} is not between {field.low:g} and {field.high:g}")
    return number


def _enumeration(field: Field, value: object, reading: Reading) -> int:
    choices = field.values
    assert choices is not None
    found = _member(choices, value)
    if found is None:
        names = ", ".join(one.name.lower() for one in choices)
        raise BadValue("BAD_VALUE", f"{shown(value)} is none of {names}", f"Use one of {names}.")
    return int(found)


def _member(choices: type[IntEnum], value: object) -> IntEnum | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return next((one for one in choices if one == value), None)
    if not isinstance(value, str):
        return None
    word = value.lower()
    word = _SHORT_NAMES.get(word, word)
    return next((one for one in choices if word in (one.name.lower(), str(int(one)))), None)


def _integer(field: Field, value: object, reading: Reading) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _wrong_type("a whole number", value)
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise BadValue("BAD_VALUE", f"{shown(value)} is not a whole number", "Write it like -12.")
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise BadValue("BAD_VALUE", f"{shown(value)} does not fit into 64 bits")
    return number


def _decimal(field: Field, value: object, reading: Reading) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise _wrong_type("a number", value)
    if isinstance(value, int) and abs(value) > 10**_MOST_DIGITS:
        raise BadValue("BAD_VALUE", "is too large")
    text = str(value)
    if len(text) > 2 * _MOST_DIGITS + 3 or not _NUMBER.fullmatch(text):
        raise BadValue("BAD_VALUE", f"{shown(value)} is not a number", "Write it like -12.5.")
    number = Decimal(text)
    if not -_MOST_DIGITS <= number.adjusted() <= _MOST_DIGITS:
        raise BadValue("BAD_VALUE", f"{shown(value)} is too large or too close to zero")
    return number


def _any_day(field: Field, value: object, reading: Reading) -> date:
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise _wrong_type("a date", value)
    return value if isinstance(value, date) else _day(value)


def _instant(field: Field, value: object, reading: Reading) -> datetime:
    if not isinstance(value, datetime | str):
        raise _wrong_type("an instant", value)
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadValue("BAD_DATE", f"{shown(value)} is not an instant", "Write it like 2024-05-01T10:00:00Z, with Z or an offset.")


def _uuid(field: Field, value: object, reading: Reading) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(_expect_text(value))
    except ValueError:
        raise BadValue("BAD_VALUE", f"{shown(value)} is not a UUID") from None


def json_number(text: str) -> Decimal:
    """A number of a JSON, as exact as it was written. Raises ValueError, ArithmeticError where the database has no room."""
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_MOST_PLACES or max(exponent, number.adjusted()) > _LARGEST_POWER:
        raise ValueError("a number is too large, or has too many places")
    return number


_decode_json = msgspec.json.Decoder(float_hook=json_number).decode


def _json(field: Field, value: object, reading: Reading) -> str:
    """Its text as it stands: what numbers and names in it are is kept exactly."""
    text = _expect_text(value)
    if len(text.encode()) > LARGEST_JSON:
        raise BadValue("TOO_LONG", f"takes more than {LARGEST_JSON:,} bytes")
    try:
        found = _decode_json(text)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise BadValue("BAD_VALUE", f"is no JSON: {str(error)[:100]}", 'Write it like {"size": 42}.') from None
    if _NUL.search(text):
        raise BadValue("BAD_TEXT", "holds the character NUL")
    if _depth(found) > DEEPEST_JSON:
        raise BadValue("BAD_VALUE", f"is nested more than {DEEPEST_JSON} levels deep")
    return text


def _depth(value: object) -> int:
    """How deep lists and objects lie in each other."""
    deepest, level = 0, [value]
    while level:
        level = [one for part in level if isinstance(part, list | dict) for one in _inside(part)]
        deepest += 1
    return deepest - 1


def _inside(part: list[Any] | dict[str, Any]) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else part


def _point(field: Field, value: object, reading: Reading) -> tuple[float, float]:
    found = _POINT.fullmatch(_expect_text(value))
    longitude, latitude = (float(found[1]), float(found[2])) if found else (math.inf, math.inf)
    if abs(longitude) > 180 or abs(latitude) > 90:
        raise BadValue(
            "BAD_VALUE", f"{shown(value)} is no place on earth", "Write longitude and latitude, like (2.3522,48.8566)."
        )
    return longitude, latitude


def _choice(field: Field, value: object, reading: Reading) -> str:
    word = _expect_text(value).casefold()
    names = dict(field.choices)
    found = word if word in names else next((name for name, label in names.items() if word == label.strip().casefold()), None)
    if found is None:
        raise _no_choice(field, value)
    return found


def _no_choice(field: Field, value: object) -> BadValue:
    names = ", ".join(name for name, _ in field.choices[:_CHOICES_SHOWN])
    more = ", …" if len(field.choices) > _CHOICES_SHOWN else ""
    return BadValue("BAD_VALUE", f"{shown(value)} is none of {names}{more}", f"Use one of {names}{more}.")


def _expect_text(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type("a text", value)
    return value


def _wrong_type(expected: str, value: object) -> BadValue:
    return BadValue("WRONG_TYPE", f"must be {expected}, not {shown(value)}")


READERS: dict[FieldType, Callable[[Field, Any, Reading], Any]] = {
    FieldType.TEXT: _text,
    FieldType.EMAIL: _email,
    FieldType.PHONE: _phone,
    FieldType.COUNTRY: _country,
    FieldType.LANGUAGE: _language,
    FieldType.TIME_ZONE: _time_zone,
    FieldType.URL: _url,
    FieldType.DATE: _date,
    FieldType.BOOLEAN: _boolean,
    FieldType.NUMBER: _number,
    FieldType.ENUMERATION: _enumeration,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.DAY: _any_day,
    FieldType.INSTANT: _instant,
    FieldType.CHOICE: _choice,
    FieldType.UUID: _uuid,
    FieldType.JSON: _json,
    FieldType.POINT: _point,
}
