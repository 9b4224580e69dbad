"""What a template may read: `profile.<field>`, the content's own data, and a few facts of the delivery."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any

from core.content.data_paths import COMMANDS, EVERY, DataPaths
from core.content.errors import TemplateProblem
from core.content.suggestions import MOST_COMPARED, nearest
from core.profiles.fields import ALL as PROFILE_FIELDS
from core.profiles.fields import Field
from render_ext import Variable

DELIVERY_FIELDS = MappingProxyType({"label": "Label of the delivery", "date": "Date of the message"})
OURS = frozenset({"profile", "delivery", "dynamic"})  # what they hold is for every template the same
RESERVED_NAMES = OURS | {"forloop", "now"}  # no key of the data is called so


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


def dynamic_read(variables: Iterable[Variable]) -> set[str]:
    """The dynamic content whose variants the variables of a program choose."""
    return {found.path[1] for found in variables if found.path[0] == "dynamic" and len(found.path) > 1}


def fields_read(variables: Iterable[Variable]) -> set[str]:
    """The profile fields among the variables of a program: what a ledger row has to carry for it."""
    return {found.path[1] for found in variables if found.path[0] == "profile" and len(found.path) > 1}


def shown(row_values: Mapping[str, Any], fields: Iterable[str]) -> Mapping[str, Any]:
    """The values of a row as templates see them: codes of enumerations become their words."""
    coded = [name for name in fields if FIELDS[name].words]
    if not coded:
        return row_values
    return {**row_values, **{name: _word(name, row_values.get(name)) for name in coded}}


def _word(name: str, code: Any) -> str:
    return code if isinstance(code, str) else FIELDS[name].words.get(code, "")


def check_variables(
    variables: Iterable[Variable], data: Mapping[str, Any], part: str, dynamic: Collection[str] = ()
) -> Iterator[TemplateProblem]:
    """One located problem for every path that leads nowhere. Raises Invalid (DATA_TOO_LARGE)."""
    paths = DataPaths(data)
    for variable in variables:
        if variable.assigned:  # it may be the template's own, and then only a rendering knows what is in it
            continue
        found = _wrong(variable.path, data, paths, dynamic)
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


def _wrong(
    path: tuple[str, ...], data: Mapping[str, Any], paths: DataPaths, dynamic: Collection[str]
) -> tuple[str, str] | None:
    """What is wrong with a path and what to write instead, or None."""
    if path[0] == "profile":
        return _wrong_field(path)
    if path[0] == "delivery":
        if len(path) > 1 and path[1] in DELIVERY_FIELDS:
            return _wrong_part(path)
        return f"there is no {'.'.join(path[:2])!r}", f"There are {_listed('delivery', DELIVERY_FIELDS)}."
    if path[0] == "dynamic":
        return None if len(path) > 1 and path[1] in dynamic else _wrong_dynamic(path, dynamic)
    if path[0] == EVERY:
        return "the first name of a path must be written out", "Write the name itself, such as profile.first_name."
    if path[0] not in data:
        return f"there is no {path[0]!r}", _suggest_root(path[0], data)
    return paths.wrong(path)


def _wrong_field(path: tuple[str, ...]) -> tuple[str, str] | None:
    if len(path) > 1 and path[1] in FIELDS:
        return _wrong_part(path)
    if len(path) == 1 or path[1] == "*":
        return "the profile cannot be read as a whole", "Write one field, such as profile.first_name."
    near = nearest(path[1], FIELDS)
    hint = f"Did you mean 'profile.{near}'?" if near else "See the list of profile fields."
    return f"there is no profile field {path[1]!r}", hint


def _wrong_part(path: tuple[str, ...]) -> tuple[str, str] | None:
    """What is wrong with a path that goes on behind a field: a field is one value."""
    if len(path) == 2 or path[2] == EVERY or path[2] in COMMANDS:
        return None
    whole = ".".join(path[:2])
    return f"{whole!r} is one value and has no {path[2]!r}", f"Filters take parts out of a value, such as {whole} | date: '%Y'."


def _wrong_dynamic(path: tuple[str, ...], dynamic: Collection[str]) -> tuple[str, str]:
    near = nearest(path[1], dynamic) if len(path) > 1 else None
    known = f"There are {_listed('dynamic', dynamic)}." if dynamic else "This content has no dynamic content."
    return f"there is no {'.'.join(path[:2])!r}", f"Did you mean 'dynamic.{near}'?" if near else known


def _suggest_root(name: str, data: Mapping[str, Any]) -> str:
    if name in FIELDS:
        return f"Did you mean 'profile.{name}'?"
    known = ["profile", "delivery", *islice(data, MOST_COMPARED)]
    near = nearest(name, known)
    return f"Did you mean {near!r}?" if near else f"There are {', '.join(known[:12])}."


def _listed(root: str, names: Iterable[str]) -> str:
    return ", ".join(f"{root}.{name}" for name in names)
