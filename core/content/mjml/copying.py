"""The copy of a source that MJML works on, and what stands in the attributes that it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from core.content.liquid import SpanKind, pieces, prints, spans
from core.content.tokens import Tokens

_QUOTES = str.maketrans({'"': "&quot;", ">": "&gt;"})  # a conditional comment may be around: `-->` would end it


class Rule(Enum):
    """How often a token must be found in what MJML made."""

    ONCE = auto()
    SOME = auto()  # MJML repeats titles and attributes
    ANY = auto()  # a default that no component needs


@dataclass(frozen=True, slots=True)
class Kept:
    """What a token stands for, and where it was."""

    start: int
    rule: Rule
    where: str  # in words, for errors
    between: bool = False  # Liquid between components, which must keep its order


@dataclass(slots=True)
class Copy:
    """The copy for MJML."""

    tokens: Tokens
    text: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    origins: list[tuple[int, int]] = field(default_factory=list)  # offsets in the copy, in bytes, and in the source
    styles: list[str] = field(default_factory=list)  # what `<mj-style inline="inline">` holds
    before: str = ""  # Liquid ahead of `<mjml>`
    after: str = ""
    root: int = 0  # where `<mjml>` begins
    size: int = 0

    def write(self, text: str, origin: int) -> None:
        """Add to the copy what stands at `origin` of the source."""
        self.origins.append((self.size, origin))
        self.text.append(text)
        self.size += len(text.encode())

    def keep(self, text: str, kept: Kept) -> str:
        """A token."""
        self.kept.append(kept)
        return self.tokens.give(text)


def shows(text: str) -> bool:
    """Whether Liquid prints something, be it the cells of a table."""
    return any(prints(text, span) or span.name == "tablerow" for span in spans(text))


def quoted_value(value: str) -> str:
    """For an attribute in double quotes; those within Liquid are no quotes of HTML."""
    return "".join(text if span and span.kind is not SpanKind.RAW else quoted_text(text) for text, span in pieces(value))


def quoted_text(text: str) -> str:
    """The same for text without Liquid."""
    return text.translate(_QUOTES)
