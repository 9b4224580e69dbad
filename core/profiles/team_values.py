"""Values of the team's fields as people give them, on whatever the model adds fields to: checked, and by their columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from core.errors import Invalid
from core.profiles.errors import BadValue, FieldsInvalid
from core.profiles.fields import Field
from core.profiles.team_fields import TeamFields
from core.profiles.values import Reading, clean

_ANY_DAY = Reading(region="US", today=date.max)  # no kind of a team's field asks for the country or the day
PATH = "team_fields"


def clean_team_values(fields: TeamFields, given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that values set. Raises FieldsInvalid with every problem at once."""
    problems: list[Invalid] = []
    columns: dict[str, Any] = {}
    for name, value in given.items():
        try:
            field = _settable(name, fields)
            columns[field.column] = clean(field, value, _ANY_DAY)
        except BadValue as error:
            problems.append(error.at(f"{PATH}.{name[:80]}", fields.all[name].label))
        except Invalid as error:
            problems.append(error)
    if problems:
        raise FieldsInvalid(problems)
    return columns


def _settable(name: str, fields: TeamFields) -> Field:
    """Raises Invalid (UNKNOWN_FIELD, READ_ONLY_FIELD)."""
    path = f"{PATH}.{name[:80]}"
    if name in fields.not_yet:
        raise Invalid(f"{name} is set by SQL only, so far", code="READ_ONLY_FIELD", path=path)
    if name not in fields.all:
        near = get_close_matches(name, fields.all, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Published: {', '.join(fields.all) or 'none'}."
        raise Invalid(f"no field {name[:80]!r} is published", code="UNKNOWN_FIELD", path=path, hint=hint)
    field = fields.all[name]
    if not field.settable:
        raise Invalid(f"{name} is an automatic id, which nobody sets", code="READ_ONLY_FIELD", path=path)
    return field
