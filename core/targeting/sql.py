"""Checked tree → SQLAlchemy Core; no I/O, no clock. Values are only ever bound.

Two-valued: a comparison with NULL is false, and `not` makes it true. The condition built is TRUE exactly for
the matching rows, and FALSE or NULL for the others: negate the expression, never the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    Boolean,
    Date,
    Double,
    FromClause,
    Numeric,
    Select,
    Text,
    and_,
    any_,
    bindparam,
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
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

from core.targeting.catalogue import CatalogueField, CatalogueLink, Derived, Entity, Kind, Writing
from core.targeting.check import CheckedExpression, CheckedValue, is_written, kind_of_literal
from core.targeting.compiled import Predicate, Sql, Value
from core.targeting.functions import FUNCTIONS, Argument, Asking, Function, Nulls, Parameter, common
from core.targeting.functions.bounds import bigint, folded, instant_within
from core.targeting.functions.signature import Level
from core.targeting.given import LIGHT, SHORT, Given, weight
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
    Relative,
    Scalar,
    Test,
    Top,
)
from core.targeting.linked import (
    aggregate_of_one,
    common_link,
    entity_table,
    exists_test,
    following_test,
    groups_of,
    holds_of_nothing,
    in_groups,
    linked_test,
    listed_test,
    one_value,
    top_test,
)
from core.targeting.moments import add_months, end_of, resolve, start_of, to_utc, today
from core.targeting.operators import COMPARATORS, MIRRORED, NUMBERS, PATTERNS
from core.targeting.scopes import Scope
from core.targeting.writing import as_kept, like_pattern

_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.TEXT: Text(),
    Kind.INTEGER: BigInteger(),
    Kind.DECIMAL: Numeric(),
    Kind.BOOLEAN: Boolean(),
    Kind.DATE: Date(),
    Kind.INSTANT: TIMESTAMP(timezone=True),
    Kind.ENUMERATION: BigInteger(),
    Kind.POINT: Text(),
}
_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]
_FEW = 30  # texts compared without case, up to which each is a parameter of its own
_OLDEST = 1_000  # ages beyond are compared by their value, not through a birth date that no calendar has


class Plan(Enum):
    """How aggregates of linked rows are asked about. Both give the same answer; which is faster depends on the rest."""

    ONE_BY_ONE = "one by one"  # for each row that is looked at: fast for few of them
    ALL_AT_ONCE = "all at once"  # everybody's rows are grouped first: fast for most of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL text with `$n` parameters, and their values, as asyncpg takes them."""

    text: str
    args: tuple[Any, ...]


def compile_statement(statement: Executable) -> Statement:
    """Any SQLAlchemy Core statement as text and arguments for asyncpg."""
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
    values = compiled.construct_params()
    return Statement(text=compiled.string, args=tuple(values[name] for name in compiled.positiontup))


def predicate(checked: CheckedExpression, *, at: datetime, zone: ZoneInfo, source: FromClause | None = None) -> Predicate:
    """The condition on rows of `source`, by default `entity_table(checked.entity)`. `at` is `now`."""
    return _compiled(checked, at, zone, entity_table(checked.entity) if source is None else source, Plan.ONE_BY_ONE)


def population(
    checked: CheckedExpression, *, at: datetime, zone: ZoneInfo, plan: Plan = Plan.ALL_AT_ONCE
) -> Select[Any]:  # fmt: skip
    """The keys of the matching rows, in no order."""
    if plan is Plan.ALL_AT_ONCE and (keys := _keys_of_groups(checked, at, zone)) is not None:
        return keys
    rows = entity_table(checked.entity)
    living = [present(checked.entity)] if checked.catalogue.merged else []  # else it would cost what an index alone answers
    return select(rows.c[checked.entity.key]).where(_compiled(checked, at, zone, rows, plan), *living)


def present(entity: Entity, rows: FromClause | None = None) -> Predicate:
    """Which rows are asked about at all: a profile that is merged into another stands for nobody. By default those of the
    entity's table under its own name."""
    if entity.table != "profile":
        return true()
    return literal_column("profile.merged_into" if rows is None else f"{rows.name}.merged_into").is_(None)  # type: ignore[attr-defined]


