"""Errors of authors, each with its place."""

from __future__ import annotations

from collections.abc import Collection

from core.errors import Invalid

MOST_TOLD = 100  # warnings of one part, problems of one kind in it, problems of all parts; the rest is for after these


class TemplateProblem(Invalid):
    """Something wrong at one place of a part. `path` reads `parts.html:12:5`.

    What is no part of content has a name with dots, and its path is that: `fragments.footer.html:12:5`.
    """

    default_code = "TEMPLATE_INVALID"

    def __init__(self, message: str, *, code: str, part: str, line: int, column: int, hint: str | None = None) -> None:
        path = part if "." in part else f"parts.{part}"
        super().__init__(message, code=code, path=f"{path}:{line}:{column}", hint=hint)
        self.part = part
        self.line = line
        self.column = column


class ContentInvalid(Invalid):
    """Content cannot be saved or prepared; `problems` has one located error for each reason."""

    default_code = "CONTENT_INVALID"

    def __init__(self, problems: Collection[Invalid]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(first.message + more, code=first.code, path=first.path, hint=first.hint)
