"""Follows paths of templates through the data of content, as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from core.content.suggestions import MOST_COMPARED, nearest
from core.errors import Invalid

EVERY = "*"  # any item of a list, any value of an object
COMMANDS = frozenset({"size", "first", "last"})
MOST_LOOKED_AT = 3_000_000  # values, for all paths together; each prefix of them is followed once


class DataPaths:
    """Says what is wrong with paths into one data."""

    def __init__(self, data: Mapping[str, Any], told: str = "the data") -> None:
        self._roots = {name: _Places([value]) for name, value in data.items()}
        self._told = told
        self._left = MOST_LOOKED_AT

    def wrong(self, path: tuple[str, ...]) -> tuple[str, str] | None:
        """What is wrong with a path that begins with a key of the data and what to write instead, or None.

        Of a list, one item that has the key is enough. Raises Invalid (DATA_TOO_LARGE) when following all the paths takes
        too long.
        """
        places = self._roots[path[0]]
        for index, key in enumerate(path[1:], 1):
            found = self._follow(places, key)
            if not found.values:
                return _no_key(path[:index], key, places, self._told)
            places = found
        return None

    def reached(self, path: tuple[str, ...]) -> Sequence[Any] | None:
        """All the values that a path leads to; None where only a rendering can tell. Raises as `wrong`."""
        places = self._roots.get(path[0])
        for key in path[1:]:
            if places is None or key in COMMANDS:
                return None
            places = self._follow(places, key)
        return places.values if places is not None else None

    def _follow(self, places: _Places, key: str) -> _Places:
        found = places.followed.get(key)
        if found is None:
            found = places.followed[key] = _Places(places.step(key))
            self._left -= len(found.values) + 1
            if self._left < 0:
                raise Invalid(
                    "the templates read too many places of this data", code="DATA_TOO_LARGE", path="data",
                    hint="Make the data smaller, or read fewer names of its lists.",
                )  # fmt: skip
        return found


class _Places:
    """The values that a path may lead to, and those found from there."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.followed: dict[str, _Places] = {}

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        return [value for value in self.values if isinstance(value, dict)]

    @cached_property
    def items(self) -> list[Any]:
        return [item for value in self.values if isinstance(value, list) for item in value]

    @cached_property
    def by_key(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for place in self.objects:
            for key, value in place.items():
                found.setdefault(key, []).append(value)
        return found

    @cached_property
    def keys(self) -> list[str]:
        return sorted(self.by_key)

    def step(self, key: str) -> list[Any]:
        """What is one key further."""
        if key == EVERY:
            return [value for values in self.by_key.values() for value in values] + self.items
        found = self.by_key.get(key, [])
        if key in COMMANDS and len(found) < len(self.objects):
            found = [*found, None]
        if key == "size" and len(self.objects) < len(self.values):
            return [*found, None]
        return found + self.items


def _no_key(path: tuple[str, ...], key: str, places: _Places, told: str) -> tuple[str, str] | None:
    if key not in (EVERY, *COMMANDS) and places.values and all(isinstance(one, (str, int, float)) for one in places.values):
        return (
            f"{'.'.join(path)!r} is one value and has no {key!r}",
            "Write the value itself, or take parts out of it with filters.",
        )
    if not places.keys or key == EVERY:  # nothing to go by, such as an empty list
        return None
    near = nearest(key, places.keys[:MOST_COMPARED])
    hint = f"Did you mean {near!r}?" if near else f"There are {', '.join(places.keys[:10])}."
    return f"{'.'.join(path)!r} has no {key!r} in {told}", hint