def value(checked: CheckedValue, *, at: datetime, zone: ZoneInfo, source: FromClause | None = None) -> Sql:
    """What an expression computes on rows of `source`, as a column to select: NULL where there is no value.

    Integers are of 64 bits, decimals numeric, enumerations their names, conditions true or false, instants those of
    the years 1 to 9999.
    """
    rows = entity_table(checked.entity) if source is None else source
    scope = Scope(entity=checked.entity, source=rows)
    return _Compiler(checked, scope, at, zone, Plan.ONE_BY_ONE).value(checked)


def _keys_of_groups(checked: CheckedExpression, at: datetime, zone: ZoneInfo) -> Select[Any] | None:
    """The whole question is one aggregate: whoever has rows that pass is a key of the groups, and no other table is read."""
    node = checked.expression.root
    if not isinstance(node, Operation) or not isinstance(node.operands[0], Aggregate):
        return None
    link = checked.entity.links.get(node.operands[0].selection.path[0])
    if (
        link is None
        or not link.sound
        or checked.catalogue.merged
        or not all(isinstance(one, Literal | Relative) for one in node.operands[1:])
    ):
        return None
    scope = Scope(entity=checked.entity, source=entity_table(checked.entity))
    return _Compiler(checked, scope, at, zone, Plan.ALL_AT_ONCE).keys_of_groups(node, node.operands[0])


def _compiled(checked: CheckedExpression, at: datetime, zone: ZoneInfo, source: FromClause, plan: Plan) -> Predicate:
    scope = Scope(entity=checked.entity, source=source)
    return _Compiler(checked, scope, at, zone, plan).condition(checked.expression.root, negated=False)


def _bound(kind: Kind, value: Scalar) -> Sql:
    return bindparam(None, value, _TYPES[kind])


def _constant(kind: Kind, value: Scalar) -> Value:
    return Value(kind=kind, sql=_bound(kind, value), nullable=False, constant=value)


