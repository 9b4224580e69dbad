"""Keys that the items of the data do not have: given to `map`, `where` and their like, or followed from an assigned name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.content.checks.part import CheckedPart
from core.content.data_paths import COMMANDS
from core.content.records import ContentWarning
from core.content.suggestions import nearest
from render_ext import Call, Chain, Constant, Operand, Reading

BY_KEY = frozenset(
    {"compact", "find", "find_index", "has", "map", "reject", "sort", "sort_natural", "sum", "uniq", "where"}
)  # filters whose first argument is a key
KEEPING = frozenset({"compact", "reject", "reverse", "sort", "sort_natural", "uniq", "where"})  # the items stay what they are
PICKING = frozenset({"find", "first", "last"})  # one of the items
MOST_ITEMS = 2_000  # that are looked at for their keys


@dataclass(frozen=True, slots=True)
class _Shape:
    """The keys of objects, or of the items of a list, which is called by a `name`."""

    keys: Mapping[str, None]
    is_list: bool
    name: str


def unknown_keys(part: CheckedPart) -> Iterator[ContentWarning]:
    """Keys that lead nowhere where the data's own are known."""
    shapes: dict[str, _Shape | None] = {}
    read: dict[Operand, _Shape | None] = {}
    for chain in part.inspection.chains:
        if chain.input not in read and (chain.calls or chain.into is not None):
            read[chain.input] = _shape_of(part, chain)
        shape = read.get(chain.input)
        for call in chain.calls:
            if shape is None:
                break
            yield from _given(part, call, shape)
            shape = _after(call, shape)
        if chain.into is not None:
            shapes[chain.into] = shape if chain.into not in shapes else None  # of one that is assigned twice nobody knows
    for given in part.inspection.given:
        if given.captured:
            shapes[given.name] = None
    for one in part.uses.followed:
        shape = shapes.get(one.name)
        key = one.keys[0]
        if shape is not None and shape.is_list is one.of_item and key not in COMMANDS and key not in shape.keys:
            yield _told(part, shape, key, *part.inspection.place(one.at))


def _shape_of(part: CheckedPart, chain: Chain) -> _Shape | None:
    """What a chain begins with, where all of it is objects."""
    known = part.known.known(chain.input.path) if isinstance(chain.input, Reading) else None
    if not known or not isinstance(chain.input, Reading):
        return None
    lists = all(isinstance(value, list) for value in known)
    items: Sequence[Any] = [item for value in known for item in value] if lists else known
    if not items or len(items) > MOST_ITEMS or not all(isinstance(item, dict) for item in items):
        return None
    return _Shape(dict.fromkeys(key for item in items for key in item), lists, chain.input.text)


def _given(part: CheckedPart, call: Call, shape: _Shape) -> Iterator[ContentWarning]:
    key = call.arguments[0] if call.name in BY_KEY and call.arguments else None
    if shape.is_list and isinstance(key, Constant) and isinstance(key.value, str) and key.value not in shape.keys:
        yield _told(part, shape, key.value, call.line, call.column)


def _after(call: Call, shape: _Shape) -> _Shape | None:
    """What a filter makes of it."""
    if shape.is_list and call.name in PICKING:
        return _Shape(shape.keys, False, shape.name)
    return shape if shape.is_list and call.name in KEEPING else None


def _told(part: CheckedPart, shape: _Shape, key: str, line: int, column: int) -> ContentWarning:
    near = nearest(key, shape.keys)
    return part.told(
        "UNKNOWN_KEY",
        f"nothing in {shape.name!r} has {key!r} in the data",
        f"Did you mean {near!r}?" if near else f"There are {', '.join(list(shape.keys)[:10])}.",
        line=line,
        column=column,
    )
