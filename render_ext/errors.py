"""What can go wrong in the engine.

RenderExtError
├── TemplateSyntaxError   the author's mistake, found at compile time, with place and advice
└── RenderError           one recipient cannot be rendered: a limit, a filter that refuses, a strict variable

FilterError and LimitReached are raised inside the engine and reach callers as RenderError, with the place
added.
"""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class RenderExtError(Exception):
    """Any error of the engine."""


class TemplateSyntaxError(RenderExtError):
    """A template that cannot be compiled.

    `line` and `column` count from 1; `found`, `expected` and `suggestion` are None where there is nothing
    to say.
    """

    def __init__(
        self,
        message: str,
        *,
        template: str,
        source: str,
        at: int,
        width: int = 1,
        found: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ):
        self.message = visible(message)
        self.template = template
        self.line, self.column = position(source, at)
        self.source_line = source_line(source, at)
        self.width = max(1, min(width, len(self.source_line) - self.column + 1))
        self.found = None if found is None else visible(found)
        self.expected = expected
        self.suggestion = None if suggestion is None else visible(suggestion)
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [
            f"{self.template}:{self.line}:{self.column}: {self.message}",
            excerpt(self.source_line, self.line, self.column, self.width),
        ]
        facts = []
        if self.found is not None:
            facts.append(f"found {self.found}")
        if self.expected is not None:
            facts.append(f"expected {self.expected}")
        if self.suggestion is not None:
            facts.append(f"did you mean {self.suggestion}?")
        if facts:
            lines.append("; ".join(facts))
        return "\n".join(lines)


class RenderError(RenderExtError):
    """One rendering that failed, at a line and column from 1; 0 where there is no place.

    `limit` names the field of Limits that was reached, if one was.
    """

    def __init__(self, message: str, *, template: str = "", line: int = 0, column: int = 0, limit: str | None = None):
        super().__init__(f"{template}:{line}: {message}" if template else message)
        self.message = message
        self.template = template
        self.line = line
        self.column = column
        self.limit = limit


def row_error(error: Exception) -> RenderError:
    """What kept one row of a batch from being made, without the frames it came through: those hold the row's values."""
    if not isinstance(error, RenderError):
        error = RenderError(str(error) or type(error).__name__, limit=getattr(error, "limit", None))
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


class BadSender(ValueError):
    """An address that a message cannot come from; `part` is its name in EmailSource."""

    def __init__(self, message: str, part: str):
        super().__init__(message)
        self.part = part


class BadAttachment(ValueError):
    """A file that a message cannot carry; `number` counts from 0."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


class MissingAttachment(BadAttachment):
    """The bytes of a file were not handed in, or others than the source was made for."""


class FilterError(Exception):
    """A filter refuses its input."""


class LimitReached(Exception):
    """A bound of Limits was met; `limit` is the field's name."""

    def __init__(self, limit: str, bound: int):
        super().__init__(f"the limit {limit}={bound} was reached")
        self.limit = limit


def position(source: str, at: int) -> tuple[int, int]:
    """Line and column, both from 1, of an offset."""
    return source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)


def source_line(source: str, at: int) -> str:
    """The line of an offset, without its line end. So that a caret stands right, tabs are spaces and unseen marks boxes."""
    start = source.rfind("\n", 0, at) + 1
    end = source.find("\n", at)
    line = source[start : end if end >= 0 else len(source)].rstrip("\r").replace("\t", " ")
    return "".join("\N{REPLACEMENT CHARACTER}" if is_unseen(character) else character for character in line)


def is_unseen(character: str) -> bool:
    """Whether a character leaves no mark of its own, or turns what stands around it: a control, a format or a line's end."""
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and character not in "\t\n\r"


def visible(text: str) -> str:
    """A text with its unseen characters told by their numbers."""
    return "".join(f"<{code_point(character)}>" if is_unseen(character) else character for character in text)


def code_point(character: str) -> str:
    """A character's number as Unicode writes it, such as U+00A0."""
    return f"U+{ord(character):04X}"


def excerpt(source_line: str, line: int, column: int, width: int = 1) -> str:
    """Two lines: that of a source, behind its number, and a caret under the place."""
    gutter = f"{line} | "
    shown, caret = clipped(source_line, column)
    return f"{gutter}{shown}\n{' ' * (len(gutter) + caret)}{'^' * max(1, min(width, len(shown) - caret))}"


def clipped(line: str, column: int, width: int = 120) -> tuple[str, int]:
    """At most `width` characters of a line around a column; with the caret's offset in them."""
    if len(line) <= width:
        return line, column - 1
    start = max(0, min(column - 1 - width // 2, len(line) - width))
    return line[start : start + width], column - 1 - start


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one known name that a mistyped one most resembles, in backquotes; None when none is close."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"`{matches[0]}`" if matches else None
