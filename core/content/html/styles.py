"""Declarations of a `style` attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.content.liquid import MASK, mask, outermost

_MARKS = re.compile(r"\\(?:.|\Z)|/\*.*?(?:\*/|(?P<endless>\Z))|[;\"'()\[\]{}]", re.DOTALL)
_OPEN_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_IMPORTANT = re.compile(r"!\s*important\s*\Z", re.IGNORECASE)
_VENDOR = re.compile(r"-[a-z]+-")
_SHORTHANDS = frozenset(
    {"animation", "background", "border", "column", "flex", "font", "grid", "list", "margin", "mask", "outline", "overflow",
     "padding", "text", "transition"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Declaration:
    """`name: value`, as it is written."""

    text: str
    name: str
    important: bool
    closed: bool  # what is written after it is not part of it


def declarations(style: str) -> Iterator[Declaration]:
    """The declarations of a `style` attribute, or of what an inliner made."""
    for start, end, closed in _cut(style):
        text = style[start:end].strip()
        name, colon, value = text.partition(":")
        if colon and value.strip():
            closed = closed and _OPEN_ESCAPE.search(text) is None
            yield Declaration(text, name.strip().lower(), _IMPORTANT.search(value) is not None, closed)


def _cut(style: str) -> Iterator[tuple[int, int, bool]]:
    """Between the semicolons that are neither in quotes nor in brackets, and whether all of these are closed."""
    start = depth = 0
    quote = ""
    endless = False
    for match in _MARKS.finditer(style):
        mark = match[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth = max(0, depth - 1)
        elif mark == ";" and depth == 0:
            yield start, match.start(), True
            start = match.end()
        endless = match["endless"] is not None and not quote
    yield start, len(style), not (depth or quote or endless)


def family(name: str) -> str:
    """What properties have in common that set one another: `border` and `border-top-color` are of one family."""
    vendor = _VENDOR.match(name)
    first = name[vendor.end() if vendor else 0 :].partition("-")[0]
    return "font" if name == "line-height" else first if first in _SHORTHANDS else name


def merged(computed: list[Declaration], own: str) -> str:
    """What of the computed declarations is to stand before an element's own `style`, which stays as it is.

    Nothing that the element says itself is said again, so that doing it twice is doing it once.
    """
    masked = mask(own, outermost(own))  # what stands in a block is not said to everybody
    said: dict[str, bool] = {}
    for one in declarations(masked):
        if MASK not in one.text:
            said[one.name] = said.get(one.name, False) or one.important
    texts = {own[start:end].strip() for start, end, _ in _cut(masked)}
    kept = [
        one.text
        for one in computed
        if one.text not in texts and (one.name not in said or (one.important and not said[one.name]))
    ]
    return "; ".join(kept) + (";" if kept else "")
