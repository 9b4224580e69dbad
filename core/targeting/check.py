"""Tree against catalogue: unknown names and values, operators that do not fit, sizes out of bounds."""

from __future__ import annotations

from core.targeting.catalogue import CATALOGUE, Catalogue
from core.targeting.checked import NO_AUDIENCES, Audiences, CheckedExpression, CheckedValue
from core.targeting.checker import TreeChecker
from core.targeting.language import Expression

__all__ = ["NO_AUDIENCES", "Audiences", "CheckedExpression", "CheckedValue", "check", "check_value"]


def check(
    expression: Expression,
    catalogue: Catalogue = CATALOGUE,
    *,
    entity: str = "profile",
    audiences: Audiences = NO_AUDIENCES,
) -> CheckedExpression:
    """Check a question about an entity; `audiences` are those that it may name. Raises ExpressionError."""
    checker = TreeChecker(catalogue, catalogue.entities[entity], audiences)
    checker.condition(expression.root, 0)
    return CheckedExpression(
        expression=expression, entity=checker.scope.entity, catalogue=catalogue, reads=frozenset(checker.reads),
        entities=frozenset(checker.entities), audiences=audiences,
        parts=checker.parts, levels=checker.levels, ranks=checker.ranks,
    )  # fmt: skip


def check_value(
    expression: Expression,
    catalogue: Catalogue = CATALOGUE,
    *,
    entity: str = "profile",
    audiences: Audiences = NO_AUDIENCES,
) -> CheckedValue:
    """Check an expression that computes: an operand of any kind, or a condition, which is a boolean. Raises ExpressionError."""
    checker = TreeChecker(catalogue, catalogue.entities[entity], audiences)
    kind = checker.argument(expression.root, 0)
    return CheckedValue(
        expression=expression, entity=checker.scope.entity, catalogue=catalogue, reads=frozenset(checker.reads),
        entities=frozenset(checker.entities), audiences=audiences, kind=kind,
        parts=checker.parts, levels=checker.levels, ranks=checker.ranks,
    )  # fmt: skip
