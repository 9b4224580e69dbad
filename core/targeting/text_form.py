"""Tree → text, in the one spelling that `parse_text` reads back to the same tree."""

from __future__ import annotations

from datetime import datetime

from core.targeting.language import (
    And,
    Call,
    Condition,
    Expression,
    Field,
    Literal,
    Not,
    Operation,
    Operator,
    Or,
    Relative,
    Scalar,
    Unit,
)


def to_text(expression: Expression | Condition) -> str:
    """The expression as text, on one line."""
    return _condition(expression.root if isinstance(expression, Expression) else expression)


def _condition(node: Condition) -> str:
    match node:
        case And(terms=terms):
            return " and ".join(_grouped(term) if isinstance(term, And | Or) else _condition(term) for term in terms)
        case Or(terms=terms):
            return " or ".join(_grouped(term) if isinstance(term, Or) else _condition(term) for term in terms)
        case Not(term=term):
            return "not " + (_grouped(term) if isinstance(term, And | Or) else _condition(term))
        case Operation():
            return _operation(node)
        case Field(path=path):
            return ".".join(path)
        case Literal(value=value):
            return literal_text(value)
        case Relative(anchor=anchor, offsets=offsets):
            return anchor.value + "".join(_step(unit, amount) for unit, amount in offsets)
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(_condition, arguments))})"


def _step(unit: Unit, amount: int) -> str:
    word = unit.value.removesuffix("s") if abs(amount) == 1 else unit.value
    return f" {'-' if amount < 0 else '+'} {abs(amount)} {word}"


def _grouped(node: Condition) -> str:
    return f"({_condition(node)})"


def _operation(node: Operation) -> str:
    first, *rest = map(_condition, node.operands)
    match node.operator:
        case Operator.IS_NULL:
            return f"{first} is_null"
        case Operator.IN:
            return f"{first} in ({', '.join(rest)})"
        case Operator.BETWEEN:
            return f"{first} between {rest[0]} and {rest[1]}"
        case operator:
            return f"{first} {operator.value} {rest[0]}"


def literal_text(value: Scalar) -> str:
    """A value as the text spelling writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, int):
        return str(value)
    return format(value, "f") if not hasattr(value, "isoformat") else value.isoformat()