class _Compiler:
    """A visitor: `condition` for conditions, `operand` for operands, one method per family of comparisons."""

    def __init__(
        self, checked: CheckedExpression, scope: Scope, at: datetime, zone: ZoneInfo, plan: Plan,
        numbers: Iterator[int] | None = None,
    ) -> None:  # fmt: skip
        self.checked = checked
        self.catalogue = checked.catalogue
        self.scope = scope
        self.touched: set[Scope] = set()
        self.plan = plan
        self.at = at
        self.zone = zone
        self.today = today(at, zone)
        self._numbers = numbers or count(1)  # of names that stand for operands

    def value(self, checked: CheckedValue) -> Sql:
        """The operand or condition at the root, as a type of its own."""
        root = checked.expression.root
        if isinstance(root, Test):
            return self.condition(root, negated=False).is_(true())
        found = self._argument(self.operand(root), None).sql
        match checked.kind:
            case Kind.INTEGER:
                return bigint(found)
            case Kind.INSTANT:
                return instant_within(found)
            case Kind.ENUMERATION | Kind.POINT:
                return cast(found, Text())
            case kind:
                return cast(found, _TYPES[kind])

    def about(self, scope: Scope) -> _Compiler:
        """The same about another row."""
        return _Compiler(self.checked, scope, self.at, self.zone, self.plan, self._numbers)

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
        grouped = self._grouped(node, negated=negated) if self.plan is Plan.ALL_AT_ONCE else None
        if grouped is not None:
            return grouped
        values = [self.operand(operand) for operand in node.operands]
        heavy = [weight(operand) > self._bearable(node) for operand in node.operands]
        values, named = self._named(values, heavy)
        test = self._operation(node.operator, values)
        test = Given(test, named) if named else test
        if not negated:
            return test
        nullable = node.operator is not Operator.IS_NULL and any(value.nullable for value in values)
        return test.is_not(true()) if nullable else not_(test)

    def _grouped(self, node: Operation, *, negated: bool) -> Predicate | None:
        """An aggregate against constants: asked of everybody's rows at once."""
        first, *rest = node.operands
        if isinstance(first, Literal | Relative) and len(rest) == 1 and node.operator in MIRRORED:
            return self._grouped(Operation(MIRRORED[node.operator], (rest[0], first)), negated=negated)
        if not isinstance(first, Aggregate) or not all(isinstance(one, Literal | Relative) for one in rest):
            return None
        groups = groups_of(self, first)
        if groups is None:
            return None
        constants = [self.operand(one) for one in rest]
        test = self._operation(node.operator, [groups.value, *constants])
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
        return select(key).select_from(groups.source).where(self._operation(node.operator, [groups.value, *constants]))

    def _member_of(self, node: Member, *, negated: bool) -> Predicate:
        found = self.checked.audiences[node.audience, node.version]
        if not isinstance(found, CheckedExpression):
            self.touched.add(self.scope)
            on_list = listed_test(self.scope, found, merged=self.catalogue.merged)
            return not_(on_list) if negated else on_list
        inner = _Compiler(found, self.scope, self.at, self.zone, self.plan, self._numbers)
        test = inner.condition(found.expression.root, negated=negated)
        self.touched |= inner.touched
        return test

    def operand(self, node: Operand) -> Value:
        match node:
            case Field(path=path):
                return self._path(path)
            case Aggregate():
                return aggregate_of_one(self, node)
            case Literal(value=value):
                kind = kind_of_literal(node)
                if isinstance(value, datetime) and value.tzinfo is None:
                    value = to_utc(value, self.zone)
                return _constant(kind, value)
            case Relative(anchor=anchor):
                kind = Kind.INSTANT if anchor is Anchor.NOW else Kind.DATE
                return _constant(kind, resolve(node, self.at, self.zone))
            case Call():
                return self._call(node)
            case Case():
                return self._case(node)

    def _call(self, node: Call) -> Value:
        function = FUNCTIONS[node.function]
        parameters = function.expects(len(node.arguments)) or ()
        values = [self._any(argument) for argument in node.arguments]
        heavy = [function.repeats(len(values)) > 1 and weight(argument) > SHORT for argument in node.arguments]
        values, named = self._named(values, heavy)
        arguments = [self._argument(*pair) for pair in zip(values, parameters, strict=True)]
        asking = Asking(at=self.at, zone=self.zone, today=self.today, key=self._key())
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
        """As functions take it: numbers as numeric, enumerations by their names."""
        kind, sql, parts = value.kind, value.sql, value.parts
        if kind in NUMBERS and not (parameter and parameter.plain) and type(sql.type) is not Numeric:
            whole = isinstance(value.constant, int)
            sql = _bound(Kind.DECIMAL, Decimal(value.constant)) if whole else cast(sql, Numeric())  # type: ignore[arg-type]
        if kind is Kind.ENUMERATION and value.field:
            kind, sql = Kind.TEXT, _name_of(value.field, sql)
        if kind is Kind.POINT and parts is None:
            pair: Sql = type_coerce(sql, ARRAY(Double()))
            parts = pair[0], pair[1]
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
            if not weighs or value.constant is not None or value.stored is not None:
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
        sql = self._age(stored) if field.derived is Derived.AGE else stored
        return Value(kind=field.kind, sql=sql, nullable=field.nullable or through, field=field, stored=stored)

    def _age(self, birth: Sql) -> Sql:
        """Whole years between two days, from their digits: (20240301 - 20000229) / 10000, rounded down."""
        digits = extract("year", birth) * 10_000 + extract("month", birth) * 100 + extract("day", birth)
        now = self.today.year * 10_000 + self.today.month * 100 + self.today.day
        return cast(func.floor((_bound(Kind.INTEGER, now) - digits) / 10_000), BigInteger)

    def _local(self, value: Value) -> Sql:
        if value.kind is not Kind.INSTANT:
            return value.sql
        return func.timezone(bindparam(None, self.zone.key, Text()), value.sql)

    def _operation(self, operator: Operator, values: Sequence[Value]) -> Predicate:
        first, *rest = values
        match operator:
            case Operator.IS_NULL:
                return (first.sql if first.stored is None else first.stored).is_(None)
            case Operator.BETWEEN:
                return and_(
                    self.compare(Operator.AT_LEAST, first, rest[0]),
                    self.compare(Operator.AT_MOST, first, rest[1]),
                )
            case Operator.IN:
                return self._member(first, rest)
            case Operator.CONTAINS | Operator.STARTS_WITH | Operator.ENDS_WITH:
                return self._like(operator, first, rest[0])
            case _:
                return self.compare(operator, first, rest[0])

    def compare(self, operator: Operator, left: Value, right: Value) -> Predicate:
        """One of the six comparisons."""
        if left.constant is not None and right.constant is None:
            left, right, operator = right, left, MIRRORED[operator]
        if {left.kind, right.kind} == {Kind.DATE, Kind.INSTANT}:
            return self._compare_days(operator, left, right)
        if Kind.ENUMERATION in (left.kind, right.kind):
            return _apply(operator, left.sql, _stored(left, right))
        if left.kind is Kind.TEXT:
            return _compare_texts(operator, left, right)
        if left.field and left.field.derived is Derived.AGE and isinstance(right.constant, int):
            return self._compare_age(operator, left, right.constant)
        return _apply(operator, left.sql, right.sql)

    def _compare_days(self, operator: Operator, left: Value, right: Value) -> Predicate:
        """A day against an instant compares days of the zone; as a range of instants if the day is known."""
        if left.kind is Kind.INSTANT and left.constant is None and isinstance(right.constant, date):
            return _compare_steps(
                operator,
                lambda instant: left.sql >= _bound(Kind.INSTANT, instant),
                lambda instant: left.sql < _bound(Kind.INSTANT, instant),
                start_of(right.constant, self.zone),
                end_of(right.constant, self.zone),
            )
        return _apply(operator, self.day_of(left), self.day_of(right))

    def day_of(self, value: Value) -> Sql:
        """The day of a time in the zone asked in."""
        if value.kind is Kind.DATE:
            return value.sql
        if isinstance(value.constant, datetime):
            return _bound(Kind.DATE, today(value.constant, self.zone))
        return cast(self._local(value), Date)

    def _compare_age(self, operator: Operator, left: Value, years: int) -> Predicate:
        """An age against a number compares the birth date, so that an index on it serves."""
        birth = left.stored
        if birth is None or abs(years) >= _OLDEST:
            return _apply(operator, left.sql, _bound(Kind.INTEGER, years))
        return _compare_steps(
            operator,
            lambda years: birth <= _bound(Kind.DATE, add_months(self.today, -12 * years)),
            lambda years: birth > _bound(Kind.DATE, add_months(self.today, -12 * years)),
            years,
            years + 1,
        )

    def _member(self, first: Value, values: Sequence[Value]) -> Predicate:
        kinds = {first.kind, *(value.kind for value in values)}
        if first.constant is not None or first.is_derived or kinds >= {Kind.DATE, Kind.INSTANT}:
            return or_(*(self.compare(Operator.EQUAL, first, value) for value in values))
        if first.kind is Kind.TEXT and first.writing is Writing.FREE:
            if any(value.level is not first.level for value in values):
                return or_(*(self.compare(Operator.EQUAL, first, value) for value in values))
            return _is_one_of(first.sql, [str(value.constant) for value in values], first.level)
        if first.kind is Kind.ENUMERATION and first.field:
            constants: list[Any] = [first.field.values[str(value.constant)] for value in values]
            return first.sql == any_(bindparam(None, constants, ARRAY(_type_of_code(constants[0]))))
        if first.kind is Kind.TEXT:
            constants = [as_kept(first.writing, str(value.constant)) for value in values]
        else:
            constants = [value.constant for value in values]
        exact = type(first.sql.type) is Numeric or any(isinstance(constant, Decimal) for constant in constants)
        kind = Kind.DECIMAL if exact else first.kind
        return first.sql == any_(bindparam(None, constants, ARRAY(_TYPES[kind])))

    def _like(self, operator: Operator, first: Value, piece: Value) -> Predicate:
        before, after = PATTERNS[operator]
        pattern = _bound(Kind.TEXT, before + like_pattern(as_kept(first.writing, str(piece.constant))) + after)
        if first.writing is not Writing.FREE:
            return first.sql.like(pattern)
        level = max(first.level, piece.level)
        test: Predicate = _at_level(first.sql, level).like(_at_level(pattern, level))
        if level is Level.FOLDED or first.field is None:
            return test
        return and_(test, _at_level(first.sql, Level.FOLDED).like(_at_level(pattern, Level.FOLDED)))


