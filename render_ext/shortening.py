"""Texts made shorter for people: never within what they see as one character, nor within an address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from unicodedata import category

ELLIPSIS: Final = "…"
ADDRESS = re.compile(r"https?://\S*")
JOINER: Final = "\u200d"


def shortened(text: str, room: int, size: Callable[[str], int]) -> str | None:
    """The longest beginning of a text, with an ellipsis after it, whose size is at most `room`; None if nothing fits.

    `size` must grow with the text.
    """
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if size(text[:middle] + ELLIPSIS) <= room:
            low = middle
        else:
            high = middle - 1
    kept = text[: boundary(text, low)].rstrip()
    return kept + ELLIPSIS if kept else None


def boundary(text: str, at: int) -> int:
    """The last place up to `at` where a text may be cut."""
    for match in ADDRESS.finditer(text):
        if match.start() < at < match.end():
            at = match.start()
            break
    while 0 < at < len(text) and _joined(text, at):
        at -= 1
    return at


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after a place are one to the reader (the gist of Unicode Standard Annex 29)."""
    before, after = text[at - 1], text[at]
    if JOINER in (before, after) or category(after) in ("Mn", "Me", "Mc"):
        return True
    code = ord(after)
    if 0x1F3FB <= code <= 0x1F3FF or 0xE0020 <= code <= 0xE007F or code == 0x200C:  # skin tones, flags' tags, non-joiner
        return True
    if 0x1160 <= code <= 0x11FF:  # vowels and finals of Hangul
        return True
    if _is_regional(after):  # flags are pairs, counted from the first
        start = at
        while start > 0 and _is_regional(text[start - 1]):
            start -= 1
        return (at - start) % 2 == 1
    return before == "\r" and after == "\n"


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
