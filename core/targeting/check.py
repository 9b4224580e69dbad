"""Tree against catalogue: unknown names and values, operators that do not fit, sizes out of bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from core.targeting.catalogue import CATALOGUE, Catalogue, CatalogueField, CatalogueLink, Entity, Kind
from core.targeting.errors import (
    BAD_VALUE,
    SYNTAX,
    TOO_LARGE,
    UNKNOWN_AUDIENCE,
    UNKNOWN_FIELD,
    UNKNOWN_FUNCTION,
    WRONG_TYPE,
    ExpressionError,
    closest,
    shown,
)
from core.targeting.functions import FORMER, FUNCTIONS, Function, Parameter, common
from core.targeting.language import (
    MAX_DEPTH,
    MAX_LIST_VALUES,
    MAX_NODES,
    MAX_TOP,
    MAX_VALUES,
    MAX_YEARS,
    Aggregate,
    Anchor,
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
    Place,
    Relative,
    Selection,
    Stage,
    Test,
    Top,
    Unit,
)
from core.targeting.literals import day_of, integer_of
from core.targeting.operators import MEASURES, NUMBERS, OPERATORS, ORDERED, TIMES
from core.targeting.scopes import Scope
from core.targeting.text_form import literal_text

_DAYS = {Unit.YEARS: 366.0, Unit.MONTHS: 31.0, Unit.WEEKS: 7.0, Unit.DAYS: 1.0}
_DAYS |= {Unit.HOURS: 1 / 24, Unit.MINUTES: 1 / 1440, Unit.SECONDS: 1 / 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedExpression:
    """An expression that means something on this entity, and the fields and links that it reads.

    A name that is not of a profile stands after its entity's: `purchase.amount`. `entities` are those to which links led.
    """

    expression: Expression
    entity: Entity
    catalogue: Catalogue
    reads: frozenset[str]
    entities: frozenset[str]
    audiences: Audiences


# What another audience is: a question of its own, or the number of one whose members are listed.
Audiences: TypeAlias = Mapping[tuple[str, int | None], CheckedExpression | int]
NO_AUDIENCES: Audiences = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedValue(CheckedExpression):
    """An expression that computes a value of a kind for each row of the entity, or none."""

    kind: Kind


def check(
    expression: Expression,
    catalogue: Catalogue = CATALOGUE,
    *,
    entity: str = "profile",
    audiences: Audiences = NO_AUDIENCES,
) -> CheckedExpression:
    """Check a question about an entity; `audiences` are those that it may name. Raises ExpressionError."""
    checker = _Checker(catalogue, catalogue.entities[entity], audiences)
    checker.condition(expression.root, 0)
    return CheckedExpression(
        expression=expression, entity=checker.scope.entity, catalogue=catalogue, reads=frozenset(checker.reads),
        entities=frozenset(checker.entities), audiences=audiences,
    )  # fmt: skip


def check_value(
    expression: Expression,
    catalogue: Catalogue = CATALOGUE,
    *,
    entity: str = "profile",
    audiences: Audiences = NO_AUDIENCES,
) -> CheckedValue:
    """Check an expression that computes: an operand of any kind, or a condition, which is a boolean. Raises ExpressionError."""
    checker = _Checker(catalogue, catalogue.entities[entity], audiences)
    kind = checker.argument(expression.root, 0)
    return CheckedValue(
        expression=expression, entity=checker.scope.entity, catalogue=catalogue, reads=frozenset(checker.reads),
        entities=frozenset(checker.entities), audiences=audiences, kind=kind,
    )  # fmt: skip


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

    def __init__(self, catalogue: Catalogue, entity: Entity, audiences: Audiences) -> None:
        self.catalogue = catalogue
        self.audiences = audiences
        self.scope = Scope(entity=entity)
        self.reads: set[str] = set()
        self.entities: set[str] = set()
        self._fields: dict[int, CatalogueField] = {}  # which field a node is, or takes its values from, by its identity
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
            case Exists(selection=selection):
                self._rows(selection, depth)
            case Following():
                self._following(node, depth)
            case Top():
                self._top(node, depth)
            case Member():
                self._member(node)
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
            if rule.constants and not is_written(operand):
                raise ExpressionError(
                    f"the operator {node.operator.value} compares with values only", code=WRONG_TYPE,
                    place=operand.place, found=_what(operand),
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
            field = self._fields.get(id(one))
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
            case Case():
                return self._case(node, depth)
            case Aggregate():
                return self._aggregate(node, depth)

    def _values(self, node: Operand) -> Mapping[str, int | str]:
        field = self._fields.get(id(node))
        return field.values if field else {}

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
        *links, name = node.path
        scope = self._follow(links, node.place, to_one=True)
        fields = scope.entity.fields
        if name not in fields:
            raise self._unknown(node, scope, name, text and not links, values)
        self._read(scope, name)
        self._fields[id(node)] = fields[name]
        return fields[name]

    def _unknown(
        self, node: Field, scope: Scope, name: str, text: bool, values: Mapping[str, int | str]
    ) -> ExpressionError:  # fmt: skip
        entity = scope.entity
        if isinstance(scope.step(name), CatalogueLink | Scope):
            return ExpressionError(
                f"{entity.name}.{name} is a link, not a field", code=WRONG_TYPE, place=node.place, found=shown(name),
                expected="a field of what it leads to, or a question such as exists or count",
                suggestion=f"exists({'.'.join(node.path)})",
            )  # fmt: skip
        quoted = f"'{name}' in quotes"
        near = closest(name, entity.fields) or (quoted if text else None)
        return ExpressionError(
            f"{entity.name} has no field {shown(name)}", code=UNKNOWN_FIELD, place=node.place,
            found=shown(name), expected=f"a field of {entity.name}", suggestion=quoted if name in values else near,
        )  # fmt: skip

    def _read(self, scope: Scope, name: str) -> None:
        entity = scope.entity.name
        self.reads.add(name if entity == "profile" else f"{entity}.{name}")

    def _follow(self, links: Sequence[str], place: Place, *, to_one: bool) -> Scope:
        """The row, or the rows, at the end of a path of links."""
        scope = self.scope
        for name in links:
            step = scope.step(name)
            if step is None:
                raise _no_link(scope.entity, name, links, place, to_one=to_one)
            if isinstance(step, Scope):
                scope = step
                continue
            if step.many and to_one:
                raise ExpressionError(
                    f"{name} leads to many rows", code=WRONG_TYPE, place=place, found=shown(name),
                    expected="a question about them", suggestion=f"exists({name} where …) or max({name}.…)",
                )  # fmt: skip
            self._read(scope, name)
            self.entities.add(step.target)
            scope = scope.within(self.catalogue.entities[step.target], step)
        return scope

    def _rows(self, node: Selection, depth: int, *, many: bool = False) -> Scope:
        """The rows of a selection; its condition is about them."""
        self._count(node.place, depth)
        scope = self._follow(node.path, node.place, to_one=False)
        if many and not _leads_to_many(scope, self.scope):
            raise ExpressionError(
                f"{node.path[-1]} leads to one row", code=WRONG_TYPE, place=node.place, found=shown(node.path[-1]),
                expected="a link to many rows", suggestion="a field of it, as in " + ".".join(node.path) + ".name",
            )  # fmt: skip
        if scope is self.scope or scope.parent is None:
            raise ExpressionError(
                f"{node.path[-1]} is the row that is asked about itself", code=WRONG_TYPE, place=node.place,
                found=shown(node.path[-1]), expected="a link to other rows",
            )  # fmt: skip
        if node.where is not None:
            with self._about(scope):
                self.condition(node.where, depth + 1)
        return scope

    @contextmanager
    def _about(self, scope: Scope) -> Iterator[None]:
        """What is checked meanwhile is about other rows."""
        before, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = before

    def _aggregate(self, node: Aggregate, depth: int) -> Kind:
        rule = MEASURES[node.measure]
        scope = self._rows(node.selection, depth + 1, many=True)
        if node.distinct and node.measure is not Measure.COUNT:
            raise ExpressionError(
                f"{node.measure.value} takes every value", code=SYNTAX, place=node.place, found="distinct",
                expected="no distinct here", suggestion="count(distinct …)",
            )  # fmt: skip
        with self._about(scope):
            kind = None if node.value is None else self._kind(node.value, depth + 1)
            if kind is not None and kind not in rule.takes:
                assert node.value is not None
                raise ExpressionError(
                    f"{node.measure.value} does not work with {_a(kind)}", code=WRONG_TYPE, place=node.value.place,
                    found=_a(kind), expected=" or ".join(_a(kind) for kind in Kind if kind in rule.takes),
                )  # fmt: skip
            if rule.ordered:
                self._moment(node.by, scope, node.place, depth)
            elif node.by is not None:
                raise ExpressionError(
                    f"{node.measure.value} has no order", code=SYNTAX, place=node.by.place, found="by",
                    expected="no by here", suggestion="first or last",
                )  # fmt: skip
        if rule.gives is not None:
            return rule.gives
        assert kind is not None, "only counts are without a value"
        assert node.value is not None
        if (field := self._fields.get(id(node.value))) is not None:
            self._fields[id(node)] = field
        return kind

    def _moment(self, by: Operand | None, scope: Scope, place: Place, depth: int, kinds: frozenset[Kind] = ORDERED) -> Kind:
        """What orders rows: what is said, or the time that their entity has."""
        if by is None:
            time = scope.entity.time
            if time is not None:
                self._read(scope, time)
                return scope.entity.fields[time].kind
            times = [field.name for field in scope.entity.fields.values() if field.kind in TIMES]
            raise ExpressionError(
                f"{scope.entity.name} has several times", code=SYNTAX, place=place, found="no by",
                expected="by and a time of these rows", suggestion=f"by {times[-1]}",
            )  # fmt: skip
        kind = self._kind(by, depth + 1)
        if kind not in kinds:
            raise ExpressionError(
                f"rows are not put in order by {_a(kind)}", code=WRONG_TYPE, place=by.place, found=_a(kind),
                expected=" or ".join(_a(kind) for kind in Kind if kind in kinds),
            )  # fmt: skip
        return kind

    def _following(self, node: Following, depth: int) -> None:
        self._count(node.place, depth)
        kinds = []
        for index, stage in enumerate(node.stages):
            scope = self._rows(stage.selection, depth + 1)
            with self._about(scope):
                kinds.append(self._moment(stage.by, scope, stage.selection.place, depth, TIMES))
            if stage.within is not None:
                self._check_within(stage, index, kinds)

    def _check_within(self, stage: Stage, index: int, kinds: Sequence[Kind]) -> None:
        assert stage.within is not None
        unit, amount = stage.within
        place = stage.selection.place
        if index == 0:
            raise ExpressionError(
                "the first of a sequence follows nothing", code=SYNTAX, place=place, found="within",
                expected="within after a later step",
            )  # fmt: skip
        if amount * _DAYS[unit] > MAX_YEARS * 366:
            raise _too_large("a step of a sequence is too long", place, "a longer time", MAX_YEARS, "years")
        if Kind.DATE in kinds[-2:] and unit in (Unit.HOURS, Unit.MINUTES, Unit.SECONDS):
            raise ExpressionError(
                f"a day has no {unit.value}", code=WRONG_TYPE, place=place, found=unit.value,
                expected="years, months, weeks or days",
            )  # fmt: skip

    def _top(self, node: Top, depth: int) -> None:
        self._count(node.place, depth)
        if not 1 <= node.size <= MAX_TOP:
            raise _too_large("a top has too many rows or none", node.place, f"{node.size} rows", MAX_TOP)
        with self._about(Scope(entity=self.scope.entity)):
            kind = self._kind(node.by, depth + 1)
            if kind not in ORDERED:
                raise ExpressionError(
                    f"rows are not put in order by {_a(kind)}", code=WRONG_TYPE, place=node.by.place, found=_a(kind),
                    expected=" or ".join(_a(kind) for kind in Kind if kind in ORDERED),
                )  # fmt: skip
            if node.where is not None:
                self.condition(node.where, depth + 1)

    def _member(self, node: Member) -> None:
        found = self.audiences.get((node.audience, node.version))
        if found is None:
            names = [name for name, _ in self.audiences]
            raise ExpressionError(
                f"there is no audience {shown(node.audience)}" + ("" if node.version is None else " of this version"),
                code=UNKNOWN_AUDIENCE, place=node.place, found=shown(node.audience),
                expected="the name of an audience", suggestion=closest(node.audience, names),
            )  # fmt: skip
        entity = found.entity.name if isinstance(found, CheckedExpression) else "profile"
        if entity != self.scope.entity.name:
            raise ExpressionError(
                f"the audience {shown(node.audience)} is of another kind", code=WRONG_TYPE, place=node.place,
                found=f"an audience of {entity}", expected=f"an audience of {self.scope.entity.name}",
            )  # fmt: skip
        if isinstance(found, CheckedExpression):
            self.reads |= found.reads
            self.entities |= found.entities

    def argument(self, node: Condition, depth: int) -> Kind:
        """The kind of an operand, or of a condition, which is true or false."""
        if isinstance(node, Test):
            self.condition(node, depth)
            return Kind.BOOLEAN
        return self._kind(node, depth)

    def _call(self, node: Call, depth: int) -> Kind:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise ExpressionError(
                f"unknown function {shown(node.function)}", code=UNKNOWN_FUNCTION, place=node.place,
                found=shown(node.function), expected="one of " + " ".join(FUNCTIONS),
                suggestion=FORMER.get(node.function.lower()) or closest(node.function, FUNCTIONS),
            )  # fmt: skip
        parameters = function.expects(len(node.arguments))
        if parameters is None:
            raise ExpressionError(
                f"the function {node.function} has the wrong number of arguments", code=SYNTAX,
                place=node.place, found=str(len(node.arguments)), expected=function.signature,
            )  # fmt: skip
        kinds = [
            self._argument(function, argument, parameter, depth + 1)
            for argument, parameter in zip(node.arguments, parameters, strict=True)
        ]
        groups: dict[str, list[Kind]] = {}
        for argument, parameter, kind in zip(node.arguments, parameters, kinds, strict=True):
            if parameter.group is not None:
                groups.setdefault(parameter.group, []).append(kind)
                _check_common(f"the function {node.function}", groups[parameter.group], argument)
        return function.kind(kinds)

    def _argument(self, function: Function, node: Condition, parameter: Parameter, depth: int) -> Kind:
        kind = self.argument(node, depth)
        if kind not in parameter.takes:
            raise ExpressionError(
                f"the function {function.name} does not work with {_a(kind)}", code=WRONG_TYPE,
                place=node.place, found=_describe(node, kind),
                expected=" or ".join(_a(kind) for kind in Kind if kind in parameter.takes),
            )  # fmt: skip
        if not parameter.constant:
            return kind
        if not isinstance(node, Literal):
            raise ExpressionError(
                f"{parameter.name} of {function.name} is written down", code=WRONG_TYPE, place=node.place,
                found=_what(node), expected="a value",
            )  # fmt: skip
        wanted = parameter.refuse(node.value)
        if wanted is not None:
            raise ExpressionError(
                f"{parameter.name} of {function.name} cannot be {shown(node.value)}", code=BAD_VALUE, place=node.place,
                found=shown(node.value), expected=wanted,
            )  # fmt: skip
        return kind

    def _case(self, node: Case, depth: int) -> Kind:
        kinds: list[Kind] = []
        for when, then in node.branches:
            self.condition(when, depth + 1)
            kinds.append(self._kind(then, depth + 1))
            _check_common("a case", kinds, then)
        if node.otherwise is not None:
            kinds.append(self._kind(node.otherwise, depth + 1))
            _check_common("a case", kinds, node.otherwise)
        found = common(kinds)
        if found is None or found is Kind.POINT:
            raise ExpressionError(
                "a case cannot choose between places", code=WRONG_TYPE, place=node.place, found="a point",
                expected="another kind",
            )  # fmt: skip
        return found


def _check_common(what: str, kinds: Sequence[Kind], last: Condition) -> None:
    """The last of the kinds goes with those before it."""
    if common(kinds) is None:
        raise ExpressionError(
            f"{what} cannot mix {_a(kinds[-1])} with {_a(kinds[0])}", code=WRONG_TYPE, place=last.place,
            found=_describe(last, kinds[-1]), expected=_a(kinds[0]), suggestion=_rewrite(last, kinds[0]),
        )  # fmt: skip


def is_written(node: Condition) -> bool:
    """A value that is known before the question runs: written down, also as `exactly('…')`."""
    if isinstance(node, Call):
        return node.function in ("exactly", "accented") and all(isinstance(one, Literal) for one in node.arguments)
    return isinstance(node, Literal | Relative)


def _what(node: Condition) -> str:
    match node:
        case Field():
            return "a field"
        case Call():
            return "a function"
        case Case():
            return "a case"
        case Aggregate():
            return "an aggregate"
        case Relative():
            return "a relative time"
        case _:
            return "a condition"


def _no_link(entity: Entity, name: str, links: Sequence[str], place: Place, *, to_one: bool) -> ExpressionError:
    known = sorted(entity.links)
    suggestion = closest(name, known)
    if name in entity.fields and len(links) > 1:
        suggestion = f"{'.'.join(links[:-1])} where not {name} is_null"
    return ExpressionError(
        f"{entity.name} has no link {shown(name)}", code=UNKNOWN_FIELD, place=place, found=shown(name),
        expected="one of " + " ".join(known) if known and not to_one else f"a field of {entity.name}",
        suggestion=suggestion,
    )  # fmt: skip


def _leads_to_many(scope: Scope, origin: Scope) -> bool:
    while scope is not origin and scope.parent is not None:
        if scope.via is not None and scope.via.many:
            return True
        scope = scope.parent
    return False


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


def _rewrite(operand: Condition, kind: Kind) -> str | None:
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


def _describe(operand: Condition, kind: Kind) -> str:
    return shown(operand.value) if isinstance(operand, Literal) and isinstance(operand.value, str) else _a(kind)


def _a(kind: Kind) -> str:
    return ("an " if kind.value[0] in "aeiou" else "a ") + kind.value


def _too_large(message: str, place: Place, found: str, most: int, unit: str = "") -> ExpressionError:
    return ExpressionError(message, code=TOO_LARGE, place=place, found=found, expected=f"at most {most} {unit}".strip())
