"""What a template may read: `profile.<field>`, the content's own data, and a few facts of the delivery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from enum import IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from core.content.errors import TemplateProblem
from core.profiles.fields import ALL as PROFILE_FIELDS
from core.profiles.fields import Field
from core.profiles.records import Profile
from render_ext import Variable

DELIVERY_FIELDS = MappingProxyType({"label": "Label of the delivery", "date": "Date of the message"})
RESERVED_NAMES = frozenset({"profile", "delivery", "forloop", "now"})
_COMMANDS = frozenset({"size", "first", "last"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalField:
    """A profile field that templates can read. It is the column of this name; codes are shown as words."""

    name: str
    label: str
    words: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))


def _field(found: Field) -> PersonalField:
    words: dict[int, str] = {}
    if found.values is not None:
        words = {member.value: member.name.lower() for member in found.values}
    return PersonalField(name=found.name, label=found.label, words=MappingProxyType(words))


FIELDS: Mapping[str, PersonalField] = MappingProxyType({one.name: _field(one) for one in PROFILE_FIELDS})


def fields_read(variables: Iterable[Variable]) -> set[str]:
    """The profile fields among the variables of a program: what a ledger row has to carry for it."""
    return {found.path[1] for found in variables if found.path[0] == "profile" and len(found.path) > 1}


def personal_values(profile: Profile) -> dict[str, Any]:
    """The values of a profile record as ledger rows carry them: dates as ISO 8601, codes as numbers."""
    return {name: _plain(getattr(profile, name)) for name in FIELDS}


def _plain(value: Any) -> Any:
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return int(value) if isinstance(value, IntEnum) else value


def shown(row_values: Mapping[str, Any], fields: Iterable[str]) -> Mapping[str, Any]:
    """The values of a row as templates see them: codes of enumerations become their words."""
    coded = [name for name in fields if FIELDS[name].words]
    if not coded:
        return row_values
    return {**row_values, **{name: _word(name, row_values.get(name)) for name in coded}}


def _word(name: str, code: Any) -> str:
    return code if isinstance(code, str) else FIELDS[name].words.get(code, "")


def check_variables(variables: Iterable[Variable], data: Mapping[str, Any], part: str) -> Iterator[TemplateProblem]:
    """One located problem for every path that leads nowhere."""
    for variable in variables:
        found = _wrong(variable.path, data)
        if found is not None:
            message, hint = found
            yield TemplateProblem(
                message,
                code="UNKNOWN_VARIABLE",
                part=part,
                line=variable.line,
                column=variable.column,
                hint=hint,
            )


def _wrong(path: tuple[str, ...], data: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with a path and what to write instead, or None."""
    if path[0] == "profile":
        return _wrong_field(path)
    if path[0] == "delivery":
        if len(path) > 1 and path[1] in DELIVERY_FIELDS:
            return None
        return f"there is no {'.'.join(path[:2])!r}", f"There are {_listed('delivery', DELIVERY_FIELDS)}."
    if path[0] not in data:
        return f"there is no {path[0]!r}", _suggest_root(path[0], data)
    return _wrong_key(path, data)


def _wrong_field(path: tuple[str, ...]) -> tuple[str, str] | None:
    if len(path) > 1 and path[1] in FIELDS:
        return None
    if len(path) == 1 or path[1] == "*":
        return "the profile cannot be read as a whole", "Write one field, such as profile.first_name."
    near = get_close_matches(path[1], FIELDS, 1)
    hint = f"Did you mean 'profile.{near[0]}'?" if near else "See the list of profile fields."
    return f"there is no profile field {path[1]!r}", hint


def _wrong_key(path: tuple[str, ...], data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Follow a path through the data as far as it goes; of a list, one item that has the key is enough."""
    places: list[Any] = [data[path[0]]]
    for index, key in enumerate(path[1:], 1):
        found = [value for place in places for value in _step(place, key)]
        known = sorted({name for place in places if isinstance(place, dict) for name in place})
        if not found and known and key != "*":
            near = get_close_matches(key, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known[:10])}."
            return f"{'.'.join(path[:index])!r} has no {key!r} in the data", hint
        if not found:
            return None
        places = found
    return None


def _step(place: Any, key: str) -> list[Any]:
    if isinstance(place, dict):
        if key == "*":
            return list(place.values())
        if key in place:
            return [place[key]]
        return [None] if key in _COMMANDS else []
    if isinstance(place, list):
        return [None] if key == "size" else list(place)
    return []


def _suggest_root(name: str, data: Mapping[str, Any]) -> str:
    if name in FIELDS:
        return f"Did you mean 'profile.{name}'?"
    near = get_close_matches(name, ["profile", "delivery", *data], 1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"There are {', '.join(['profile', 'delivery', *data][:12])}."


def _listed(root: str, names: Iterable[str]) -> str:
    return ", ".join(f"{root}.{name}" for name in names)
