"""A cache of what was used lately: bounded, forgetting after a while, two dictionary look-ups at most."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Keeps up to twice `size` entries, each for `seconds` to twice that."""

    def __init__(self, *, size: int, seconds: float):
        self._size = size
        self._seconds = seconds
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}
        self._turn_at = 0.0

    def get(self, key: Key) -> Value | None:
        """The value, or None."""
        self._turn_when_due()
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value."""
        self._young[key] = value

    def _turn_when_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._turn_at or len(self._young) >= self._size:
            if now >= self._turn_at + self._seconds:
                self._young = {}
            self._old, self._young = self._young, {}
            self._turn_at = now + self._seconds