_LEVELS = {"exactly": Level.EXACT, "accented": Level.ACCENTED}


def _at_level(text: Sql, level: Level) -> Sql:
    """A text as it is compared when that counts which the level says."""
    match level:
        case Level.FOLDED:
            return folded(text)
        case Level.ACCENTED:
            return func.lower(text)
        case Level.EXACT:
            return text


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


def _is_one_of(first: Sql, texts: Sequence[str], level: Level) -> Predicate:
    """Texts of a list. Few are an array that an index serves; of many, Postgres makes a hash table."""
    if len(texts) <= _FEW:
        return _at_level(first, level).in_([_at_level(_bound(Kind.TEXT, text), level) for text in texts])
    given = func.unnest(bindparam(None, list(texts), ARRAY(Text()))).column_valued()
    return _at_level(first, level).in_(select(_at_level(given, level)))


def _apply(operator: Operator, left: Sql, right: Sql) -> Predicate:
    return COMPARATORS[operator](left, right)  # type: ignore[no-any-return]


def _stored(left: Value, right: Value) -> Sql:
    """The other side of an enumeration: what is stored for a name, or another field's column."""
    if left.field and right.constant is not None:
        code = left.field.values[str(right.constant)]
        return bindparam(None, code, _type_of_code(code))
    return right.sql


