"""What a checked tree says of one row, as SQLAlchemy Core; no I/O, no clock. Values are only ever bound.

Two-valued: a comparison with NULL is false, and `not` makes it true. The condition built is TRUE exactly for
the matching rows, and FALSE or NULL for the others: negate the expression, never the SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Double,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    extract,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from core.targeting.aggregates import aggregate_of_one, groups_of, holds_of_nothing, in_groups
from core.targeting.catalogue import CatalogueField, CatalogueLink, Derived, Kind
from core.targeting.checked import CheckedExpression, CheckedValue, Listed
from core.targeting.comparisons import Comparisons
from core.targeting.compiled import TYPES, Plan, Predicate, Sql, Value, bound
from core.targeting.functions import FUNCTIONS, Argument, Asking, Function, Nulls, Parameter, common
from core.targeting.functions.bounds import bigint, instant_within
from core.targeting.functions.signature import Level
from core.targeting.given import LIGHT, SHORT, Given, weight
from core.targeting.holdout import is_held_out
from core.targeting.language import (
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
    Member,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Rank,
    Relative,
    Scalar,
    Test,
    Top,
)
from core.targeting.linked import common_link, exists_test, linked_test, one_value
from core.targeting.listed import brought_value, listed_test
from core.targeting.member_columns import ColumnName, column_named
from core.targeting.moments import Asked, resolve_day, to_utc
from core.targeting.operators import MIRRORED, NUMBERS
from core.targeting.ranks import Places, rank_of_one
from core.targeting.scopes import Scope
from core.targeting.sequences import following_test, top_test
from core.targeting.value_checks import is_written, kind_of_literal

_NOW = Relative(Anchor.NOW)
_FIRST, _SECOND = literal_column("0", Integer()), literal_column("1", Integer())
_LEVELS = {"exactly": Level.EXACT, "accented": Level.ACCENTED}


def _constant(kind: Kind, value: Scalar) -> Value:
    return Value(kind=kind, sql=bound(kind, value), nullable=False, constant=value)


class TreeCompiler:
    """A visitor: `condition` for conditions, `operand` for operands, one method per family of comparisons."""

    def __init__(
        self, checked: CheckedExpression, scope: Scope, asked: Asked, plan: Plan, numbers: Iterator[int] | None = None
    ) -> None:  # fmt: skip
        self.checked = checked
        self.catalogue = checked.catalogue
        self.scope = scope
        self.touched: set[Scope] = set()
        self.kept: dict[int, Any] = {}
        self.plan = plan
        self.asked = asked
        self._comparisons = Comparisons(asked=asked)
        self._musts: set[int] = set()  # conditions that every row must meet, by their identity
        self._numbers = numbers or count(1)  # of names that stand for operands

    def value(self, checked: CheckedValue) -> Sql:
        """The operand or condition at the root, as a type of its own."""
        root = checked.expression.root
        if isinstance(root, Test):
            return self.condition(root, negated=False).is_(true())
        if checked.kind is Kind.UUID:
            return self.operand(root).sql
        found = self._argument(self.operand(root), None).sql
        match checked.kind:
            case Kind.INTEGER:
                return bigint(found)
            case Kind.INSTANT:
                return instant_within(found)
            case Kind.ENUMERATION | Kind.POINT | Kind.JSON:
                return cast(found, Text())
            case kind:
                return cast(found, TYPES[kind])

    def about(self, scope: Scope) -> TreeCompiler:
        """The same about another row."""
        plan = Plan.ONE_BY_ONE if self.plan is Plan.OF_THESE else self.plan
        return TreeCompiler(self.checked, scope, self.asked, plan, self._numbers)

    def whole(self, node: Condition) -> Predicate:
        """All that is asked of a row: what must hold in any case may be looked up for all rows together."""
        self._musts.update(map(id, _musts(node)))
        return self.condition(node)

    def condition(self, node: Condition, *, negated: bool = False) -> Predicate:
        """`not` is pushed down to the comparisons, where alone NULL needs care."""
        match node:
            case And(terms=terms) | Or(terms=terms):
                parts = [self.condition(term, negated=negated) for term in terms]
                return and_(*parts) if isinstance(node, And) is not negated else or_(*parts)
            case Not(term=term):
                return self.condition(term, negated=not negated)
            case Operation():
                return self._test(node, negated=negated)
            case Exists():
                test, may_be_null = exists_test(self, node), False
            case Following():
                test, may_be_null = following_test(self, node), False
            case Top():
                test, may_be_null = top_test(self, node), False
            case Member():
                return self._member_of(node, negated=negated)
            case Literal(value=value):
                return true() if bool(value) is not negated else false()
            case _:
                operand = self.operand(node)
                test, may_be_null = operand.sql, operand.nullable
        if not negated:
            return test
        return test.is_not(true()) if may_be_null else not_(test)

    def _test(self, node: Operation, *, negated: bool) -> Predicate:
        linked = common_link(self.scope, node)
        if linked is not None:
            # No row at the end of the link is as good as a row without a value.
            missing = node.operator is Operator.IS_NULL
            return linked_test(self, *linked, Not(node) if missing else node, negated=negated is not missing)
        grouped = self._grouped(node, negated=negated) if self.plan is not Plan.ONE_BY_ONE else None
        if grouped is not None:
            return grouped
        ranks = [one for one in node.operands if isinstance(one, Rank)]
        if len(ranks) == 1 and id(node) in self._musts:
            return self._placed(node, ranks[0], negated=negated)
        values = [self.operand(operand) for operand in node.operands]
        heavy = [weight(operand) > self._bearable(node) for operand in node.operands]
        values, named = self._named(values, heavy)
        test = self._comparisons.operation(node.operator, values)
        test = Given(test, named) if named else test
        if not negated:
            return test
        nullable = node.operator is not Operator.IS_NULL and any(value.nullable for value in values)
        return test.is_not(true()) if nullable else not_(test)

    def _grouped(self, node: Operation, *, negated: bool) -> Predicate | None:
        """An aggregate against constants: asked of everybody's rows at once."""
        first, *rest = node.operands
        if len(rest) == 1 and isinstance(rest[0], Aggregate) and not isinstance(first, Aggregate) and node.operator in MIRRORED:
            return self._grouped(Operation(MIRRORED[node.operator], (rest[0], first)), negated=negated)
        if not isinstance(first, Aggregate) or not all(isinstance(one, Literal | Relative) for one in rest):
            return None
        groups = groups_of(self, first)
        if groups is None:
            return None
        constants = [self.operand(one) for one in rest]
        test = self._comparisons.operation(node.operator, [groups.value, *constants])
        if holds_of_nothing(node.operator, first.measure, constants):
            # Who has no rows passes, so those are looked for who have some and fail.
            failing = test.is_not(true()) if groups.value.nullable and node.operator is not Operator.IS_NULL else not_(test)
            return in_groups(self, groups, failing, negated=not negated)
        return in_groups(self, groups, test, negated=negated)

    def keys_of_groups(self, node: Operation, aggregate: Aggregate) -> Select[Any] | None:
        """The keys of the groups that pass; None where those pass, too, who have no rows."""
        groups = groups_of(self, aggregate)
        constants = [self.operand(one) for one in node.operands[1:]]
        if groups is None or holds_of_nothing(node.operator, aggregate.measure, constants):
            return None
        (key,) = groups.keys
        return (
            select(key).select_from(groups.source).where(self._comparisons.operation(node.operator, [groups.value, *constants]))
        )

    def _placed(self, node: Operation, rank: Rank, *, negated: bool) -> Predicate:
        """A rank against something: the rows whose places pass are joined."""
        places = Places(self, rank)
        if node.operator is Operator.IS_NULL:
            return places.hold(true(), negated=not negated)
        values = [places.value if one is rank else self.operand(one) for one in node.operands]
        return places.hold(self._comparisons.operation(node.operator, values), negated=negated)

    def _member_of(self, node: Member, *, negated: bool) -> Predicate:
        found = self.checked.audiences[node.audience, node.version]
        if not isinstance(found, CheckedExpression):
            self.touched.add(self.scope)
            on_list = listed_test(self.scope, found.id, merged=self.catalogue.merged)
            return not_(on_list) if negated else on_list
        inner = TreeCompiler(found, self.scope, self.asked, self.plan, self._numbers)
        root = found.expression.root
        must = id(node) in self._musts and not negated
        test = inner.whole(root) if must else inner.condition(root, negated=negated)
        self.touched |= inner.touched
        return test

    def operand(self, node: Operand) -> Value:
        match node:
            case Field(path=path):
                return self._path(path)
            case Aggregate():
                return aggregate_of_one(self, node)
            case Rank():
                return rank_of_one(self, node)
            case Literal(value=value):
                kind = kind_of_literal(node)
                if isinstance(value, datetime) and value.tzinfo is None:
                    value = to_utc(value, self.asked.zone)
                return _constant(kind, value)
            case Relative(anchor=Anchor.TODAY):
                return _constant(Kind.DATE, resolve_day(node, self.asked.today))
            case Relative():
                sql = bound(Kind.INSTANT, self.asked.near_now(node))
                return Value(kind=Kind.INSTANT, sql=sql, nullable=False, moment=node)
            case Call():
                return self._call(node)
            case Case():
                return self._case(node)

    def _brought(self, node: ColumnName) -> Value:
        """What somebody brings along as a member of a list."""
        found = self.checked.audiences[node.audience, None]
        assert isinstance(found, Listed), "as it was checked"
        self.touched.add(self.scope)
        kind = found.columns[node.column]
        sql = brought_value(self.scope, found.id, node.column, kind, merged=self.catalogue.merged)
        return Value(kind=kind, sql=sql, nullable=True)

    def _call(self, node: Call) -> Value:
        if (column := column_named(node)) is not None:
            return self._brought(column)
        function = FUNCTIONS[node.function]
        parameters = function.expects(len(node.arguments)) or ()
        values = [self._any(argument) for argument in node.arguments]
        heavy = [function.repeats(len(values)) > 1 and weight(argument) > SHORT for argument in node.arguments]
        values, named = self._named(values, heavy)
        arguments = [self._argument(*pair) for pair in zip(values, parameters, strict=True)]
        asking = Asking(zone=self.asked.zone, today=self.asked.today, key=self._key())
        built = function.build(asking, *arguments)
        kind = function.kind([argument.kind for argument in arguments])
        made = Value(kind=kind, sql=Given(built, named) if named else built, nullable=_may_be_null(function, arguments))
        if is_written(node):
            made = replace(made, constant=arguments[0].constant, nullable=False)
        if kind is Kind.POINT:
            longitude, latitude = arguments
            constants = [float(str(one.constant)) for one in arguments if one.constant is not None]
            where = (constants[0], constants[1]) if len(constants) == 2 else None
            made = replace(made, parts=(longitude.sql, latitude.sql), where=where)
        return replace(made, level=_LEVELS.get(node.function, Level.FOLDED))

    def _case(self, node: Case) -> Value:
        results = [self._argument(self.operand(then), None) for _, then in node.branches]
        tests = [self.condition(when, negated=False) for when, _ in node.branches]
        last = None if node.otherwise is None else self._argument(self.operand(node.otherwise), None)
        chosen = case(
            *((test, result.sql) for test, result in zip(tests, results, strict=True)), else_=None if last is None else last.sql
        )
        kind = common([result.kind for result in results] + ([last.kind] if last else [])) or results[0].kind
        nullable = last is None or last.nullable or any(result.nullable for result in results)
        return Value(kind=kind, sql=chosen, nullable=nullable)

    def _any(self, node: Condition) -> Value:
        """An operand, or a condition as the boolean that it is."""
        if isinstance(node, Test):
            return Value(kind=Kind.BOOLEAN, sql=self.condition(node, negated=False).is_(true()), nullable=False)
        return self.operand(node)

    def _argument(self, value: Value, parameter: Parameter | None) -> Argument:
        """As functions take it: numbers as numeric, enumerations by their names, UUIDs as texts."""
        kind, sql, parts = value.kind, value.sql, value.parts
        if kind in NUMBERS and not (parameter and parameter.plain) and type(sql.type) is not Numeric:
            whole = isinstance(value.constant, int)
            sql = bound(Kind.DECIMAL, Decimal(value.constant)) if whole else cast(sql, Numeric())  # type: ignore[arg-type]
        if kind is Kind.ENUMERATION and value.field:
            kind, sql = Kind.TEXT, _name_of(value.field, sql)
        if kind is Kind.UUID:
            kind, sql = Kind.TEXT, cast(sql, Text())
        if kind is Kind.POINT and parts is None:
            pair: Sql = type_coerce(sql, ARRAY(Double()))
            parts = pair[_FIRST], pair[_SECOND]  # written out, not bound: indexes are of these very expressions
        return Argument(
            kind=kind,
            sql=sql,
            nullable=value.nullable,
            constant=value.constant,
            level=value.level,
            parts=parts,
            where=value.where,
        )

    def _named(self, values: list[Value], heavy: Sequence[bool]) -> tuple[list[Value], list[tuple[str, Sql]]]:
        """The values with names for those that are heavy, and what is so named."""
        found: list[Value] = []
        named: list[tuple[str, Sql]] = []
        for value, weighs in zip(values, heavy, strict=True):
            if not weighs or value.is_known or value.stored is not None:
                found.append(value)
            elif value.parts is not None:
                found.append(replace(value, parts=(self._name(value.parts[0], named), self._name(value.parts[1], named))))
            else:
                found.append(replace(value, sql=self._name(value.sql, named)))
        return found, named

    def _name(self, sql: Sql, named: list[tuple[str, Sql]]) -> Sql:
        name = f"given_{next(self._numbers)}"
        named.append((name, sql))
        return column(name, sql.type)

    def _key(self) -> Sql:
        self.touched.add(self.scope)
        assert self.scope.source is not None
        key: Sql = self.scope.source.c[self.scope.entity.key]
        return key

    def _bearable(self, node: Operation) -> int:
        """The weight of an operand that may be written as often as an operator needs it."""
        return SHORT if node.operator is Operator.IN else LIGHT

    def _path(self, path: Sequence[str]) -> Value:
        """A field of this row, of one that stands beside it, or of the one at the end of a link."""
        scope = self.scope
        for index, name in enumerate(path[:-1]):
            step = scope.step(name)
            if isinstance(step, CatalogueLink):
                end, stored = one_value(self, path[:-1], path[-1])
                return self._field(end.fields[path[-1]], stored, through=True)
            assert step is not None, f"checked, at {index}"
            scope = step
        self.touched.add(scope)
        assert scope.source is not None
        field = scope.entity.fields[path[-1]]
        return self._field(field, scope.source.c[field.column], through=scope is not self.scope)

    def _field(self, field: CatalogueField, stored: Sql, *, through: bool) -> Value:
        sql = self._derived(field.derived, stored) if field.derived is not None else stored
        return Value(kind=field.kind, sql=sql, nullable=field.nullable or through, field=field, stored=stored)

    def _derived(self, derived: Derived, stored: Sql) -> Sql:
        return (
            self._age(stored) if derived is Derived.AGE else is_held_out(stored, bound(Kind.INSTANT, self.asked.near_now(_NOW)))
        )

    def _age(self, birth: Sql) -> Sql:
        """Whole years between two days, from their digits: (20240301 - 20000229) / 10000, rounded down."""
        digits = extract("year", birth) * 10_000 + extract("month", birth) * 100 + extract("day", birth)
        now = self.asked.today.year * 10_000 + self.asked.today.month * 100 + self.asked.today.day
        return cast(func.floor((bound(Kind.INTEGER, now) - digits) / 10_000), BigInteger)

    def day_of(self, value: Value) -> Sql:
        """The day of a time in the zone asked in."""
        return self._comparisons.day_of(value)


def _musts(node: Condition) -> Iterator[Condition]:
    """The conditions that hold of every row of which another one holds."""
    match node:
        case And(terms=terms):
            for term in terms:
                yield from _musts(term)
        case Not(term=Operation() as term):
            yield term
        case _:
            yield node


def _may_be_null(function: Function, arguments: Sequence[Argument]) -> bool:
    match function.nulls:
        case Nulls.OF_ANY:
            return any(argument.nullable for argument in arguments)
        case Nulls.OF_ALL:
            return all(argument.nullable for argument in arguments)
        case Nulls.NEVER:
            return False
        case Nulls.PARTIAL | Nulls.MAY:
            return True


def _name_of(field: CatalogueField, sql: Sql) -> Sql:
    """The name of a stored value: those of teams are stored by theirs."""
    if all(isinstance(code, str) for code in field.values.values()):
        return cast(sql, Text())
    return case(*((sql == code, name) for name, code in field.values.items()))
