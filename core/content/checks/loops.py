"""Loops that may run for ever, as far as one rendering goes."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.part import CheckedPart
from core.content.checks.ranges import unrolled
from core.content.records import ContentWarning, WarningLevel
from render_ext import Limits

MOST_STEPS = Limits().steps


def unbounded_loops(part: CheckedPart) -> Iterator[ContentWarning]:
    """Loops over a range that ends where a recipient's own value says, and filters that go through all of it."""
    for loop in part.inspection.ranges:
        if origin := next((one for one in loop.origins if part.known.is_personal(one.path)), None):
            yield _unbounded(part, "how often this loop runs", origin.text, loop.line, loop.column)
    for found in unrolled(part.inspection.nodes, part.uses):
        if origin := next((one for one in found.origins if part.known.is_personal(one.path)), None):
            what = f"how much the filter {found.filter!r} gets" if found.filter else "how often this loop runs"
            yield _unbounded(part, what, origin.text, *part.inspection.place(found.at))


def _unbounded(part: CheckedPart, what: str, origin: str, line: int, column: int) -> ContentWarning:
    return part.told(
        "UNBOUNDED_LOOP",
        f"{what} depends on {origin}, which may be any number",
        f"Add a limit, such as limit: 20, or at_most to the number. More than {MOST_STEPS:,} steps are not sent.",
        line=line,
        column=column,
    )


def heavy_loops(part: CheckedPart) -> Iterator[ContentWarning]:
    """Loops over so much data that no rendering comes to their end."""
    for loop in part.estimate.heavy:
        yield part.told(
            "TOO_MANY_STEPS",
            f"this loop takes {loop.steps:,.0f} steps or more, and a message may take {MOST_STEPS:,}",
            "Add a limit, make the data smaller, or do not loop over it again within the loop.",
            line=loop.line,
            column=loop.column,
            level=WarningLevel.ERROR if loop.certain else WarningLevel.WARNING,
        )
