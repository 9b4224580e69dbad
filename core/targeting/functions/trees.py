"""Functions that read one value of a JSON field: its kind is named, and what is of another kind has no value."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from sqlalchemy import ARRAY, Boolean, Numeric, Text, bindparam, case, cast, func
from sqlalchemy.dialects.postgresql import JSONB

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import bounded, cut, raw
from core.targeting.functions.dates import ZONE
from core.targeting.functions.logic import date_read, instant_read
from core.targeting.functions.signature import TREES, Argument, Asking, Family, Function, Nulls, Parameter, Sql
from core.targeting.language import Scalar

MOST_STEPS = 20
_ESCAPES = re.compile("~[01]")


def steps_of(path: str) -> list[str] | None:
    """The keys and places of a path: `a.b.0`, or `/a.b/0` as RFC 6901 has it; None where it is neither."""
    if path.startswith("/"):
        if "~" in _ESCAPES.sub("", path):
            return None
        steps = [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
    else:
        steps = path.split(".")
    return steps if all(steps) and len(steps) <= MOST_STEPS and "\0" not in path else None


def _refuse_path(value: Scalar) -> str | None:
    fits = isinstance(value, str) and steps_of(value) is not None
    return None if fits else f"a path of up to {MOST_STEPS} keys or places, such as 'address.city' or '/address/city'"


def _found(tree: Argument, path: Argument, kind: str) -> tuple[Sql, Sql]:
    """Whether a value of the kind of JSON is there, and the value as a text."""
    steps = bindparam(None, steps_of(str(path.constant)), ARRAY(Text()))
    node = tree.sql.op("#>", return_type=JSONB())(steps)
    return func.jsonb_typeof(node) == raw(f"'{kind}'"), tree.sql.op("#>>", return_type=Text())(steps)


def _text(asking: Asking, tree: Argument, path: Argument) -> Sql:
    is_there, text = _found(tree, path, "string")
    return case((is_there, cut(text)))


def _number(asking: Asking, tree: Argument, path: Argument) -> Sql:
    """Postgres keeps every number of JSON as a numeric, so that reading it back cannot fail."""
    is_there, text = _found(tree, path, "number")
    return bounded(case((is_there, cast(text, Numeric()))))


def _boolean(asking: Asking, tree: Argument, path: Argument) -> Sql:
    is_there, text = _found(tree, path, "boolean")
    return case((is_there, cast(text, Boolean())))


def _time(read: Callable[..., Sql], asking: Asking, tree: Argument, path: Argument, zone: Argument | None = None) -> Sql:
    """What is read of a text that the tree holds."""
    return read(asking, Argument(kind=Kind.TEXT, sql=_text(asking, tree, path), nullable=True), zone)


_TREE = Parameter(name="field", takes=TREES)
_PATH = Parameter(name="path", takes=frozenset({Kind.TEXT}), constant=True, refuse=_refuse_path)
_of_tree = partial(Function, family=Family.TREES, nulls=Nulls.PARTIAL)
_PLACE = "`a.b.0` is the first of the list `b` in `a`; `/a.b/0` has a key with a point"

TREES_FAMILY = (
    _of_tree(
        name="json_text", parameters=(_TREE, _PATH), gives=Kind.TEXT, build=_text, uses=2,
        label=f"a text in a JSON field; none where there is another kind of value, or nothing. {_PLACE}",
        example="json_text(extra, 'address.city') = 'Paris'",
    ),
    _of_tree(
        name="json_number", parameters=(_TREE, _PATH), gives=Kind.DECIMAL, build=_number, uses=2,
        label="likewise a number", example="json_number(extra, 'children.0.age') >= 18",
    ),
    _of_tree(
        name="json_boolean", parameters=(_TREE, _PATH), gives=Kind.BOOLEAN, build=_boolean, uses=2,
        label="likewise true or false", example="json_boolean(extra, 'has_car')",
    ),
    _of_tree(
        name="json_date", parameters=(_TREE, _PATH, ZONE), optional=1, gives=Kind.DATE, build=partial(_time, date_read), uses=2,
        label="likewise a day, written as `to_date` reads it", example="json_date(extra, 'married_on') < today",
    ),
    _of_tree(
        name="json_instant", parameters=(_TREE, _PATH, ZONE), optional=1, gives=Kind.INSTANT,
        build=partial(_time, instant_read), uses=18,
        label="likewise an instant, written as `to_instant` reads it", example="json_instant(extra, 'seen') > now - 7 days",
    ),
)  # fmt: skip
