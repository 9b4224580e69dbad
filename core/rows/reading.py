"""Reads what is sent for a row: each value by its field, each link as a reference to be looked up. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any

import msgspec

from core.datamodel.records import DataField, FieldKind, LinkKind
from core.errors import ClarionError, Invalid
from core.profiles.errors import BadValue, shown
from core.profiles.team_fields import field_of
from core.profiles.values import Reading, clean
from core.rows.shape import Column, Shape

LARGEST_JSON = 100_000  # bytes of one value
DEEPEST_JSON = 50
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_READING = Reading(region="US", today=date.max)  # neither a phone number nor a day of the past is among what teams add


@dataclass(slots=True, kw_only=True)
class ReadRow:
    """What was sent: values by name as they are stored, links as they were written, and all that is wrong with them."""

    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, Any] = field(default_factory=dict)
    problems: list[ClarionError] = field(default_factory=list)


def read_values(shape: Shape, sent: Mapping[str, Any], path: str) -> ReadRow:
    """Each value of what is sent, `path` being where it stands. Automatic ids and links by fields cannot be set."""
    read = ReadRow()
    for name, value in sent.items():
        place = f"{path}.{name[:80]}"
        column = shape.columns.get(name)
        if column is None:
            read.problems.append(_unknown(shape, name, place))
        elif column.link is not None:
            read.links[name] = value
        elif column.field is not None and column.field.kind is FieldKind.AUTOMATIC_ID:
            read.problems.append(Invalid(f"{name} is an automatic id, which nobody sets", code="READ_ONLY_FIELD", path=place))
        else:
            try:
                read.values[name] = read_value(column, value)
            except BadValue as error:
                read.problems.append(error.at(place, _label(column)))
    return read


def read_value(column: Column, value: object) -> Any:
    """A value of a field as it is stored. Raises BadValue."""
    one = column.field
    assert one is not None, "links are references"
    reader = _OTHERS.get(one.kind)
    if value is None:
        return None
    if one.kind is FieldKind.AUTOMATIC_ID:
        raise BadValue("READ_ONLY_FIELD", "is an automatic id")
    return reader(value) if reader else clean(field_of(one), value, _READING)


def as_sent(one: DataField | None, value: Any) -> Any:
    """A stored value as it is handed to Postgres."""
    if value is None or one is None:
        return value
    if one.kind is FieldKind.POINT:
        return f"({value[0]!r},{value[1]!r})"
    return msgspec.json.encode(value).decode() if one.kind is FieldKind.JSON else value


def _label(column: Column) -> str:
    return column.field.label if column.field is not None else column.name


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
    elif isinstance(value, float) and not math.isfinite(value):
        raise BadValue("BAD_VALUE", "holds a number that is none")


_OTHERS = {FieldKind.POINT: _point, FieldKind.JSON: _json}


def _unknown(shape: Shape, name: str, path: str) -> Invalid:
    link = shape.entity.find_link(name)
    if link is not None:
        hint = (
            "Add and remove its pairs with changeDatasetLinks." if link.kind is LinkKind.MANY_TO_MANY
            else f"Set {', '.join(link.source_fields)}."
        )  # fmt: skip
        return Invalid(f"{name} is no column of {shape.entity.name}", code="READ_ONLY_FIELD", path=path, hint=hint)
    near = get_close_matches(name[:80], shape.columns, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(list(shape.columns)[:30]) or 'none'}."
    return Invalid(f"{shape.entity.name} has no field or link {name[:80]!r}", code="UNKNOWN_FIELD", path=path, hint=hint)
