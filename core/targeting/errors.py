"""What is wrong with an expression, where, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from core.errors import Invalid
from core.targeting.language import Place

SYNTAX = "EXPRESSION_SYNTAX"
UNKNOWN_FIELD = "UNKNOWN_FIELD"
UNKNOWN_AUDIENCE = "UNKNOWN_AUDIENCE"
UNKNOWN_FUNCTION = "UNKNOWN_FUNCTION"
UNKNOWN_OPERATOR = "UNKNOWN_OPERATOR"
WRONG_TYPE = "WRONG_TYPE"
BAD_VALUE = "BAD_VALUE"
CYCLE = "AUDIENCE_CYCLE"
TOO_LARGE = "EXPRESSION_TOO_LARGE"


class ExpressionError(Invalid):
    """An expression that cannot be understood.

    `place` is where (also in words, as `path`); `found` and `expected` are in words; `suggestion` is the one
    replacement worth trying, if there is one; `hint` puts the last two in a sentence.
    """

    default_code = SYNTAX

    def __init__(
        self,
        message: str,
        *,
        code: str,
        place: Place,
        found: str,
        expected: str,
        suggestion: str | None = None,
    ) -> None:
        hint = f"Expected {expected}."
        if suggestion is not None:
            hint += f" Did you mean {suggestion}?"
        super().__init__(message, code=code, path=str(place), hint=hint)
        self.place = place
        self.found = found
        self.expected = expected
        self.suggestion = suggestion


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one, if any does."""
    matches = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.65)
    return matches[0] if matches else None


def bare(value: str) -> str:
    """What was written without quotes, shortened."""
    return value if len(value) <= 60 else value[:57] + "..."


def shown(value: object) -> str:
    """A value as an error shows it: texts quoted and short, the shape of anything larger."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        text = repr(value[:80])
    elif isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, int) and abs(value) >= 10**30:
        text = "a longer number"
    else:
        text = str(value)
    return bare(text)
