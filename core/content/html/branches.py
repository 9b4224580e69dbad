"""The blocks of Liquid in a source, and the ways through each of them of which every rendering goes exactly one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from core.content.liquid import Span, SpanKind, is_opener, spans

_MIDDLES = {"if": ("elsif", "else"), "unless": ("elsif", "else"), "case": ("when", "else"), "fragment": ()}
_VALUE = re.compile(r"\"([^\"]*)\"|'([^']*)'|(-?[0-9]{1,9})")
_BETWEEN = re.compile(r"[\s,]|or\b")
_REPEATED = re.compile(r"\{%-?\s*fragment\s*(?:\"[^\"]*\"|'[^']*')\s*for\b")


@dataclass(frozen=True, slots=True)
class Way:
    """What prints on one way: from `start` to `end`. `missing`: the else is not written, and would stand here."""

    start: int
    end: int
    missing: bool = False


@dataclass(slots=True, eq=False)
class Block:
    """A block from its opening tag to its closing one, with those in it; an unclosed one ends with the source."""

    opening: Span
    closing: Span
    middles: list[Span] = field(default_factory=list)
    inner: list[Block] = field(default_factory=list)

    def surrounds(self, offset: int) -> bool:
        """Whether an offset between two pieces of the source is in it."""
        return self.opening.start < offset < self.closing.end

    def ways(self, source: str) -> list[Way] | None:
        """The ways through it; None where none may be gone, or several one after the other, as in loops."""
        name = self.opening.name
        if name not in _MIDDLES or (name == "case" and not _excludes(source, self.middles)) or self._is_repeated(source):
            return None
        tags = [*([] if name == "case" else [self.opening]), *self.middles, self.closing]
        found = [Way(tag.end, after.start) for tag, after in pairwise(tags)]
        if name != "fragment" and not any(tag.name == "else" for tag in self.middles):
            found.append(Way(self.closing.start, self.closing.start, missing=True))
        return found

    def _is_repeated(self, source: str) -> bool:
        return _REPEATED.match(source, self.opening.start) is not None


def blocks_of(source: str) -> list[Block]:
    """The outermost blocks in order."""
    found: list[Block] = []
    opened: list[Block] = []
    for span in spans(source):
        if is_opener(span):
            block = Block(span, Span(len(source), len(source), SpanKind.TAG))
            (opened[-1].inner if opened else found).append(block)
            opened.append(block)
        elif opened and span.kind is SpanKind.TAG and span.name.startswith("end"):
            opened.pop().closing = span
        elif opened and span.kind is SpanKind.TAG and span.name in _MIDDLES.get(opened[-1].opening.name, ()):
            opened[-1].middles.append(span)
    return found


def _excludes(source: str, middles: list[Span]) -> bool:
    """Whether one `when` at most can match: each value is written out and stands once, and the only else comes last."""
    values: list[str] = []
    for index, tag in enumerate(middles):
        if tag.name == "else" and index < len(middles) - 1:
            return False
        markup = source[tag.start : tag.end].strip("{%-} \t\n\v\f\r").removeprefix(tag.name)
        values += (str(int(number)) if number else one or other for one, other, number in _VALUE.findall(markup))
        if _BETWEEN.sub("", _VALUE.sub("", markup)):
            return False
    return len(values) == len(set(values))
