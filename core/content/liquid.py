"""Where Liquid is in a source, so that others can work around it. The engine parses; this only finds.

A masked source has the same length, with a letter that no author writes in the place of every Liquid
character: quotes, `<` and `>` inside a tag cannot mislead a reader of HTML, and offsets stay true.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

MASK = "\ue000"
_BRACES = re.compile(r"\{\{|\{%")
_TAG_NAME = re.compile(r"\{%-?[ \t\n\v\f\r]*([\w-]+|#)?")
_ENDS = {name: re.compile(r"\{%-?[ \t\n\v\f\r]*end" + name + r"[ \t\n\v\f\r]*-?%\}") for name in ("raw", "doc")}
_OPENERS = frozenset({"if", "unless", "for", "case", "capture", "tablerow", "link", "ifchanged", "fragment", "footnote"})
BRANCHES = frozenset({"else", "elsif", "when"})  # begin another branch of the block they stand in
_MIDDLES = BRANCHES | {"break", "continue"}
_PRINTERS = frozenset(
    {"echo", "cycle", "increment", "decrement", "include", "render", "mirror_url", "unsubscribe_url", "open_pixel_url"}
)
_LINE = re.compile(r"\s*(?:liquid(?![\w-])\s*)*(?P<name>[\w-]*)\s*")  # a `liquid` tag may begin with another
SYSTEM_URL = re.compile(r"\{%-?\s*(mirror_url|unsubscribe_url|open_pixel_url)\s*-?%\}")


class SpanKind(Enum):
    """What a piece of Liquid does."""

    OUTPUT = auto()  # {{ … }}
    TAG = auto()  # {% … %}
    RAW = auto()  # {% raw %} … {% endraw %}, printed as it is
    COMMENT = auto()  # printed never
    BLOCK = auto()  # from an opening tag to the end of its closing one; only `outermost` tells of these


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of Liquid in a source."""

    start: int
    end: int
    kind: SpanKind
    name: str = ""  # of a tag


def spans(source: str) -> list[Span]:
    """Every piece of Liquid in order, cut as the engine does: a brace pair ends at the first closing pair.

    What is never closed is no Liquid here; the engine complains about it.
    """
    found: list[Span] = []
    position = 0
    while opening := _BRACES.search(source, position):
        span = _span(source, opening.start())
        if span is None:
            break
        found.append(span)
        position = span.end
    return found


def _span(source: str, start: int) -> Span | None:
    output = source.startswith("{{", start)
    end = source.find("}}" if output else "%}", start + 2) + 2
    if end < 2:
        return None
    if output:
        return Span(start, end, SpanKind.OUTPUT)
    named = _TAG_NAME.match(source, start, end)
    name = (named and named[1]) or ""
    if name in _ENDS:
        closing = _ENDS[name].search(source, end)
        return Span(start, closing.end(), SpanKind.RAW if name == "raw" else SpanKind.COMMENT, name) if closing else None
    if name == "comment":
        return _comment(source, start, end)
    return Span(start, end, SpanKind.TAG, name)


def _comment(source: str, start: int, position: int) -> Span | None:
    """A block comment with those inside it."""
    depth = 1
    while opening := _BRACES.search(source, position):
        output = source.startswith("{{", opening.start())
        position = source.find("}}" if output else "%}", opening.end()) + 2
        if position < 2:
            return None
        named = None if output else _TAG_NAME.match(source, opening.start(), position)
        name = (named and named[1]) or ""
        if name in _ENDS:
            closing = _ENDS[name].search(source, position)
            if closing is None:
                return None
            position = closing.end()
        depth += {"comment": 1, "endcomment": -1}.get(name, 0)
        if depth == 0:
            return Span(start, position, SpanKind.COMMENT, "comment")
    return None


def mask(source: str, found: list[Span] | None = None) -> str:
    """The source with every Liquid character replaced by MASK; with what is `found`, where that is given."""
    pieces = []
    position = 0
    for span in spans(source) if found is None else found:
        pieces += [source[position : span.start], MASK * (span.end - span.start)]
        position = span.end
    pieces.append(source[position:])
    return "".join(pieces)


