"""The numbers of links: what tokens carry and reports count by.

The variants of one delivery share them. A number leads to the same place in all of them, so that clicks of all languages add
up and no number is another link's; what only one variant has gets a number of its own.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_LINKS = 9_000  # of one delivery


class _Key(NamedTuple):
    target: str
    conditional: bool = False  # only Outlook sees it


_HIDDEN = _Key("")


class LinkNumbers:
    """Numbers from 1, for all variants of a delivery. Ask `begin` for each variant."""

    def __init__(self) -> None:
        self._given: dict[_Key, list[int]] = {}
        self._used: dict[_Key, int] = {}  # by this variant
        self._first: dict[str, int] = {}  # that everybody can see in this variant, by target
        self.highest = 0

    def begin(self) -> None:
        """Another variant: it may use again what was given before."""
        self._used.clear()
        self._first.clear()

    def give(self, target: str, *, conditional: bool = False) -> int:
        """The number of one more link; links of one variant have different ones, even to the same place."""
        number = self._next(_Key(target, conditional))
        if not conditional:
            self._first.setdefault(target, number)
        return number

    def known(self, target: str) -> int | None:
        """The number of the first link of this variant that leads there and that not only Outlook sees."""
        return self._first.get(target)

    def give_hidden(self) -> int:
        """The number of the link that no person sees."""
        return self._next(_HIDDEN)

    def _next(self, key: _Key) -> int:
        given = self._given.setdefault(key, [])
        used = self._used.get(key, 0)
        self._used[key] = used + 1
        if used == len(given):
            self.highest += 1
            given.append(self.highest)
        return given[used]
