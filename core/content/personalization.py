"""What a template may read: `profile.<field>`, `audience.<column>`, the content's own data, a few facts of the delivery and its
campaign, and the event because of which a message is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from types import MappingProxyType
from typing import Any

import msgspec

from core.content.data_paths import COMMANDS, EVERY, DataPaths
from core.content.errors import TemplateProblem
from core.content.readable import (
    AUDIENCE,
    EVENT,
    EVENT_PARTS,
    MOST_STEPS,
    OURS,
    Read,
    Readable,
    ReadableEntity,
    ReadableField,
)
from core.content.suggestions import MOST_COMPARED, nearest
from core.datamodel.records import FieldKind
from render_ext import Variable

DELIVERY_FIELDS = ("label", "date")  # of every delivery; what a team adds may be nothing
HOUSE_NAMES = frozenset({"profile", AUDIENCE, "delivery", "campaign", "dynamic"})  # for every template they hold the same
RESERVED_NAMES = HOUSE_NAMES | {"forloop", "now"}  # no key of the data is called so
MOST_LISTED = 20  # fields in a hint
COORDINATES = frozenset({"longitude", "latitude"})
COLUMNS = "#audience"  # what a recipient brings along, among the values of a ledger row; no field is called so

FIELDS: Mapping[str, ReadableField] = OURS.roots["profile"].fields  # in every installation
_NO_KINDS: Mapping[str, str] = MappingProxyType({})


def dynamic_read(variables: Iterable[Variable]) -> set[str]:
    """The dynamic content whose variants the variables of a program choose."""
    return {found.path[1] for found in variables if found.path[0] == "dynamic" and len(found.path) > 1}


def fields_read(variables: Iterable[Variable], readable: Readable = OURS) -> dict[str, Read]:
    """The profile fields among the variables of a program: what a ledger row has to carry for it."""
    return readable.read((found.path for found in variables), "profile")


def columns_read(variables: Iterable[Variable], readable: Readable = OURS) -> dict[str, Read]:
    """The columns of the audience among the variables of a program: a ledger row has to carry them, too."""
    return readable.read((found.path for found in variables), AUDIENCE)


def brought(row_values: Mapping[str, Any], columns: Iterable[str], kinds: Mapping[str, str] = _NO_KINDS) -> dict[str, Any]:
    """What a recipient brings along as templates see it, from the values of a row."""
    held = row_values.get(COLUMNS) or {}
    return {name: seen(kinds.get(name, ""), held.get(name)) for name in columns}


def shown(row_values: Mapping[str, Any], fields: Iterable[str], kinds: Mapping[str, str] = _NO_KINDS) -> Mapping[str, Any]:
    """The values of a row as templates see them: codes of enumerations become their words, decimals are exact, linked rows
    are objects. `kinds` are those of the team's fields, and say of every field of a linked row that it is one.
    """
    coded = [name for name in fields if name in FIELDS and FIELDS[name].words]
    if not coded and not kinds:
        return row_values
    values = {**row_values, **{name: _word(name, row_values.get(name)) for name in coded}}
    for name, kind in kinds.items():
        path, _, last = name.rpartition(".")
        if not path:
            values[name] = seen(kind, row_values.get(name))
        else:
            linked = row_values.get(linked_key(path)) or {}
            _place(values, path.split("."))[last] = seen(kind, linked.get(last))
    return values


def _place(values: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The object of a linked row, as templates follow links to it."""
    for name in path:
        values = values.setdefault(name, {})
    return values


def linked_key(path: str) -> str:
    """Under which a ledger row has the values of a linked row; no field is called so."""
    return f"{path}."


def seen(kind: str, stored: Any) -> Any:
    """A value of a kind as templates see it, from what a row or a program holds: for ever the same."""
    read = _READERS.get(kind)
    return stored if read is None or stored is None else read(stored)


def _decimal(stored: str) -> Decimal | None:
    found = Decimal(stored)
    return found if found.is_finite() else None


def _json(stored: str) -> Any:
    """What is nested too deeply to be read, or has a number that nobody can hold, is nothing."""
    try:
        return msgspec.json.decode(stored)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType({FieldKind.DECIMAL: _decimal, FieldKind.JSON: _json})


def _word(name: str, code: Any) -> str:
    return code if isinstance(code, str) else FIELDS[name].words.get(code, "")


def check_variables(
    variables: Iterable[Variable],
    data: Mapping[str, Any],
    part: str,
    dynamic: Collection[str] = (),
    readable: Readable = OURS,
) -> Iterator[TemplateProblem]:
    """One located problem for every path that leads nowhere. Raises Invalid (DATA_TOO_LARGE)."""
    paths = DataPaths(data)
    event = _event_paths(readable)
    for variable in variables:
        if variable.assigned:  # it may be the template's own, and then only a rendering knows what is in it
            continue
        found = _wrong(variable.path, data, paths, event, dynamic, readable)
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
    path: tuple[str, ...],
    data: Mapping[str, Any],
    paths: DataPaths,
    event: DataPaths | None,
    dynamic: Collection[str],
    readable: Readable,
) -> tuple[str, str] | None:
    """What is wrong with a path and what to write instead, or None."""
    if path[0] == AUDIENCE:
        return _wrong_column(path, readable)
    if path[0] in readable.roots:
        return _wrong_field(path, readable)
    if path[0] == "dynamic":
        return None if len(path) > 1 and path[1] in dynamic else _wrong_dynamic(path, dynamic)
    if path[0] == EVERY:
        return "the first name of a path must be written out", "Write the name itself, such as profile.first_name."
    if reads_event(path, data):
        return _wrong_event(path, event, readable)
    if path[0] not in data:
        return f"there is no {path[0]!r}", _suggest_root(path[0], data, readable)
    return paths.wrong(path)


