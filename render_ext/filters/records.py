"""What a filter is registered as, what it may know, and the bounds that its results keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import islice
from typing import Any, Final

from render_ext.errors import LimitReached
from render_ext.values import flat_items

ITEM_SIZE: Final = 16  # the characters that an item of a list counts as


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a filter may know besides its arguments; fixed when the template is compiled.

    `html`: outputs are escaped for HTML, so a filter that writes tags escapes what is not trusted and returns Html.
    """

    now: datetime | None
    zone: tzinfo
    locale: str
    value_bytes: int
    html: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """A registered filter: how many arguments it takes besides the value, whether Surroundings come first.

    `price`: the steps that it costs for every 64 characters it reads or makes, besides its own; 0 where it does not look
    into the value.
    `checks`: what looks at a named argument that is written out when the template is compiled; it raises FilterError.
    """

    function: Callable[..., Any]
    fewest: int = 0
    most: int = 0
    keywords: tuple[str, ...] = ()
    surroundings: bool = False
    price: int = 1
    checks: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)


def allow(around: Surroundings, size: int) -> None:
    """Refuse a text of more characters than `value_bytes`, before it is made."""
    if size > around.value_bytes:
        raise LimitReached("value_bytes", around.value_bytes)


def allow_items(around: Surroundings, count: int) -> None:
    """Refuse a list of more items than `value_bytes` is worth."""
    allow(around, count * ITEM_SIZE)


def items_of(around: Surroundings, value: Any) -> list[Any]:
    """The items an array filter sees, as a list of its own: see `flat_items`."""
    most = around.value_bytes // ITEM_SIZE
    items = list(islice(flat_items(value), most + 1))
    allow_items(around, len(items))
    return items
