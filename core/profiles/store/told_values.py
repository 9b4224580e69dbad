"""Columns in statements that write sets of rows: each row brings one JSON object, `told`, by the names of columns.

What is not in the object stays as it is, null clears. The names are ours, or those of the published model.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from core.profiles.fields import SQL_TYPES, Field, FieldType

_TYPES = {**SQL_TYPES, FieldType.JSON: "jsonb", FieldType.POINT: "point"}


def encoded(values: Mapping[str, Any], fields: Mapping[str, Field]) -> str:
    """The object of a row, whose values are those of fields, both by their columns."""
    return msgspec.json.encode({name: _plain(fields[name], value) for name, value in values.items()}).decode()


def said(field: Field) -> str:
    """What a row `s` with such an object says of a field."""
    if field.type is FieldType.JSON:
        return f"nullif(s.told -> '{field.column}', 'null')"
    return f"(s.told ->> '{field.column}')::{_TYPES.get(field.type, 'text')}"


def after(field: Field, row: str) -> str:
    """What a field of a row that is there becomes; `row`: its name in the statement."""
    return f"CASE WHEN s.told ? '{field.column}' THEN {said(field)} ELSE {row}.{field.column} END"


def compared(field: Field, row: str) -> str:
    """A field of a row, as it can be compared: places have no `=`."""
    return f"{row}.{field.column}::text" if field.type is FieldType.POINT else f"{row}.{field.column}"


def _plain(field: Field, value: Any) -> Any:
    if value is None or field.type is FieldType.JSON:
        return value
    if field.type is FieldType.POINT:
        return f"({value[0]!r},{value[1]!r})"
    return value.isoformat() if isinstance(value, date) else str(value)
