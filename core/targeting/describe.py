"""A question, or what an expression computes, in plain words, for whoever has not written it."""

from __future__ import annotations

from collections.abc import Sequence

from core.targeting.catalogue import Catalogue
from core.targeting.check import CheckedExpression, CheckedValue
from core.targeting.functions import FUNCTIONS
from core.targeting.language import (
    SIGNS,
    Aggregate,
    Anchor,
    And,
    Call,
    Case,
    Condition,
    Exists,
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
    Selection,
    Stage,
    Test,
    Top,
    Unit,
    every_node,
)
from core.targeting.member_columns import column_named
from core.targeting.scopes import Scope, ends_in_link
from core.targeting.text_form import literal_text, to_text

_VERBS = {
    Operator.EQUAL: "is", Operator.NOT_EQUAL: "is another than", Operator.LESS: "is less than", Operator.AT_MOST: "is at most",
    Operator.GREATER: "is more than", Operator.AT_LEAST: "is at least", Operator.CONTAINS: "contains",
    Operator.STARTS_WITH: "begins with", Operator.ENDS_WITH: "ends with",
}  # fmt: skip
_OF_TIMES = {
    Operator.LESS: "is before", Operator.AT_MOST: "is not after", Operator.GREATER: "is after",
    Operator.AT_LEAST: "is not before",
}  # fmt: skip
_MEASURES = {
    Measure.COUNT: "the number of", Measure.SUM: "the sum of", Measure.MIN: "the least", Measure.MAX: "the greatest",
    Measure.AVG: "the average", Measure.FIRST: "the earliest", Measure.LAST: "the latest",
    Measure.JOIN: "all, one after the other,",
}  # fmt: skip
_SIGN_OF = {function: sign for sign, function in SIGNS.items()}


def describe(checked: CheckedExpression) -> str:
    """One sentence without a full stop, with the labels of fields and links."""
    return _Words(checked.catalogue, Scope(entity=checked.entity)).condition(checked.expression.root)


def describe_value(checked: CheckedValue) -> str:
    """What an expression computes, and what the functions are that it calls."""
    root = checked.expression.root
    words = _Words(checked.catalogue, Scope(entity=checked.entity))
    told = f"whether {words.condition(root)}" if isinstance(root, Test) else words.operand(root)
    called = (node.function for node in every_node(root) if isinstance(node, Call))
    named = [FUNCTIONS[name] for name in dict.fromkeys(called) if name in FUNCTIONS and name not in _SIGN_OF]
    return "; ".join([told, *(f"{one.signature} is {one.label}" for one in named)])


