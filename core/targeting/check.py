"""Tree against catalogue: unknown names and values, operators that do not fit, sizes out of bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from core.targeting.catalogue import CATALOGUE, Catalogue, CatalogueField, Entity, Kind
from core.targeting.errors import (
    BAD_VALUE,
    SYNTAX,
    TOO_LARGE,
    UNKNOWN_FIELD,
    UNKNOWN_FUNCTION,
    WRONG_TYPE,
    ExpressionError,
    closest,
    shown,
)
from core.targeting.language import (
    MAX_DEPTH,
    MAX_LIST_VALUES,
    MAX_NODES,
    MAX_VALUES,
    MAX_YEARS,
    Anchor,
    And,
    Call,
    Condition,
    Expression,
    Field,
    Literal,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Place,
    Relative,
    Unit,
)
from core.targeting.literals import day_of, integer_of
from core.targeting.operators import FUNCTIONS, NUMBERS, OPERATORS, TIMES
from core.targeting.text_form import literal_text

_DAYS = {Unit.YEARS: 366.0, Unit.MONTHS: 31.0, Unit.WEEKS: 7.0, Unit.DAYS: 1.0}
_DAYS |= {Unit.HOURS: 1 / 24, Unit.MINUTES: 1 / 1440, Unit.SECONDS: 1 / 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedExpression:
    """An expression that means something on this entity, and the fields that it reads."""

    expression: Expression
    entity: Entity
    reads: frozenset[str]


def check(expression: Expression, catalogue: Catalogue = CATALOGUE, *, entity: str = "profile") -> CheckedExpression:
    """Check a question about an entity. Raises ExpressionError."""
    checker = _Checker(catalogue.entities[entity])
    checker.condition(expression.root, 0)
    return CheckedExpression(expression=expression, entity=checker.entity, reads=frozenset(checker.reads))


def kind_of_literal(literal: Literal) -> Kind:
    """What a written value is."""
    match literal.value:
        case bool():
            return Kind.BOOLEAN
        case int():
            return Kind.INTEGER
        case Decimal():
            return Kind.DECIMAL
        case str():
            return Kind.TEXT
        case datetime():
            return Kind.INSTANT
        case _:
            return Kind.DATE


class _Checker:
    """Walks the tree once; the methods raise at the first mistake, in reading order."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.reads: set[str] = set()
        self._nodes = 0
        self._listed = 0

    def condition(self, node: Condition, depth: int) -> None:
        self._count(node.place, depth)
        match node:
            case And(terms=terms) | Or(terms=terms):
                for term in terms:
                    self.condition(term, depth + 1)
            case Not(term=term):
                self.condition(term, depth + 1)
            case Operation():
                self._operation(node, depth)
            case _:
                kind = self._kind(node, depth)
                if kind is not Kind.BOOLEAN:
                    raise ExpressionError(
                        "a condition is incomplete", code=WRONG_TYPE, place=node.place,
                        found=f"{_a(kind)} alone", expected="a comparison, or a field that is true or false",
                    )  # fmt: skip

    def _count(self, place: Place, depth: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise _too_large("the expression is nested too deeply", place, "another level", MAX_DEPTH)
        if self._nodes > MAX_NODES:
            raise _too_large("the expression has too many parts", place, "another part", MAX_NODES)

    def _operation(self, node: Operation, depth: int) -> None:
        first, *rest = node.operands
        kind = self._kind(first, depth)
        rule = OPERATORS[node.operator]
        if kind not in rule.takes:
            raise self._unfit(node.operator, kind, node.place)
        if node.operator is Operator.IN:
            self._list(node, rest)
        for operand in rest:
            self._same(node.operator, first, kind, operand, depth)
            if rule.constants and isinstance(operand, Field | Call):
                raise ExpressionError(
                    f"the operator {node.operator.value} compares with values only", code=WRONG_TYPE,
                    place=operand.place, found="a field" if isinstance(operand, Field) else "a function",
                    expected="a value",
                )  # fmt: skip

    def _list(self, node: Operation, values: list[Operand]) -> None:
        self._listed += len(values)
        if len(values) > MAX_VALUES:
            raise _too_large("the list has too many values", node.place, f"{len(values)} values", MAX_VALUES)
        if self._listed > MAX_LIST_VALUES:
            raise _too_large("the lists have too many values", node.place, f"{self._listed} values", MAX_LIST_VALUES)
        self._nodes -= len(values)

    def _same(self, operator: Operator, first: Operand, kind: Kind, operand: Operand, depth: int) -> None:
        """The operand can be compared with the first."""
        if isinstance(operand, Field):
            self._find(operand, text=kind is Kind.TEXT, values=self._values(first))
        other = self._kind(operand, depth)
        if other not in OPERATORS[operator].takes:
            raise self._unfit(operator, other, operand.place)
        for one, value in ((first, operand), (operand, first)):
            field = self.entity.fields[one.path[0]] if isinstance(one, Field) else None
            if field and field.values and isinstance(value, Literal) and isinstance(value.value, str):
                return _check_value(field, value)
        if kind is Kind.ENUMERATION and other is kind:
            if self._values(first) == self._values(operand):
                return None
        elif kind is other or {kind, other} <= NUMBERS or {kind, other} <= TIMES:
            return None
        mismatch = "another enumeration" if kind is other else _a(other)
        raise ExpressionError(
            f"{_a(kind)} cannot be compared with {mismatch}", code=WRONG_TYPE, place=operand.place,
            found=_describe(operand, other), expected=_a(kind), suggestion=_rewrite(operand, kind),
        )  # fmt: skip

    def _kind(self, node: Operand, depth: int) -> Kind:
        self._count(node.place, depth)
        match node:
            case Field():
                return self._find(node).kind
            case Literal():
                return kind_of_literal(node)
            case Relative():
                return _check_relative(node)
            case Call():
                return self._call(node, depth)

    def _values(self, node: Operand) -> Mapping[str, int | str]:
        return self.entity.fields[node.path[0]].values if isinstance(node, Field) else {}

    def _unfit(self, operator: Operator, kind: Kind, place: Place) -> ExpressionError:
        fitting = [other.value for other, rule in OPERATORS.items() if kind in rule.takes]
        return ExpressionError(
            f"the operator {operator.value} does not work with {_a(kind)}", code=WRONG_TYPE, place=place,
            found=operator.value, expected="one of " + " ".join(fitting),
        )  # fmt: skip

    def _find(
        self, node: Field, *, text: bool = False, values: Mapping[str, int | str] = MappingProxyType({})
    ) -> CatalogueField:
        """The field; `text` and `values` say what else its name may have been meant as."""
        fields = self.entity.fields
        name = node.path[0]
        if len(node.path) > 1:
            raise ExpressionError(
                f"{self.entity.name} has no link {shown(name)}", code=UNKNOWN_FIELD, place=node.place,
                found=shown(".".join(node.path)), expected=f"a field of {self.entity.name}",
            )  # fmt: skip
        if name not in fields:
            quoted = f"'{name}' in quotes"
            near = closest(name, fields) or (quoted if text else None)
            raise ExpressionError(
                f"{self.entity.name} has no field {shown(name)}", code=UNKNOWN_FIELD, place=node.place,
                found=shown(name), expected=f"a field of {self.entity.name}",
                suggestion=quoted if name in values else near,
            )  # fmt: skip
        self.reads.add(name)
        return fields[name]

    def _call(self, node: Call, depth: int) -> Kind:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise ExpressionError(
                f"unknown function {shown(node.function)}", code=UNKNOWN_FUNCTION, place=node.place,
                found=shown(node.function), expected="one of " + " ".join(FUNCTIONS),
                suggestion=closest(node.function, FUNCTIONS),
            )  # fmt: skip
        if len(node.arguments) != len(function.parameters):
            raise ExpressionError(
                f"the function {node.function} has the wrong number of arguments", code=SYNTAX,
                place=node.place, found=str(len(node.arguments)), expected=str(len(function.parameters)),
            )  # fmt: skip
        for argument, takes in zip(node.arguments, function.parameters, strict=True):
            kind = self._kind(argument, depth + 1)
            if kind not in takes:
                raise ExpressionError(
                    f"the function {node.function} does not work with {_a(kind)}", code=WRONG_TYPE,
                    place=argument.place, found=_describe(argument, kind),
                    expected=" or ".join(_a(kind) for kind in Kind if kind in takes),
                )  # fmt: skip
        return function.gives


def _check_value(field: CatalogueField, literal: Literal) -> None:
    if literal.value not in field.values:
        raise ExpressionError(
            f"{field.name} has no value {shown(literal.value)}", code=BAD_VALUE, place=literal.place,
            found=shown(literal.value), expected="one of " + ", ".join(map(shown, field.values)),
            suggestion=closest(str(literal.value), field.values),
        )  # fmt: skip


def _check_relative(node: Relative) -> Kind:
    if sum(abs(amount) * _DAYS[unit] for unit, amount in node.offsets) > MAX_YEARS * 366:
        raise _too_large("a relative time reaches too far", node.place, "a longer time", MAX_YEARS, "years")
    if node.anchor is Anchor.NOW:
        return Kind.INSTANT
    for unit, _ in node.offsets:
        if unit in (Unit.HOURS, Unit.MINUTES, Unit.SECONDS):
            raise ExpressionError(
                f"a day has no {unit.value}", code=WRONG_TYPE, place=node.place, found=unit.value,
                expected="years, months, weeks or days after today", suggestion="now",
            )  # fmt: skip
    return Kind.DATE


def _rewrite(operand: Operand, kind: Kind) -> str | None:
    """The same value written so that it has the kind wanted."""
    if not isinstance(operand, Literal):
        return None
    value = operand.value
    if kind is Kind.TEXT and not isinstance(value, str):
        return f"'{literal_text(value)}'"
    readers: dict[Kind, Callable[[str, Place], Literal]] = {
        Kind.INTEGER: integer_of,
        Kind.DATE: day_of,
        Kind.INSTANT: day_of,
    }
    if isinstance(value, str) and kind in readers:
        try:
            return literal_text(readers[kind](value, operand.place).value) + " without quotes"
        except (ExpressionError, ValueError):
            return None
    if kind is Kind.BOOLEAN and value in ("true", "yes", "1", 1, "false", "no", "0", 0):
        return "true" if value in ("true", "yes", "1", 1) else "false"
    return None


def _describe(operand: Operand, kind: Kind) -> str:
    return shown(operand.value) if isinstance(operand, Literal) and isinstance(operand.value, str) else _a(kind)


def _a(kind: Kind) -> str:
    return ("an " if kind.value[0] in "aeiou" else "a ") + kind.value


def _too_large(message: str, place: Place, found: str, most: int, unit: str = "") -> ExpressionError:
    return ExpressionError(message, code=TOO_LARGE, place=place, found=found, expected=f"at most {most} {unit}".strip())
