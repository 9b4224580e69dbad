"""What a condition makes sure of: the paths that are something where it holds, or where it does not."""

from __future__ import annotations

from collections.abc import Iterator

from render_ext.nodes import Compare, Condition, Emptiness, Expression, Literal, Logic, Path

UNEQUAL = {"==": "!=", "!=": "=="}


def implied(condition: Condition, truth: bool | None) -> list[Path]:
    """The paths that are something where the condition is `truth`; None: all that it looks at.

    `a or b` counts for both of them, although one may be nothing: whoever writes it has thought of that.
    """
    found: list[Path] = []
    for part in _parts(condition):
        found += _tested(part, truth)
    return found


def _parts(condition: Condition) -> Iterator[Compare | Expression]:
    while isinstance(condition, Logic):
        yield condition.left
        condition = condition.rest
    yield condition


def _tested(part: Compare | Expression, truth: bool | None) -> list[Path]:
    if not isinstance(part, Compare):
        return [part] if isinstance(part, Path) and truth is not False else []
    sides = [side for side in (part.left, part.right) if isinstance(side, Path)]
    if truth is None:
        return sides
    if part.operator not in UNEQUAL:
        return sides if truth else []
    operator = part.operator if truth else UNEQUAL[part.operator]
    against_nothing = any(_is_nothing(side) for side in (part.left, part.right))
    return sides if (operator == "!=") == against_nothing and len(sides) == 1 else []


def _is_nothing(side: Expression) -> bool:
    """Whether something is unequal to this: `blank`, `empty`, nil and the empty text."""
    return isinstance(side, Emptiness) or (isinstance(side, Literal) and side.value in (None, "", False))
