"""Whether a condition holds: for everybody, for nobody, or as a recipient's own values say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.content.checks.known import KnownValues
from core.content.checks.uses import ORDERING, Uses
from render_ext import Constant, Reading, RenderError
from render_ext.errors import FilterError
from render_ext.nodes import Compare, Condition, Emptiness, Expression, Literal, Logic, Path
from render_ext.values import BLANK, EMPTY, contains, equal, less

World = Mapping[str, bool]  # what is taken to be true, by the words of a question
NOTHING_HOLDS: World = {}  # the world in which all values are empty: it answers every question


class Unanswered(Exception):
    """A question that a world has no answer to."""

    def __init__(self, question: str):
        super().__init__(question)
        self.question = question


class _Value(NamedTuple):
    """A value that is the same for everybody."""

    value: Any


class Truths:
    """Answers conditions in a world. What is the same for everybody needs no world."""

    def __init__(self, uses: Uses, known: KnownValues):
        self.uses = uses
        self.known = known

    def holds(self, condition: Condition, world: World) -> bool:
        """Raises Unanswered."""
        if isinstance(condition, Logic):
            left = self._answer(condition.left, world)
            if left is (condition.operator == "or"):
                return left
            return self.holds(condition.rest, world)
        return self._answer(condition, world)

    def equals(self, left: Expression, right: Expression, world: World) -> bool:
        """Whether two values of a `case` are equal. Raises Unanswered."""
        return self._answer(Compare("==", left, right, 0), world)

    def _answer(self, part: Compare | Expression, world: World) -> bool:
        if not isinstance(part, Compare):
            found = self._value(part)
            if found is not None:
                return found.value is not None and found.value is not False
            operand = self.uses.operand(part)
            surely = isinstance(operand, Reading) and self.known.is_true(operand.path)
            return surely or ask(written(part), world)
        left, right = self._value(part.left), self._value(part.right)
        if left is not None and right is not None:
            return _compared(part.operator, left.value, right.value)
        if part.operator not in ("==", "!="):
            return ask(f"{written(part.left)} {part.operator} {written(part.right)}", world)
        return self._is_equal(part, world) is (part.operator == "==")

    def _is_equal(self, part: Compare, world: World) -> bool:
        """`x == blank` and its like get the answer to `{% if x %}`: both ask whether there is anything."""
        for one, other in ((part.left, part.right), (part.right, part.left)):
            if isinstance(one, Emptiness) or (isinstance(one, Literal) and one.value in (None, "", False)):
                return not self._answer(other, world)
            if isinstance(one, Literal) and one.value is True:
                return self._answer(other, world)
        subject, other = (part.right, part.left) if isinstance(part.left, Literal) else (part.left, part.right)
        if isinstance(other, Literal) and (known := self._excluded(subject, other, world)) is not None:
            return known
        return ask(f"{written(subject)} == {written(other)}", world)

    def _excluded(self, subject: Expression, other: Literal, world: World) -> bool | None:
        """What follows from what else the subject is or is not in this world."""
        begins, question = f"{written(subject)} == ", f"{written(subject)} == {written(other)}"
        if any(holds and one != question and one.startswith(begins) for one, holds in world.items()):
            return False
        operand = self.uses.operand(subject)
        choices = self.known.choices(operand.path) if isinstance(operand, Reading) else ()
        if not choices:
            return None
        if world is NOTHING_HOLDS or other.value not in choices:
            return other.value == choices[0]
        rest = (f"{begins}{one!r}" for one in choices if one != other.value)
        return True if all(world.get(one) is False for one in rest) else None

    def _value(self, expression: Expression) -> _Value | None:
        if isinstance(expression, Emptiness):
            return _Value(EMPTY if expression.word == "empty" else BLANK)
        operand = self.uses.operand(expression)
        if isinstance(operand, Constant):
            return _Value(operand.value)
        known = self.known.known(operand.path) if operand is not None else None
        return _Value(known[0]) if known is not None and len(known) == 1 else None


def ask(question: str, world: World) -> bool:
    """The answer of a world. Raises Unanswered."""
    if world is NOTHING_HOLDS:
        return False
    if question not in world:
        raise Unanswered(question)
    return world[question]


def written(expression: Expression) -> str:
    """How an expression is written, for a question."""
    if isinstance(expression, Path):
        return expression.text
    return repr(expression.value) if isinstance(expression, Literal) else type(expression).__name__


def _compared(operator: str, left: Any, right: Any) -> bool:
    try:
        if operator in ORDERING:
            return less(left, right, operator)
        return contains(left, right) if operator == "contains" else equal(left, right) is (operator == "==")
    except (FilterError, RenderError):  # told by itself
        return False
