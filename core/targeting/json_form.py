"""Tree → plain JSON objects, the spelling for programs; `json_parse` reads it.

{"and": [condition, …]}   {"or": [condition, …]}   {"not": condition}
{"operator": ">=", "operands": [operand, …]}
{"field": "country"}      {"function": "month", "arguments": [operand or condition, …]}
{"case": [{"when": condition, "then": operand}, …], "else": operand}
"text"   30   1.5   true  {"decimal": "1.5"}   {"date": "2024-05-01"}   {"instant": "2024-05-01T10:00:00Z"}
{"now": {"days": -30}}    {"today": {"years": 1, "months": -2}}
{"exists": "purchases", "where": condition}
{"aggregate": "sum", "value": operand, "of": "purchases", "by": operand, "distinct": true, "where": condition}
{"sequence": [{"rows": "opens", "by": operand, "where": condition}, {"rows": "clicks", "within": {"days": 3}}, …]}
{"top": 1000, "by": operand, "lowest": true, "where": condition}
{"rank": [{"by": operand, "desc": true}, …], "per": [operand, …], "where": condition}
{"audience": "vip", "version": 3}
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from core.targeting.language import (
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
    Member,
    Not,
    Operand,
    Operation,
    Or,
    Order,
    Rank,
    Relative,
    Stage,
    Top,
)


def to_json(expression: Expression | Condition) -> Any:
    """The expression as plain objects, ready for a JSON encoder."""
    node = expression.root if isinstance(expression, Expression) else expression
    match node:
        case And(terms=terms):
            return {"and": [to_json(term) for term in terms]}
        case Or(terms=terms):
            return {"or": [to_json(term) for term in terms]}
        case Not(term=term):
            return {"not": to_json(term)}
        case Operation(operator=operator, operands=operands):
            return {"operator": operator.value, "operands": [to_json(operand) for operand in operands]}
        case Field(path=path):
            return {"field": ".".join(path)}
        case Call(function=function, arguments=arguments):
            return {"function": function, "arguments": [to_json(argument) for argument in arguments]}
        case Case(branches=branches, otherwise=otherwise):
            case = {"case": [{"when": to_json(when), "then": to_json(then)} for when, then in branches]}
            return case | ({"else": to_json(otherwise)} if otherwise is not None else {})
        case Relative(anchor=anchor, offsets=offsets):
            return {anchor.value: {unit.value: amount for unit, amount in offsets}}
        case Literal(value=value):
            return _literal(value)
        case Exists(selection=selection):
            return {"exists": ".".join(selection.path), **_where(selection.where)}
        case Aggregate():
            return _aggregate(node)
        case Rank(by=by, per=per, where=where):
            groups = {"per": [to_json(one) for one in per]} if per else {}
            return {"rank": [_order(one) for one in by], **groups, **_where(where)}
        case Following(stages=stages):
            return {"sequence": [_stage(stage) for stage in stages]}
        case Top():
            lowest = {"lowest": True} if node.lowest else {}
            return {"top": node.size, **_by(node.by), **lowest, **_where(node.where)}
        case Member(audience=audience, version=version):
            return {"audience": audience} if version is None else {"audience": audience, "version": version}


def _aggregate(node: Aggregate) -> Any:
    value = {} if node.value is None else {"value": to_json(node.value)}
    distinct = {"distinct": True} if node.distinct else {}
    rows = {"of": ".".join(node.selection.path), **_by(node.by), **distinct, **_where(node.selection.where)}
    separator = {} if node.separator is None else {"separator": node.separator}
    return {"aggregate": node.measure.value, **value, **rows, **separator}


def _stage(stage: Stage) -> Any:
    within = {} if stage.within is None else {"within": {stage.within[0].value: stage.within[1]}}
    return {"rows": ".".join(stage.selection.path), **_by(stage.by), **_where(stage.selection.where), **within}


def _order(order: Order) -> dict[str, Any]:
    return {"by": to_json(order.value)} | ({"desc": True} if order.descending else {})


def _by(node: Operand | None) -> dict[str, Any]:
    return {} if node is None else {"by": to_json(node)}


def _where(node: Condition | None) -> dict[str, Any]:
    return {} if node is None else {"where": to_json(node)}


def _literal(value: Any) -> Any:
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value else {"decimal": format(value, "f")}
    return {"instant" if isinstance(value, datetime) else "date": value.isoformat()}
