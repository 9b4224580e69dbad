"""Filters of lists: their ends, their order, what is in them twice.

A list filter takes the items of nested lists as its own, an object or any other value for a list of one, nothing for
none.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

from render_ext.errors import FilterError, LimitReached
from render_ext.filters.arithmetic import Number, total
from render_ext.filters.properties import NoProperties, property_of
from render_ext.filters.records import Surroundings, allow_items, items_of
from render_ext.values import DEEPEST, Emptiness, equal, flat_items, is_empty, to_text

ASCII_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
LARGEST_HASHED: Final = 1 << 60  # numbers beyond it can be chosen so that all have the same hash


def size(value: Any) -> int:
    """Characters of a text, items of a list or dict; 0 for anything else."""
    return len(value) if isinstance(value, (str, list, tuple, dict, range)) else 0


def join(around: Surroundings, value: Any, glue: Any = " ") -> str:
    """The items as one text, with glue between them."""
    between = to_text(glue)
    parts: list[str] = []
    length = 0
    for item in flat_items(value):
        parts.append(to_text(item))
        length += len(parts[-1]) + len(between) + 1
        if length > around.value_bytes + len(between) + len(parts):
            raise LimitReached("value_bytes", around.value_bytes)
    return between.join(parts)


def first(value: Any) -> Any:
    """The first item of a list; of a dict its first pair."""
    if isinstance(value, (list, tuple, range)):
        return value[0] if len(value) else None
    if isinstance(value, dict):
        return next(([key, item] for key, item in value.items()), None)
    return None


def last(value: Any) -> Any:
    """The last item of a list."""
    if isinstance(value, (list, tuple, range)):
        return value[-1] if len(value) else None
    return None


def default(value: Any, fallback: Any = "", *, allow_false: Any = False) -> Any:
    """The fallback for nothing, false and what is empty; `allow_false: true` keeps false."""
    absent = value is None if allow_false not in (None, False) else value is None or value is False
    return fallback if absent or is_empty(value) else value


def concat(around: Surroundings, value: Any, more: Any) -> list[Any]:
    """The items and those of another list after them."""
    if not isinstance(more, (list, tuple)):
        raise FilterError("the argument must be a list")
    items = items_of(around, value)
    allow_items(around, len(items) + len(more))
    return [*items, *more]


def reverse(around: Surroundings, value: Any) -> list[Any]:
    """The items from the last to the first."""
    return items_of(around, value)[::-1]


def sum_(around: Surroundings, value: Any, name: Any = None) -> Number:
    """The sum of the items, or of a property of theirs; what is no number counts 0."""
    items = items_of(around, value)
    if name is not None:
        items = items_of(around, [_property_or(item, name, 0) for item in items])
    return total(items)


# ---- order ---------------------------------------------------------------------------------------


def sort(around: Surroundings, value: Any, name: Any = None) -> list[Any] | None:
    """In ascending order, by a property if one is given; what is nothing comes last."""
    keyed = _keyed(items_of(around, value), name)
    if keyed is None:
        return None
    present = [pair for pair in keyed if pair[0] is not None]
    kinds = {_kind(key) for key, _ in present}
    try:
        if len(kinds) == 1 and kinds <= ORDERED:
            present.sort(key=_key)
        elif not all(equal(present[0][0], key) for key, _ in present[1:]):
            raise TypeError
    except TypeError:  # of different kinds, or of one that has no order
        raise FilterError("these values have no order") from None
    return [item for _, item in present] + [item for key, item in keyed if key is None]


def sort_natural(around: Surroundings, value: Any, name: Any = None) -> list[Any] | None:
    """In the order of their texts, A to Z the same as a to z; what is nothing comes last."""
    keyed = _keyed(items_of(around, value), name)
    if keyed is None:
        return None
    present = [(_folded(to_text(key)), item) for key, item in keyed if key is not None]
    present.sort(key=_key)
    return [item for _, item in present] + [item for key, item in keyed if key is None]


ORDERED: Final = frozenset(("number", "text", "date", "time"))


def _kind(value: Any) -> str:
    """The name of what a value is in order with."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return "number" if value == value else "NaN"
    if isinstance(value, date):
        return "time" if isinstance(value, datetime) else "date"
    return type(value).__name__


def _key(pair: tuple[Any, Any]) -> Any:
    return pair[0]


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(ASCII_LOWER)


def _keyed(items: list[Any], name: Any) -> list[tuple[Any, Any]] | None:
    """Items with what they are sorted by; None where one of them has no properties at all."""
    if name is None:
        return [(item, item) for item in items]
    if not all(isinstance(item, (dict, str, int)) and not isinstance(item, bool) for item in items):
        return None
    return [(property_of(item, name), item) for item in items] if len(items) > 1 else [(None, item) for item in items]


# ---- twice ---------------------------------------------------------------------------------------


def uniq(around: Surroundings, value: Any, name: Any = None) -> list[Any] | None:
    """Each item once: the first of those that are the same, or have the same property. One alone may have no property."""
    items = items_of(around, value)
    if len(items) < 2:
        return items
    found: dict[Any, Any] = {}
    try:
        for item in items:
            found.setdefault(identity(item if name is None else property_of(item, name)), item)
    except NoProperties:
        return None
    return list(found.values())


def identity(value: Any, depth: int = 0) -> Any:
    """Something with a hash that is the same for the same values only: 1 and 1.0 are two, as in Ruby."""
    if isinstance(value, str):
        return str, str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Decimal):
        text = to_text(value)
        return Decimal, text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, int) and not -LARGEST_HASHED < value < LARGEST_HASHED:
        return int, hex(value)
    if isinstance(value, (int, float, date)):
        return type(value), value
    if depth >= DEEPEST:
        raise LimitReached("nesting", DEEPEST)
    if isinstance(value, (list, tuple)):
        return list, tuple([identity(item, depth + 1) for item in value])
    if isinstance(value, dict):
        return dict, frozenset([(identity(key), identity(item, depth + 1)) for key, item in value.items()])
    if isinstance(value, range):
        return range, value.start, value.stop
    return object, id(value) if not isinstance(value, Emptiness) else value.word


def _property_or(item: Any, name: Any, otherwise: Any) -> Any:
    try:
        return property_of(item, name)
    except NoProperties:
        return otherwise
