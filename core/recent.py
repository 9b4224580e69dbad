"""The last things that were made, by what they were made of: bounded, one per process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")
Seen = TypeVar("Seen")
Made = TypeVar("Made")


class Recent(Generic[Key, Kept]):
    """Keeps what was used last and drops the rest. Whoever makes a key of an identity keeps that object in the value, so that
    it stays the only one with it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    def get(self, key: Key) -> Kept | None:
        """What is kept for the key; it was used just now."""
        found = self._kept.pop(key, None)  # in one step: threads may ask at once
        if found is not None:
            self._kept[key] = found
        return found

    def keep(self, key: Key, made: Kept) -> Kept:
        """Keep it, and hand it back."""
        self._kept[key] = made
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return made


def per_object(most: int) -> Callable[[Callable[[Seen], Made]], Callable[[Seen], Made]]:
    """Have a function make something of an object once, for the last so many. It is known by its identity, for comparing and
    hashing what is large takes as long as making.
    """

    def remembering(make: Callable[[Seen], Made]) -> Callable[[Seen], Made]:
        kept: Recent[int, tuple[Seen, Made]] = Recent(most)

        def remembered(seen: Seen) -> Made:
            return (kept.get(id(seen)) or kept.keep(id(seen), (seen, make(seen))))[1]

        return remembered

    return remembering