def pieces(source: str) -> Iterator[tuple[str, Span | None]]:
    """The source in order, cut into literal text (None) and Liquid."""
    position = 0
    for span in spans(source):
        if span.start > position:
            yield source[position : span.start], None
        yield source[span.start : span.end], span
        position = span.end
    if position < len(source):
        yield source[position:], None


def literal_text(source: str) -> str:
    """The source without its Liquid and the space around."""
    return " ".join(literal for literal, span in pieces(source) if span is None).strip()


def balanced_prefix(source: str) -> int:
    """Up to where every block that is opened is closed again, and none is closed that was not opened."""
    depth = 0
    good = 0
    for span in spans(source):
        if span.kind is not SpanKind.TAG:
            continue
        if depth == 0:
            good = span.start
        if span.name in _OPENERS:
            depth += 1
        elif span.name.startswith("end"):
            depth -= 1
        elif span.name in _MIDDLES and depth == 0:
            return span.start
        if depth < 0:
            return span.start
    return len(source) if depth == 0 else good


def is_balanced(source: str) -> bool:
    """Whether a piece of a source may stand alone, as far as its blocks go."""
    return balanced_prefix(source) == len(source)


def outermost(source: str) -> list[Span]:
    """Every piece of Liquid in order, a whole block as one (it ends with its closing tag, or with the source)."""
    found: list[Span] = []
    opening: list[Span] = []
    for span in spans(source):
        if span.kind is SpanKind.TAG and span.name in _OPENERS:
            opening.append(span)
        elif not opening:
            found.append(span)
        elif span.kind is SpanKind.TAG and span.name.startswith("end"):
            first = opening.pop()
            if not opening:
                found.append(Span(first.start, span.end, SpanKind.BLOCK, first.name))
    return [*found, Span(opening[0].start, len(source), SpanKind.BLOCK, opening[0].name)] if opening else found


def blocks(source: str) -> list[tuple[int, int]]:
    """Where the outermost blocks stand."""
    return [(span.start, span.end) for span in outermost(source) if span.kind is SpanKind.BLOCK]


def within(ranges: Sequence[tuple[int, int]], offset: int) -> bool:
    """Whether an offset is in one of these ranges, which are in order and apart."""
    index = bisect_right(ranges, offset, key=lambda one: one[0]) - 1
    return index >= 0 and offset < ranges[index][1]


def is_opener(span: Span) -> bool:
    """Whether a block begins here."""
    return span.kind is SpanKind.TAG and span.name in _OPENERS


def prints(source: str, span: Span) -> bool:
    """Whether a piece prints something itself. A block does not: what is in it does."""
    if span.kind is not SpanKind.TAG:
        return span.kind in (SpanKind.OUTPUT, SpanKind.RAW)
    if span.name != "liquid":
        return span.name in _PRINTERS
    return any(name in _PRINTERS or name in ("raw", "tablerow") for name, _ in tag_lines(source, span))


def tag_lines(source: str, span: Span) -> Iterator[tuple[str, str]]:
    """Name and markup of a tag; of `liquid`, those of the tags in it."""
    if span.kind is not SpanKind.TAG:
        return
    markup = source[span.start + 2 : span.end - 2].removeprefix("-").removesuffix("-")
    for line in markup.split("\n") if span.name == "liquid" else [markup]:
        if named := _LINE.match(line):
            yield named["name"], line[named.end() :]


def quoted(text: str) -> str:
    """Literal text for a template: braces that would open Liquid are written as outputs."""
    return re.sub(r"\{(?=[{%]|\Z)", '{{ "{" }}', text)


def place(source: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, from 1."""
    return source.count("\n", 0, offset) + 1, offset - (source.rfind("\n", 0, offset) + 1) + 1


class Lines:
    """The lines of a text in which many places are looked for: `place` counts the lines before each anew."""

    def __init__(self, source: str):
        self._starts = [0, *(found.end() for found in re.finditer("\n", source))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def offset_of(source: str, line: int, column: int) -> int:
    """The offset of a line and column, from 1."""
    start = 0
    for _ in range(line - 1):
        start = source.index("\n", start) + 1
    return start + column - 1
