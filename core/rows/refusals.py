"""What is wrong with rows as a whole, as errors; what their keys and links refuse is in `conflicts`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from core.errors import ClarionError, Conflict, Invalid, NotFound, Stale

MOST_AT_ONCE = 1_000  # rows, or pairs, of one call


class _Outcome(Protocol):
    @property
    def problems(self) -> Sequence[ClarionError]: ...


Outcome = TypeVar("Outcome", bound=_Outcome)


class RowInvalid(Invalid):
    """A row cannot be saved; `problems` has all that is wrong with it."""

    default_code = "ROW_INVALID"

    def __init__(self, problems: Sequence[ClarionError]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(
            f"{first.message} (and {len(self.problems) - 1} more)", code=first.code, path=first.path, hint=first.hint
        )


def only(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of a single row or pair. Raises what is wrong with it."""
    (outcome,) = outcomes
    if len(outcome.problems) == 1:
        raise outcome.problems[0]
    if outcome.problems:
        raise RowInvalid(outcome.problems)
    return outcome


def check_size(sent: Sequence[object], path: str = "rows") -> None:
    """Raises Invalid (TOO_MANY_ROWS)."""
    if len(sent) > MOST_AT_ONCE:
        raise Invalid(
            f"one call takes up to {MOST_AT_ONCE:,}, not {len(sent):,}", code="TOO_MANY_ROWS", path=path,
            hint="Send several calls, or import a file.",
        )  # fmt: skip


def required(name: str, path: str) -> Invalid:
    """The error of what must be given."""
    return Invalid(f"{name} is missing", code="REQUIRED", path=path, hint="Give it a value.")


def repeated(first: int, place: str) -> Invalid:
    """The error of a row that was sent twice in one call."""
    return Invalid(
        f"rows.{first} of this call is the same row", code="ROW_REPEATED", path=place.removesuffix(".") or None,
        hint="Send each row once.",
    )  # fmt: skip


def stale(path: str, at: datetime) -> Stale:
    """The error of a row that somebody else has changed."""
    told = at.isoformat().replace("+00:00", "Z")
    return Stale(
        f"the row was changed since: it is of {told}", code="VERSION_CHANGED", path=path,
        hint="Read it again and repeat the change.",
    )  # fmt: skip


def linked(entity: str, link: str, path: str | None) -> Conflict:
    """The error of a row that others keep from being deleted."""
    return Conflict(
        f"rows of {entity} are linked to it by {link!r}", code="LINKED", path=path,
        hint="Delete them, or their links, first.",
    )  # fmt: skip


def link_not_found(entity: str, name: str, known: Sequence[str]) -> NotFound:
    """The error of a link that an entity does not have."""
    return NotFound(
        f"{entity} has no such link: {name[:80]!r}", code="LINK_NOT_FOUND", path="link",
        hint=f"There are: {', '.join(known[:30])}." if known else "It has none.",
    )  # fmt: skip
