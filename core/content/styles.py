"""Style sheets of an HTML part, and declarations of a `style` attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.content.liquid import MASK, SpanKind, blocks, mask, spans, within
from core.content.markup import Kind, Piece, read
from core.content.tokens import Tokens

_MARKS = re.compile(r"\\.|[;\"'()]", re.DOTALL)
_BINDS = re.compile(  # in a tag, or in a line of `liquid`
    r"(?:^|\{%-?|liquid)\s*(?:assign|capture|for|tablerow|increment|decrement)\s+['\"]?([\w-]+)", re.MULTILINE
)
_GIVEN = re.compile(r"fragment\s+['\"]([\w-]+)|([\w-]+)\s*:|\bas\s+([\w-]+)")  # names in the tag of a fragment
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_SCREENS = re.compile(r"(?:|all|screen)\Z", re.IGNORECASE)
_IMPORTANT = re.compile(r"!\s*important\s*\Z", re.IGNORECASE)


@dataclass(slots=True)
class Sheets:
    """What can be written into elements."""

    css: list[str] = field(default_factory=list)  # with tokens for Liquid
    unsafe: set[int] = field(default_factory=set)  # tokens that may say something else where elements are
    conditional: list[int] = field(default_factory=list)  # places of what only some recipients get


def sheets(source: str, tokens: Tokens) -> Sheets:
    """The style sheets of an HTML part. What is in a block of Liquid, or for other media than screens, stays where it is."""
    found = Sheets()
    around = blocks(source)
    bound = bound_names(source)
    opening: Piece | None = None
    for piece in read(source):
        if piece.kind is Kind.RAW_TEXT and piece.name == "style" and opening and _for_screens(source, opening):
            if within(around, opening.start):
                found.conditional.append(opening.start)
            else:
                add_sheet(found, source[piece.start : piece.end], piece.start, bound, tokens)
        opening = piece if piece.kind is Kind.START and piece.name == "style" and not piece.conditional else None
    return found


def bound_names(source: str) -> frozenset[str]:
    """Names to which the template itself gives values: they mean one thing here and another there."""
    names = {"forloop", "tablerowloop"}
    for span in spans(source):
        tag = source[span.start : span.end] if span.kind is SpanKind.TAG else ""
        if span.name == "fragment":
            names.update(name for match in _GIVEN.finditer(tag) for name in match.groups() if name)
        elif tag:
            names.update(_BINDS.findall(tag))
    return frozenset(names)


def add_sheet(found: Sheets, css: str, at: int | None, bound: frozenset[str], tokens: Tokens) -> None:
    """Add one style sheet; `at` is its place in the source, if it is there."""
    inner = blocks(css)
    for start, end in inner:
        if re.search(r"[:{]", mask(css[start:end]).replace(MASK, "")):
            found.conditional.append(0 if at is None else at + start)
    cuts = [(start, end, "") for start, end in inner]
    for span in spans(css):
        if within(inner, span.start):
            continue
        token = ""
        if span.kind in (SpanKind.OUTPUT, SpanKind.RAW):
            text = css[span.start : span.end]
            token = tokens.give(text)
            if not bound.isdisjoint(_WORD.findall(text)):
                found.unsafe.add(len(tokens.kept) - 1)
        cuts.append((span.start, span.end, token))
    written = []
    position = 0
    for start, end, token in sorted(cuts):
        written += [css[position:start], token]
        position = end
    found.css.append("".join([*written, css[position:]]))


def _for_screens(source: str, opening: Piece) -> bool:
    media = opening.find("media")
    return media is None or _SCREENS.match(source[media.start : media.end].strip()) is not None


@dataclass(frozen=True, slots=True)
class Declaration:
    """`name: value`, as it is written."""

    text: str
    name: str
    important: bool


def declarations(style: str) -> Iterator[Declaration]:
    """The declarations of a `style` attribute, or of what an inliner made."""
    for start, end in _cut(style):
        text = style[start:end].strip()
        name, colon, value = text.partition(":")
        if colon and value.strip():
            yield Declaration(text, name.strip().lower(), _IMPORTANT.search(value) is not None)


def _cut(style: str) -> Iterator[tuple[int, int]]:
    """Between the semicolons that are neither in quotes nor in brackets."""
    start = depth = 0
    quote = ""
    for match in _MARKS.finditer(style):
        mark = match[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in "()":
            depth = max(0, depth + (1 if mark == "(" else -1))
        elif mark == ";" and depth == 0:
            yield start, match.start()
            start = match.end()
    yield start, len(style)


def merged(computed: list[Declaration], own: str) -> str:
    """What of the computed declarations is to stand before an element's own `style`, which stays as it is.

    Nothing that the element says itself is said again, so that doing it twice is doing it once.
    """
    masked = mask(own)
    for start, end in blocks(own):  # what stands in a block is not said to everybody
        masked = masked[:start] + MASK * (end - start) + masked[end:]
    said: dict[str, bool] = {}
    for one in declarations(masked):
        if MASK not in one.text:
            said[one.name] = said.get(one.name, False) or one.important
    texts = {own[start:end].strip() for start, end in _cut(masked)}
    kept = [
        one.text
        for one in computed
        if one.text not in texts and (one.name not in said or (one.important and not said[one.name]))
    ]
    return "; ".join(kept) + (";" if kept else "")
