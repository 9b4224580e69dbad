"""Values of the team's fields as people give them, on whatever the model adds fields to: checked, and by their columns."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from core.errors import Invalid
from core.profiles.errors import BadValue, FieldsInvalid
from core.profiles.fields import Field
from core.profiles.typed_values import read_typed

PATH = "team_fields"


def clean_team_values(fields: Mapping[str, Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that values set. Raises FieldsInvalid with every problem at once."""
    problems: list[Invalid] = []
    columns: dict[str, Any] = {}
    for name, value in given.items():
        try:
            field = _settable(name, fields)
            columns[field.column] = read_typed(field, value)
        except BadValue as error:
            problems.append(error.at(f"{PATH}.{name[:80]}", fields[name].label))
        except Invalid as error:
            problems.append(error)
    if problems:
        raise FieldsInvalid(problems)
    return columns


def _settable(name: str, fields: Mapping[str, Field]) -> Field:
    """Raises Invalid (UNKNOWN_FIELD, READ_ONLY_FIELD)."""
    path = f"{PATH}.{name[:80]}"
    if name not in fields:
        near = get_close_matches(name[:80], fields, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Published: {', '.join(list(fields)[:30]) or 'none'}."
        raise Invalid(f"no field {name[:80]!r} is published", code="UNKNOWN_FIELD", path=path, hint=hint)
    field = fields[name]
    if not field.settable:
        raise Invalid(f"{name} is filled in by itself, and nobody sets it", code="READ_ONLY_FIELD", path=path)
    return field
