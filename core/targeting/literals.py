"""Names and values as both spellings read them: well formed, and within what Postgres can take."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from core.targeting.errors import BAD_VALUE, SYNTAX, ExpressionError, bare, shown
from core.targeting.language import NAME, RESERVED, Field, Literal, Place

INT64 = range(-(2**63), 2**63)
_DECIMAL = re.compile(r"-?\d{1,18}\.\d{1,18}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def field_of(path: Sequence[str], place: Place) -> Field:
    """A field's path. Raises ExpressionError for reserved words and for what cannot be a name."""
    for name in path:
        if name.lower() == "null":
            raise ExpressionError(
                "nothing is compared with null", code=SYNTAX, place=place, found="null",
                expected="a field or a value", suggestion="the operator is_null",
            )  # fmt: skip
        if name.lower() in RESERVED or not NAME.fullmatch(name):
            raise ExpressionError(
                f"{shown(name)} cannot be a field's name", code=SYNTAX, place=place, found=shown(name),
                expected="at most 63 letters, digits and underscores, and not a word of the language",
            )  # fmt: skip
    return Field(tuple(path), place)


def text_of(value: str, place: Place) -> Literal:
    """A text. Raises ExpressionError for what is no text to Postgres: NUL and lone surrogates."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ExpressionError(
            "a text holds a character that cannot be stored", code=BAD_VALUE, place=place,
            found="NUL or half of a surrogate pair", expected="a text without it",
        )  # fmt: skip
    return Literal(unicodedata.normalize("NFC", value), place)  # as texts are stored


def integer_of(value: str | int, place: Place) -> Literal:
    """A whole number of 64 bits."""
    if (isinstance(value, int) or len(value) <= 20) and int(value) in INT64:
        return Literal(int(value), place)
    raise ExpressionError(
        "a number is too large", code=BAD_VALUE, place=place,
        found=bare(value) if isinstance(value, str) else shown(value),
        expected="a whole number of at most 64 bits",
    )  # fmt: skip


def decimal_of(value: str, place: Place) -> Literal:
    """A decimal number of at most 18 digits on either side of the point."""
    if not _DECIMAL.fullmatch(value):
        raise ExpressionError(
            "a number has too many digits", code=BAD_VALUE, place=place, found=bare(value),
            expected="at most 18 digits on either side of the point",
        )  # fmt: skip
    digits = value.rstrip("0")
    return Literal(Decimal(digits + "0" if digits.endswith(".") else digits), place)


def day_of(value: str, place: Place) -> Literal:
    """A calendar day, YYYY-MM-DD (RFC 3339 full-date)."""
    try:
        if _DAY.fullmatch(value):
            return Literal(date.fromisoformat(value), place)
    except ValueError:
        pass
    raise ExpressionError(
        f"the date {bare(value)} does not exist", code=BAD_VALUE, place=place,
        found=bare(value), expected="a day of the calendar as YYYY-MM-DD",
    )  # fmt: skip


def instant_of(value: str, place: Place) -> Literal:
    """A time, YYYY-MM-DDTHH:MM[:SS[.ffffff]][Z|±HH:MM] (RFC 3339); without offset it is a wall-clock time."""
    try:
        if _DAY.match(value) and value[10:11] in ("T", "t", " "):
            moment = datetime.fromisoformat(value)
            return Literal(moment.astimezone(UTC) if moment.tzinfo else moment, place)
    except (ValueError, OverflowError):
        pass
    raise ExpressionError(
        f"the time {bare(value)} does not exist", code=BAD_VALUE, place=place,
        found=bare(value), expected="YYYY-MM-DDTHH:MM:SS, with Z or an offset if it is not local",
    )  # fmt: skip


def uuid_of(value: str, place: Place) -> UUID:
    """A UUID (RFC 9562), with its hyphens; case does not count."""
    if _UUID.fullmatch(value):
        return UUID(value)
    raise ExpressionError(
        f"{shown(value)} is no UUID", code=BAD_VALUE, place=place, found=shown(value),
        expected="32 hexadecimal digits in five groups, as in '5a0e7c1e-2f4b-4d3c-9b1a-0c2d4e6f8a1b'",
    )  # fmt: skip