def reads_event(path: tuple[str, ...], data: Mapping[str, Any]) -> bool:
    """Whether a path leads into the event: a content whose own data has that name reads its data."""
    return path[0] == EVENT and EVENT not in data


def _event_paths(readable: Readable) -> DataPaths | None:
    held = readable.event.held if readable.event is not None else None
    return None if held is None else DataPaths({EVENT: held}, "the event")


def _wrong_event(path: tuple[str, ...], event: DataPaths | None, readable: Readable) -> tuple[str, str] | None:
    """Of an event that nobody knows yet, only its parts are known."""
    if readable.event is not None and readable.event.held is None:
        return "there is no event: a delivery is sent to an audience", "Take it out of content that a delivery sends."
    name = path[1] if len(path) > 1 else EVERY
    if name == EVERY:
        return "the event cannot be read as a whole", "Write event.type, or a value such as event.payload.order_id."
    if name not in EVENT_PARTS:
        near = nearest(name, EVENT_PARTS)
        hint = f"Did you mean '{EVENT}.{near}'?" if near else f"There are {_listed(EVENT, EVENT_PARTS)}."
        return f"there is no '{EVENT}.{name[:80]}'", hint
    if name == "payload" and len(path) > 2 and readable.event is not None and not (readable.event.held or {})["payload"]:
        return "the event has no payload", "Give the test profile an eventPayload."
    return event.wrong(path) if event is not None else None


def _wrong_field(path: tuple[str, ...], readable: Readable) -> tuple[str, str] | None:
    found = readable.find(path)
    if found is not None:
        return _wrong_part(path, found)
    entity, steps = readable.walk(path)
    whole = ".".join(path[: 1 + len(steps)])
    name = path[1 + len(steps)] if len(path) > 1 + len(steps) else EVERY
    first = next(iter(entity.fields))
    if path[0] != "profile":
        near = nearest(name, entity.fields)
        listed = f"There are {_listed(whole, islice(entity.fields, MOST_LISTED))}."
        return f"there is no {'.'.join(path[:2])!r}", f"Did you mean '{whole}.{near}'?" if near else listed
    if name == EVERY:
        example = "profile.first_name" if not steps else f"{whole}.{first}"
        said = "the profile" if not steps else repr(whole)
        return f"{said} cannot be read as a whole", f"Write one field, such as {example}."
    if name in entity.many:
        return (
            f"'{whole}.{name}' leads to many rows",
            "A template reads fields of the profile, and of rows of which there is one.",
        )
    if name in entity.links:
        return f"'{whole}.{name}' is more than {MOST_STEPS} links away", "Read a field of a nearer row."
    near = nearest(name, [*entity.fields, *entity.links])
    hint = f"Did you mean '{whole}.{near}'?" if near else "See the list of profile fields."
    return (f"there is no profile field {name!r}" if not steps else f"{whole!r} has no field {name!r}"), hint


def _wrong_column(path: tuple[str, ...], readable: Readable) -> tuple[str, str] | None:
    found = readable.find(path)
    if found is not None:
        return _wrong_part(path, found)
    audience = readable.roots[AUDIENCE]
    if len(path) < 2 or path[1] == EVERY:
        return "the audience cannot be read as a whole", "Write one column, such as audience.voucher_code."
    return no_column(path[1], audience)


def no_column(name: str, audience: ReadableEntity) -> tuple[str, str]:
    """That an audience has no such column, and what to do about it."""
    near = nearest(name, audience.fields)
    if near:
        hint = f"Did you mean '{AUDIENCE}.{near}'?"
    elif audience.fields:
        hint = f"There are {_listed(AUDIENCE, islice(audience.fields, MOST_LISTED))}."
    else:
        hint = "Send to a list or a file with columns, or to people who are all in one: in_audience('…') and …"
    return f"{audience.told} has no column {name[:80]!r}", hint


def _wrong_part(path: tuple[str, ...], found: Read) -> tuple[str, str] | None:
    """What is wrong with a path that goes on behind a field: a field is one value, but for places and JSON."""
    rest = found.rest
    if not rest or rest[0] == EVERY or rest[0] in COMMANDS or found.field.kind is FieldKind.JSON:
        return None
    whole = ".".join(path[: len(path) - len(rest)])
    if found.field.kind is FieldKind.POINT:
        hint = f"A place has {whole}.longitude and {whole}.latitude."
        return None if rest[0] in COORDINATES else (f"{whole!r} has no {rest[0]!r}", hint)
    return f"{whole!r} is one value and has no {rest[0]!r}", f"Filters take parts out of a value, such as {whole} | date: '%Y'."


def _wrong_dynamic(path: tuple[str, ...], dynamic: Collection[str]) -> tuple[str, str]:
    near = nearest(path[1], dynamic) if len(path) > 1 else None
    known = f"There are {_listed('dynamic', dynamic)}." if dynamic else "This content has no dynamic content."
    return f"there is no {'.'.join(path[:2])!r}", f"Did you mean 'dynamic.{near}'?" if near else known


def _suggest_root(name: str, data: Mapping[str, Any], readable: Readable) -> str:
    if name in readable.roots["profile"].fields:
        return f"Did you mean 'profile.{name}'?"
    known = ["profile", AUDIENCE, "delivery", "campaign", EVENT, *islice(data, MOST_COMPARED)]
    near = nearest(name, known)
    return f"Did you mean {near!r}?" if near else f"There are {', '.join(known[:12])}."


def _listed(root: str, names: Iterable[str]) -> str:
    return ", ".join(f"{root}.{name}" for name in names)
