"""Tree → text, in the one spelling that `parse_text` reads back to the same tree."""

from __future__ import annotations

from datetime import datetime

from core.targeting.language import (
    SIGNS,
    Aggregate,
    And,
    Call,
    Case,
    Condition,
    Exists,
    Expression,
    Field,
    Following,
    Literal,
    Measure,
    Member,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Order,
    Rank,
    Relative,
    Scalar,
    Selection,
    Stage,
    Test,
    Top,
    Unit,
)

_SIGN_OF = {function: sign for sign, function in SIGNS.items()}


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
            return _arithmetic(node) or f"{function}({', '.join(map(_condition, arguments))})"
        case Case(branches=branches, otherwise=otherwise):
            parts = [f"when {_condition(when)} then {_condition(then)}" for when, then in branches]
            parts += [f"else {_condition(otherwise)}"] if otherwise is not None else []
            return f"case {' '.join(parts)} end"
        case Exists(selection=selection):
            return f"exists({_rows(selection)})"
        case Following(stages=stages):
            return f"sequence({' then '.join(map(_stage, stages))})"
        case Top(size=size, by=by, lowest=lowest, where=where):
            return f"top({'lowest ' if lowest else ''}{size} by {_condition(by)}{_where(where)})"
        case Member(audience=audience, version=version):
            return f"in_audience({literal_text(audience)}{'' if version is None else f', {version}'})"
        case Aggregate():
            return _aggregate(node)
        case Rank(by=by, per=per, where=where):
            groups = f", per {', '.join(map(_condition, per))}" if per else ""
            return f"rank(by {' then '.join(map(_order, by))}{groups}{_where(where)})"


def _aggregate(node: Aggregate) -> str:
    path = ".".join(node.selection.path)
    match node.value:
        case None:
            asked = path
        case Field(path=(name,)) if node.measure is not Measure.COUNT or node.distinct:
            asked = f"{path}.{name}"
        case value:
            asked = f"{_condition(value)} of {path}"
    separator = "" if node.separator is None else f", {_condition(Literal(node.separator))}"
    rest = _by(node.by) + _where(node.selection.where) + separator
    return f"{node.measure.value}({'distinct ' if node.distinct else ''}{asked}{rest})"


def _order(node: Order) -> str:
    return _condition(node.value) + (" desc" if node.descending else "")


def _stage(node: Stage) -> str:
    path, where = ".".join(node.selection.path), _where(node.selection.where)
    within = "" if node.within is None else f" within {_amount(*node.within)}"
    return path + _by(node.by) + where + within


def _rows(node: Selection) -> str:
    return ".".join(node.path) + _where(node.where)


def _by(node: Operand | None) -> str:
    return "" if node is None else f" by {_condition(node)}"


def _where(node: Condition | None) -> str:
    return "" if node is None else f" where {_condition(node)}"


def _arithmetic(node: Call) -> str | None:
    """A sum or product between its signs; None for other calls, and for what stands between no signs."""
    sign = _SIGN_OF.get(node.function)
    if sign is None or len(node.arguments) != 2 or any(isinstance(one, Test) for one in node.arguments):
        return None
    binds = _binds(node)
    left, right = node.arguments
    one = _grouped(left) if _binds(left) < binds else _condition(left)
    other = _grouped(right) if _binds(right) <= binds else _condition(right)
    return f"{one} {sign} {other}"


def _binds(node: Condition) -> int:
    """How closely the parts of an operand hold together: 0 for a time with steps, 1 for sums, 2 for products, else 3."""
    if isinstance(node, Relative):
        return 0
    if isinstance(node, Call) and len(node.arguments) == 2 and _SIGN_OF.get(node.function):
        return 1 if node.function in ("add", "subtract") else 2
    return 3


def _step(unit: Unit, amount: int) -> str:
    return f" {'-' if amount < 0 else '+'} {_amount(unit, abs(amount))}"


def _amount(unit: Unit, amount: int) -> str:
    return f"{amount} {unit.value.removesuffix('s') if amount == 1 else unit.value}"


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
