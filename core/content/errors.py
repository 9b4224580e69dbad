"""Errors of authors, each with its place."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from core.content.liquid import offset_of
from core.errors import Invalid
from render_ext import TemplateSyntaxError
from render_ext.errors import excerpt, source_line

MOST_TOLD = 100  # warnings of one part, problems of one kind in it, problems of all parts; the rest is for after these


class TemplateProblem(Invalid):
    """Something wrong at one place of a part. `path` reads `parts.html:12:5`.

    What is no part of content has a name with dots, and its path is that: `fragments.footer.html:12:5`. Of mistakes in the
    language, `found`, `expected` and `suggestion` are in words. `excerpt` is the line as it was written, and a caret under the
    place, once `shown_in` has seen it.
    """

    default_code = "TEMPLATE_INVALID"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        part: str,
        line: int,
        column: int,
        hint: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        path = part if "." in part else f"parts.{part}"
        super().__init__(message, code=code, path=f"{path}:{line}:{column}", hint=hint)
        self.part = part
        self.line = line
        self.column = column
        self.found = found
        self.expected = expected
        self.suggestion = suggestion
        self.excerpt: str | None = None

    def moved(self, line: int, column: int, *, part: str | None = None, told: str = "") -> TemplateProblem:
        """The same problem at another place; `told` is said behind its message."""
        return TemplateProblem(
            self.message + told, code=self.code, part=part or self.part, line=line, column=column, hint=self.hint,
            found=self.found, expected=self.expected, suggestion=self.suggestion,
        )  # fmt: skip

    def shown_in(self, source: str) -> TemplateProblem:
        """The same, with its place shown in the source that it counts the lines of."""
        shown = self.moved(self.line, self.column)
        with suppress(ValueError):  # a channel may count lines otherwise
            line = source_line(source, offset_of(source, self.line, self.column))
            shown.excerpt = excerpt(line, self.line, min(self.column, len(line) + 1))
        return shown


def syntax_problem(error: TemplateSyntaxError, part: str) -> TemplateProblem:
    """The engine's error as one of ours."""
    hint = f"Expected {error.expected}." if error.expected else None
    if error.suggestion:
        hint = f"Did you mean {error.suggestion}?"
    return TemplateProblem(
        error.message, code="TEMPLATE_SYNTAX", part=part, line=error.line, column=error.column, hint=hint,
        found=error.found, expected=error.expected, suggestion=error.suggestion,
    )  # fmt: skip


class ContentInvalid(Invalid):
    """Content cannot be saved or prepared; `problems` has one located error for each reason."""

    default_code = "CONTENT_INVALID"

    def __init__(self, problems: Collection[Invalid]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(first.message + more, code=first.code, path=first.path, hint=first.hint)
