"""Values that a profile cannot have, each with its place."""

from __future__ import annotations

from collections.abc import Collection

from core.errors import Invalid


class BadValue(Exception):
    """One value is wrong; whoever knows its place turns it into a located error. `message` continues its name."""

    def __init__(self, code: str, message: str, hint: str | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def at(self, path: str, label: str) -> Invalid:
        """The error of the field `path`, which people call `label`."""
        return Invalid(f"{label} {self.message}", code=self.code, path=path, hint=self.hint)


class FieldsInvalid(Invalid):
    """A profile cannot be saved; `problems` has one located error for each field."""

    default_code = "PROFILE_INVALID"

    def __init__(self, problems: Collection[Invalid]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(first.message + more, code=first.code, path=first.path, hint=first.hint)


def shown(value: object) -> str:
    """A value in a message: short, and on one line."""
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except (RecursionError, ValueError):  # nested without end, or a number of thousands of digits
        return "a value that is too large"
    return text if len(text) <= 60 else text[:57] + "…" + text[-1]
