"""Scalars of the API besides GraphQL's own."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NewType
from uuid import UUID

import strawberry
from asyncpg import Point
from strawberry.schema.config import StrawberryConfig

from core.errors import Invalid

Long = NewType("Long", int)
"""A whole number that may pass 32 bits: sizes in bytes, positions, counts."""

JSON = NewType("JSON", object)
"""Plain data: objects, lists, strings, numbers, booleans, null."""

LARGEST_LONG = 2**53 - 1  # what a JSON number carries without loss in JavaScript


def _parse_datetime(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a time such as 2026-03-01T09:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} lacks its offset: write 2026-03-01T09:00:00Z or …+02:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{value!r} is out of range") from None


def _parse_date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a date such as 2026-03-01") from None


def _keep_datetime(value: Any) -> Any:
    # The answer's encoder writes times itself, as RFC 3339 with Z.
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"{value!r} is not an aware time")
    return value


def _long(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_LONG:
        raise ValueError(f"{value!r} is not a whole number up to 2^53-1")
    return value


def _same(value: Any) -> Any:
    return value


SCALARS = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant, RFC 3339 with an offset; answers are in UTC.",
        serialize=_keep_datetime,
        parse_value=_parse_datetime,
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    ),
    date: strawberry.scalar(
        name="Date", description="A calendar day, YYYY-MM-DD.", serialize=date.isoformat, parse_value=_parse_date
    ),
    Long: strawberry.scalar(name="Long", description="A whole number up to 2^53-1.", serialize=_long, parse_value=_long),
    JSON: strawberry.scalar(name="JSON", description="Plain data.", serialize=_same, parse_value=_same),
}

CONFIG = StrawberryConfig(scalar_map=SCALARS)  # type: ignore[arg-type]


def plain_value(value: Any) -> Any:
    """A stored value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, int) and abs(value) > LARGEST_LONG:  # not every client has more digits
        return str(value)
    if isinstance(value, Point):
        return {"longitude": value.x, "latitude": value.y}
    return str(value) if isinstance(value, date | Decimal | UUID) else value


def json_object(value: object, path: str) -> dict[str, Any]:
    """A JSON value that must be an object. Raises Invalid (NOT_AN_OBJECT)."""
    if not isinstance(value, dict):
        raise Invalid(f"{path} must be an object", code="NOT_AN_OBJECT", path=path, hint='Write {"name": value, …}.')
    return value
