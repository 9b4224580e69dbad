"""Filters that look at one property of each item of a list.

A property is the value under a key of an object. A text that contains the name has it too, as in Ruby; a whole number
has its bits. What has no properties, nothing for one, ends most of these filters with nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from render_ext.errors import FilterError
from render_ext.filters.records import Surroundings, items_of
from render_ext.values import equal, inspect, to_text, whole_within

FARTHEST = 1 << 62  # of positions: no text is so long


class NoProperties(Exception):
    """A value that has no properties, of whatever name."""


def property_of(item: Any, name: Any) -> Any:
    """The property of an item; None where it has none of that name. Raises NoProperties and FilterError."""
    if isinstance(item, dict):
        return item.get(name) if isinstance(name, (str, int)) and not isinstance(name, bool) else None
    if isinstance(item, str):
        return _of_text(item, name)
    if isinstance(item, int) and not isinstance(item, bool):
        place = _place(name)
        return item >> min(place, item.bit_length()) & 1 if place >= 0 else 0
    raise NoProperties


def _of_text(text: str, name: Any) -> str | None:
    if isinstance(name, str):
        return name if name in text else None
    place = _place(name)
    return text[place] if -len(text) <= place < len(text) else None


def _place(name: Any) -> int:
    """A position. Raises FilterError for what is none."""
    if isinstance(name, (int, float, Decimal)) and not isinstance(name, bool):
        try:
            return whole_within(name, FARTHEST)
        except FilterError:
            pass  # infinity, or NaN
    shown = inspect(name) if name is None or isinstance(name, bool) else to_text(name)
    raise FilterError(f"cannot select the property `{shown[:100]}`")


def map_(around: Surroundings, value: Any, name: Any) -> list[Any]:
    """The property of each item."""
    found = []
    for item in items_of(around, value):
        try:
            found.append(property_of(item, name))
        except NoProperties:
            found.append(None)
    return found


def compact(around: Surroundings, value: Any, name: Any = None) -> list[Any] | None:
    """The items that are something, or whose property is."""
    items = items_of(around, value)
    if name is None:
        return [item for item in items if item is not None]
    try:
        return [item for item in items if property_of(item, name) is not None]
    except NoProperties:
        return None


def where(around: Surroundings, value: Any, name: Any, target: Any = None) -> list[Any] | None:
    """The items whose property is the target; without a target, is neither nothing nor false."""
    try:
        return [item for item, holds in _judged(around, value, name, target) if holds]
    except NoProperties:
        return None


def reject(around: Surroundings, value: Any, name: Any, target: Any = None) -> list[Any] | None:
    """The items that `where` leaves out."""
    try:
        return [item for item, holds in _judged(around, value, name, target) if not holds]
    except NoProperties:
        return None


def has(around: Surroundings, value: Any, name: Any, target: Any = None) -> bool | None:
    """Whether there is an item that `where` finds."""
    try:
        return any(holds for _, holds in _judged(around, value, name, target))
    except NoProperties:
        return None


def find(around: Surroundings, value: Any, name: Any, target: Any = None) -> Any:
    """The first item that `where` finds."""
    try:
        return next((item for item, holds in _judged(around, value, name, target) if holds), None)
    except NoProperties:
        return None


def find_index(around: Surroundings, value: Any, name: Any, target: Any = None) -> int | None:
    """The position of the first item that `where` finds, from 0."""
    try:
        return next((at for at, (_, holds) in enumerate(_judged(around, value, name, target)) if holds), None)
    except NoProperties:
        return None


def _judged(around: Surroundings, value: Any, name: Any, target: Any) -> Iterator[tuple[Any, bool]]:
    """Each item, and whether its property is what is asked for."""
    for item in items_of(around, value):
        found = property_of(item, name)
        yield item, (found is not None and found is not False) if target is None else equal(found, target)
