"""Comparisons that fail: texts and numbers, numbers and dates have no order among them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from core.content.checks.given import Candidates, candidates
from core.content.checks.part import CheckedPart
from core.content.checks.uses import Comparison
from core.content.records import ContentWarning, WarningLevel
from render_ext import Constant
from render_ext.errors import FilterError
from render_ext.values import less

MOST_TRIED = 500  # comparisons of one part that differ


def failing_comparisons(part: CheckedPart) -> Iterator[ContentWarning]:
    """Comparisons of values of two kinds."""
    tried: set[str] = set()
    for comparison in part.uses.comparisons:
        key = repr((comparison.operator, comparison.left, comparison.right))
        if key in tried or len(tried) == MOST_TRIED:
            continue
        tried.add(key)
        left, right = candidates(part, comparison.left), candidates(part, comparison.right)
        if left is not None and right is not None and (found := _try(part, comparison, left, right)):
            yield found


def _try(part: CheckedPart, comparison: Comparison, left: Candidates, right: Candidates) -> ContentWarning | None:
    reasons: list[str] = []
    works = 0
    for pair in product(left.values, right.values):
        try:
            less(*pair, comparison.operator)
            works += 1
        except FilterError as error:
            reasons.append(str(error))
    sides = (left, right)
    if not reasons or (works and any(one.picked for one in sides)):
        return None
    written = isinstance(comparison.left, Constant) and isinstance(comparison.right, Constant)  # else a condition may guard it
    line, column = part.inspection.place(comparison.at)
    return part.told(
        "COMPARISON_FAILS",
        reasons[0] if not works else f"{reasons[0]} for some of the values",
        "A recipient whose message cannot be rendered gets none. Compare values of one kind, or with == or contains.",
        line=line,
        column=column,
        level=WarningLevel.ERROR if written else WarningLevel.WARNING,
    )
