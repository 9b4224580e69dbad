"""Reads values of a team's fields as an API hands them in: a JSON and a place are themselves there, not texts of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from core.profiles.errors import BadValue, shown
from core.profiles.fields import Field, FieldType
from core.profiles.values import DEEPEST_JSON, LARGEST_JSON, Reading, clean, json_number

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_READING = Reading(region="US", today=date.max)  # neither a phone number nor a day of the past is among what teams add


def read_typed(field: Field, value: object) -> Any:
    """A value as it is stored: a place as longitude and latitude, a JSON as plain data. Raises BadValue."""
    reader = _OTHERS.get(field.type)
    if value is None:
        return None
    return reader(value) if reader else clean(field, value, _READING)


def is_same(value: object, kept: object) -> bool:
    """Whether a value that was read is the stored one, as the database tells them apart: within a JSON, `true` is no 1."""
    if isinstance(value, bool) is not isinstance(kept, bool):
        return False
    if isinstance(value, dict) and isinstance(kept, dict):
        return value.keys() == kept.keys() and all(is_same(one, kept[name]) for name, one in value.items())
    if isinstance(value, list) and isinstance(kept, list):
        return len(value) == len(kept) and all(map(is_same, value, kept))
    return value == kept


def _point(value: object) -> tuple[float, float]:
    if not isinstance(value, Mapping) or value.keys() != {"longitude", "latitude"}:
        raise BadValue(
            "WRONG_TYPE", f"must be a place, not {shown(value)}", 'Write it like {"longitude": 2.35, "latitude": 48.85}.'
        )
    return _degrees(value["longitude"], 180), _degrees(value["latitude"], 90)


def _degrees(value: object, most: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:
        raise BadValue("BAD_VALUE", f"has {shown(value)} where degrees are from -{most} to {most}")
    return float(value)


def _json(value: object) -> object:
    for text in _texts(value, 0):
        if _UNSTORABLE.search(text):
            raise BadValue("BAD_TEXT", "holds a character that cannot be stored", "Take out NUL and half characters.")
    if len(msgspec.json.encode(value)) > LARGEST_JSON:
        raise BadValue("TOO_LONG", f"takes more than {LARGEST_JSON:,} bytes")
    return value


def _texts(value: object, depth: int) -> Iterator[str]:
    """All texts within; raises BadValue for what nests too deeply, and for numbers that are none."""
    if depth > DEEPEST_JSON:
        raise BadValue("BAD_VALUE", f"nests deeper than {DEEPEST_JSON} levels")
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name)
            yield from _texts(each, depth + 1)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, depth + 1)
    elif isinstance(value, float | Decimal):
        _check_number(value)


def _check_number(value: float | Decimal) -> None:
    try:
        json_number(str(value))
    except (ValueError, ArithmeticError):
        raise BadValue("BAD_VALUE", f"holds {shown(value)}, for which there is no room") from None


_OTHERS = {FieldType.POINT: _point, FieldType.JSON: _json}