class _Words:
    """The words about one row."""

    def __init__(self, catalogue: Catalogue, scope: Scope) -> None:
        self.catalogue = catalogue
        self.scope = scope

    def condition(self, node: Condition) -> str:
        match node:
            case And(terms=terms):
                return " and ".join(self._part(term, Or) for term in terms)
            case Or(terms=terms):
                return " or ".join(self._part(term, And) for term in terms)
            case Not(term=Operation(operator=Operator.IS_NULL, operands=(operand,))):
                return f"{self.operand(operand)} has a value"
            case Not(term=Exists(selection=selection)):
                return f"there are no {self.rows(selection)}"
            case Not(term=Member() as member):
                return self.condition(member).replace("is in", "is not in", 1)
            case Not(term=Field() as field):
                return f"{self.operand(field)} is not true"
            case Not(term=term):
                return f"it is not so that {self._part(term, And, Or)}"
            case Operation():
                return self._operation(node)
            case Exists(selection=selection):
                return f"there are {self.rows(selection)}"
            case Following(stages=stages):
                return "there are " + ", and then ".join(map(self._stage, stages))
            case Top(size=size, by=by, lowest=lowest, where=where):
                of_those = "" if where is None else f" of those of whom {self.condition(where)}"
                return f"it is among the {size:,} with the {'lowest' if lowest else 'highest'} {self.operand(by)}{of_those}"
            case Member(audience=audience, version=version):
                return f"it is in the audience {audience!r}" + ("" if version is None else f" as its version {version} was")
            case Literal(value=bool() as value):
                return "everybody" if value else "nobody"
            case _:
                return f"{self.operand(node)} is true"

    def operand(self, node: Operand) -> str:
        match node:
            case Field(path=path):
                return self._field(path)
            case Literal(value=value):
                return literal_text(value)
            case Relative():
                return _time(node)
            case Aggregate():
                return self._aggregate(node)
            case Rank():
                return self._rank(node)
            case Call() if (column := column_named(node)) is not None:
                return f"the column {column.column!r} of the audience {column.audience!r}"
            case Call(function=function, arguments=(left, right)) if function in _SIGN_OF:
                return f"{self._term(left)} {_SIGN_OF[function]} {self._term(right)}"
            case Call(function=function, arguments=arguments):
                return f"{function}({', '.join(map(self._argument, arguments))})"
            case Case():
                return self._case(node)

    def rows(self, node: Selection) -> str:
        labels, end = self._walk(node.path)
        where = "" if node.where is None or end is None else f" where {_Words(self.catalogue, end).condition(node.where)}"
        return " of ".join(reversed(labels)) + where

    def _argument(self, node: Condition) -> str:
        return self.condition(node) if isinstance(node, Test) else self.operand(node)

    def _term(self, node: Condition) -> str:
        """What stands beside a sign of arithmetic."""
        whole = isinstance(node, Field | Literal) or (isinstance(node, Call) and node.function not in _SIGN_OF)
        return self._argument(node) if whole else f"({self._argument(node)})"

    def _case(self, node: Case) -> str:
        parts = [f"{self.operand(then)} where {self._part(when, Or)}" for when, then in node.branches]
        last = "no value" if node.otherwise is None else self.operand(node.otherwise)
        return ", ".join([*parts, f"else {last}"])

    def _part(self, node: Condition, *grouped: type[And | Or]) -> str:
        return f"({self.condition(node)})" if isinstance(node, grouped) else self.condition(node)

    def _operation(self, node: Operation) -> str:
        first, *rest = node.operands
        asked, values = self.operand(first), [self.operand(one) for one in rest]
        match node.operator:
            case Operator.IS_NULL:
                return f"{asked} has no value"
            case Operator.BETWEEN:
                return f"{asked} is between {values[0]} and {values[1]}"
            case Operator.IN:
                return f"{asked} is one of {', '.join(values)}"
        verbs = _OF_TIMES if any(isinstance(one, Relative) for one in node.operands) else {}
        return f"{asked} {verbs.get(node.operator) or _VERBS[node.operator]} {values[0]}"

    def _field(self, path: Sequence[str]) -> str:
        labels, end = self._walk(path[:-1])
        label = end.entity.fields[path[-1]].label if end is not None and path[-1] in end.entity.fields else path[-1]
        return " of ".join([label, *reversed(labels)])

    def _aggregate(self, node: Aggregate) -> str:
        _, end = self._walk(node.selection.path)
        inner = self if end is None else _Words(self.catalogue, end)
        value = "" if node.value is None else f"{'different ' if node.distinct else ''}{inner.operand(node.value)} of "
        by = "" if node.by is None else f" by {inner.operand(node.by)}"
        return f"{_MEASURES[node.measure]} {value}{self.rows(node.selection)}{by}"

    def _rank(self, node: Rank) -> str:
        groups = f" among all with the same {' and '.join(map(self._group, node.per))}" if node.per else ""
        where = "" if node.where is None else f" of those of whom {self._part(node.where, And, Or)}"
        return f"the rank by {', then by '.join(map(self._order, node.by))}{groups}{where}"

    def _order(self, node: Order) -> str:
        return self.operand(node.value) + (" descending" if node.descending else "")

    def _group(self, node: Operand) -> str:
        if isinstance(node, Field) and ends_in_link(self.scope, node.path, self.catalogue.entities):
            return " of ".join(reversed(self._walk(node.path)[0]))
        return self.operand(node)

    def _stage(self, node: Stage) -> str:
        within = "" if node.within is None else f" within {_amount(*node.within)}"
        return self.rows(node.selection) + within

    def _walk(self, path: Sequence[str]) -> tuple[list[str], Scope | None]:
        labels: list[str] = []
        at: Scope | None = self.scope
        for name in path:
            step = at.step(name) if at is not None else None
            if at is None or step is None:
                return [*labels, name], None
            if isinstance(step, Scope):
                labels.append(step.entity.label)
                at = step
            else:
                labels.append(step.label)
                at = at.within(self.catalogue.entities[step.target], step)
        return labels, at


def _time(node: Relative) -> str:
    if not node.offsets:
        return node.anchor.value
    if len(node.offsets) == 1:
        ((unit, amount),) = node.offsets
        since = "" if node.anchor is Anchor.NOW else " (whole days)"
        return (f"{_amount(unit, -amount)} ago" if amount < 0 else f"in {_amount(unit, amount)}") + since
    return to_text(node)


def _amount(unit: Unit, amount: int) -> str:
    return f"{amount} {unit.value.removesuffix('s') if amount == 1 else unit.value}"