def _type_of_code(code: int | str) -> TypeEngine[Any]:
    """Our enumerations are stored as numbers, those of teams by their names."""
    return Text() if isinstance(code, str) else BigInteger()


def _compare_texts(operator: Operator, left: Value, right: Value) -> Predicate:
    """Texts by code points, without case where they are kept as people typed them, and between two fields."""
    if left.constant is None and right.constant is not None and left.writing is not Writing.FREE:
        return _apply_texts(operator, left.sql, _bound(Kind.TEXT, as_kept(left.writing, str(right.constant))))
    level = max(left.level, right.level)
    if Writing.FREE not in (left.writing, right.writing):
        level = max(level, Level.ACCENTED)
    test = _apply_texts(operator, _at_level(left.sql, level), _at_level(right.sql, level))
    if level is Level.FOLDED or operator is not Operator.EQUAL or left.field is None or right.constant is None:
        return test
    # What is equal to the letter is equal without it: an index may serve that.
    return and_(test, _at_level(left.sql, Level.FOLDED) == _at_level(right.sql, Level.FOLDED))


def _apply_texts(operator: Operator, one: Sql, other: Sql) -> Predicate:
    if operator not in (Operator.EQUAL, Operator.NOT_EQUAL):
        one = one.collate("C")
    return _apply(operator, one, other)


def _compare_steps(
    operator: Operator,
    reaches: Callable[[Any], Predicate],
    below: Callable[[Any], Predicate],
    value: Any,
    following: Any,
) -> Predicate:
    """Compare a value that grows in steps, given "at least this" and "below this" as said of its source."""
    match operator:
        case Operator.AT_LEAST:
            return reaches(value)
        case Operator.GREATER:
            return reaches(following)
        case Operator.LESS:
            return below(value)
        case Operator.AT_MOST:
            return below(following)
        case Operator.EQUAL:
            return and_(reaches(value), below(following))
        case _:
            return or_(below(value), reaches(following))
