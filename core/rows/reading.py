"""Reads what is sent for a row: each value by its field, each link as a reference to be looked up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import msgspec

from core.datamodel.records import FILLED_KINDS, DataField, FieldKind, LinkKind
from core.datamodel.rules import a_kind
from core.errors import ClarionError, Invalid
from core.profiles.errors import BadValue
from core.profiles.team_fields import field_of
from core.profiles.typed_values import read_typed
from core.rows.shape import Column, Shape


@dataclass(slots=True, kw_only=True)
class ReadRow:
    """What was sent: values by name as they are stored, links as they were written, and all that is wrong with them."""

    values: dict[str, Any] = field(default_factory=dict)
    links: dict[str, Any] = field(default_factory=dict)
    problems: list[ClarionError] = field(default_factory=list)


def read_values(shape: Shape, sent: Mapping[str, Any], path: str) -> ReadRow:
    """Each value of what is sent, `path` being where it stands. What fills itself and links by fields cannot be set."""
    read = ReadRow()
    for name, value in sent.items():
        place = f"{path}.{name[:80]}"
        column = shape.columns.get(name)
        if column is None:
            read.problems.append(unknown(shape, name, place))
        elif column.link is not None:
            read.links[name] = value
        elif column.field is not None and column.field.kind in FILLED_KINDS:
            read.problems.append(_filled(name, column.field.kind, place))
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
    if value is not None and one.kind in FILLED_KINDS:
        raise BadValue("READ_ONLY_FIELD", f"is {a_kind(one.kind)}")
    return read_typed(field_of(one), value)


def _filled(name: str, kind: FieldKind, path: str) -> Invalid:
    return Invalid(f"{name} is {a_kind(kind)}, which nobody sets", code="READ_ONLY_FIELD", path=path)


def as_sent(one: DataField | None, value: Any) -> Any:
    """A stored value as it is handed to Postgres."""
    if value is None or one is None:
        return value
    if one.kind is FieldKind.POINT:
        return f"({value[0]!r},{value[1]!r})"
    return msgspec.json.encode(value).decode() if one.kind is FieldKind.JSON else value


def _label(column: Column) -> str:
    return column.field.label if column.field is not None else column.name


def unknown(shape: Shape, name: str, path: str) -> Invalid:
    """The error of a name that is no field, and no link with a column."""
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
