"""Checked tree → SQLAlchemy Core; no I/O, no clock. Values are only ever bound.

Two-valued: a comparison with NULL is false, and `not` makes it true. The condition built is TRUE exactly for
the matching rows, and FALSE or NULL for the others: negate the expression, never the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    FromClause,
    Numeric,
    Select,
    TableClause,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    column,
    extract,
    false,
    func,
    not_,
    or_,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.expression import Executable
from sqlalchemy.types import TypeEngine

from core.targeting.catalogue import CatalogueField, Derived, Entity, Kind, Writing
from core.targeting.check import CheckedExpression, kind_of_literal
from core.targeting.language import (
    Anchor,
    And,
    Call,
    Condition,
    Field,
    Literal,
    Not,
    Operand,
    Operation,
    Operator,
    Or,
    Relative,
    Scalar,
)
from core.targeting.moments import add_months, end_of, resolve, start_of, to_utc, today
from core.targeting.operators import COMPARATORS, FUNCTIONS, MIRRORED, PATTERNS
from core.targeting.writing import as_kept, like_pattern

Predicate: TypeAlias = ColumnElement[bool]
Sql: TypeAlias = ColumnElement[Any]

_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.TEXT: Text(),
    Kind.INTEGER: BigInteger(),
    Kind.DECIMAL: Numeric(),
    Kind.BOOLEAN: Boolean(),
    Kind.DATE: Date(),
    Kind.INSTANT: TIMESTAMP(timezone=True),
    Kind.ENUMERATION: BigInteger(),
}
_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]
_FEW = 30  # texts compared without case, up to which each is a parameter of its own
_OLDEST = 1_000  # ages beyond are compared by their value, not through a birth date that no calendar has


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


@cache
def _table(name: str, columns: tuple[str, ...]) -> TableClause:
    return table(name, *(column(each) for each in columns))


def entity_table(entity: Entity) -> TableClause:
    """The entity's table with the columns the catalogue names; alias it to use it more than once."""
    names = dict.fromkeys([entity.key, *(field.column for field in entity.fields.values())])
    return _table(entity.table, tuple(names))


def predicate(checked: CheckedExpression, *, at: datetime, zone: ZoneInfo, source: FromClause | None = None) -> Predicate:
    """The condition on rows of `source`, by default `entity_table(checked.entity)`. `at` is `now`."""
    rows = entity_table(checked.entity) if source is None else source
    return _Compiler(checked.entity, rows, at, zone).condition(checked.expression.root, negated=False)


def population(checked: CheckedExpression, *, at: datetime, zone: ZoneInfo) -> Select[Any]:
    """The keys of the matching rows, in no order."""
    rows = entity_table(checked.entity)
    return select(rows.c[checked.entity.key]).where(predicate(checked, at=at, zone=zone, source=rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """An operand ready for SQL. `constant` is set for what is known now, `field` for plain fields."""

    kind: Kind
    sql: Sql
    nullable: bool
    constant: Scalar | None = None
    field: CatalogueField | None = None

    @property
    def is_derived(self) -> bool:
        return self.field is not None and self.field.derived is not None

    @property
    def writing(self) -> Writing:
        return self.field.writing if self.field else Writing.FREE


def _bound(kind: Kind, value: Scalar) -> Sql:
    return bindparam(None, value, _TYPES[kind])


def _constant(kind: Kind, value: Scalar) -> _Value:
    return _Value(kind=kind, sql=_bound(kind, value), nullable=False, constant=value)


class _Compiler:
    """A visitor: `condition` for conditions, `operand` for operands, one method per family of comparisons."""

    def __init__(self, entity: Entity, source: FromClause, at: datetime, zone: ZoneInfo) -> None:
        self.entity = entity
        self.source = source
        self.at = at
        self.zone = zone
        self.today = today(at, zone)

    def condition(self, node: Condition, *, negated: bool) -> Predicate:
        """`not` is pushed down to the comparisons, where alone NULL needs care."""
        match node:
            case And(terms=terms) | Or(terms=terms):
                parts = [self.condition(term, negated=negated) for term in terms]
                return and_(*parts) if isinstance(node, And) is not negated else or_(*parts)
            case Not(term=term):
                return self.condition(term, negated=not negated)
            case Operation():
                values = [self.operand(operand) for operand in node.operands]
                test = self._operation(node.operator, values)
                may_be_null = node.operator is not Operator.IS_NULL and any(value.nullable for value in values)
            case Literal(value=value):
                return true() if bool(value) is not negated else false()
            case _:
                operand = self.operand(node)
                test, may_be_null = operand.sql, operand.nullable
        if not negated:
            return test
        return test.is_not(true()) if may_be_null else not_(test)

    def operand(self, node: Operand) -> _Value:
        match node:
            case Field(path=path):
                return self._field(self.entity.fields[path[-1]])
            case Literal(value=value):
                kind = kind_of_literal(node)
                if isinstance(value, datetime) and value.tzinfo is None:
                    value = to_utc(value, self.zone)
                return _constant(kind, value)
            case Relative(anchor=anchor):
                kind = Kind.INSTANT if anchor is Anchor.NOW else Kind.DATE
                return _constant(kind, resolve(node, self.at, self.zone))
            case Call(function=name, arguments=arguments):
                function = FUNCTIONS[name]
                values = [self.operand(argument) for argument in arguments]
                built = function.build(*(self._local(value) for value in values))
                return _Value(kind=function.gives, sql=built, nullable=any(value.nullable for value in values))

    def _field(self, field: CatalogueField) -> _Value:
        stored: Sql = self.source.c[field.column]
        sql = self._age(stored) if field.derived is Derived.AGE else stored
        return _Value(kind=field.kind, sql=sql, nullable=field.nullable, field=field)

    def _age(self, birth: Sql) -> Sql:
        """Whole years between two days, from their digits: (20240301 - 20000229) / 10000, rounded down."""
        digits = extract("year", birth) * 10_000 + extract("month", birth) * 100 + extract("day", birth)
        now = self.today.year * 10_000 + self.today.month * 100 + self.today.day
        return cast(func.floor((_bound(Kind.INTEGER, now) - digits) / 10_000), BigInteger)

    def _local(self, value: _Value) -> Sql:
        if value.kind is not Kind.INSTANT:
            return value.sql
        return func.timezone(bindparam(None, self.zone.key, Text()), value.sql)

    def _operation(self, operator: Operator, values: Sequence[_Value]) -> Predicate:
        first, *rest = values
        match operator:
            case Operator.IS_NULL:
                return (self.source.c[first.field.column] if first.field else first.sql).is_(None)
            case Operator.BETWEEN:
                return and_(
                    self.compare(Operator.AT_LEAST, first, rest[0]),
                    self.compare(Operator.AT_MOST, first, rest[1]),
                )
            case Operator.IN:
                return self._member(first, rest)
            case Operator.CONTAINS | Operator.STARTS_WITH | Operator.ENDS_WITH:
                return self._like(operator, first, str(rest[0].constant))
            case _:
                return self.compare(operator, first, rest[0])

    def compare(self, operator: Operator, left: _Value, right: _Value) -> Predicate:
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

    def _compare_days(self, operator: Operator, left: _Value, right: _Value) -> Predicate:
        """A day against an instant compares days of the zone; as a range of instants if the day is known."""
        if left.kind is Kind.INSTANT and left.constant is None and isinstance(right.constant, date):
            return _compare_steps(
                operator,
                lambda instant: left.sql >= _bound(Kind.INSTANT, instant),
                lambda instant: left.sql < _bound(Kind.INSTANT, instant),
                start_of(right.constant, self.zone),
                end_of(right.constant, self.zone),
            )
        return _apply(operator, self._day(left), self._day(right))

    def _day(self, value: _Value) -> Sql:
        if value.kind is Kind.DATE:
            return value.sql
        if isinstance(value.constant, datetime):
            return _bound(Kind.DATE, today(value.constant, self.zone))
        return cast(self._local(value), Date)

    def _compare_age(self, operator: Operator, left: _Value, years: int) -> Predicate:
        """An age against a number compares the birth date, so that an index on it serves."""
        if left.field is None or abs(years) >= _OLDEST:
            return _apply(operator, left.sql, _bound(Kind.INTEGER, years))
        birth = self.source.c[left.field.column]
        return _compare_steps(
            operator,
            lambda years: birth <= _bound(Kind.DATE, add_months(self.today, -12 * years)),
            lambda years: birth > _bound(Kind.DATE, add_months(self.today, -12 * years)),
            years,
            years + 1,
        )

    def _member(self, first: _Value, values: Sequence[_Value]) -> Predicate:
        kinds = {first.kind, *(value.kind for value in values)}
        if first.constant is not None or first.is_derived or kinds >= {Kind.DATE, Kind.INSTANT}:
            return or_(*(self.compare(Operator.EQUAL, first, value) for value in values))
        if first.kind is Kind.TEXT and first.writing is Writing.FREE:
            return _is_one_of(func.lower(first.sql), [str(value.constant) for value in values])
        if first.kind is Kind.ENUMERATION and first.field:
            constants: list[Any] = [first.field.values[str(value.constant)] for value in values]
            return first.sql == any_(bindparam(None, constants, ARRAY(_type_of_code(constants[0]))))
        if first.kind is Kind.TEXT:
            constants = [as_kept(first.writing, str(value.constant)) for value in values]
        else:
            constants = [value.constant for value in values]
        kind = Kind.DECIMAL if any(isinstance(constant, Decimal) for constant in constants) else first.kind
        return first.sql == any_(bindparam(None, constants, ARRAY(_TYPES[kind])))

    def _like(self, operator: Operator, first: _Value, text: str) -> Predicate:
        before, after = PATTERNS[operator]
        pattern = before + like_pattern(as_kept(first.writing, text)) + after
        if first.writing is Writing.FREE:
            return func.lower(first.sql).like(func.lower(_bound(Kind.TEXT, pattern)))
        return first.sql.like(_bound(Kind.TEXT, pattern))


def _is_one_of(folded: Sql, texts: Sequence[str]) -> Predicate:
    """Texts without case. Few are an array that an index serves; of many, Postgres makes a hash table."""
    if len(texts) <= _FEW:
        return folded.in_([func.lower(_bound(Kind.TEXT, text)) for text in texts])
    given = func.unnest(bindparam(None, list(texts), ARRAY(Text()))).column_valued()
    return folded.in_(select(func.lower(given)))


def _apply(operator: Operator, left: Sql, right: Sql) -> Predicate:
    return COMPARATORS[operator](left, right)  # type: ignore[no-any-return]


def _stored(left: _Value, right: _Value) -> Sql:
    """The other side of an enumeration: what is stored for a name, or another field's column."""
    if left.field and right.constant is not None:
        code = left.field.values[str(right.constant)]
        return bindparam(None, code, _type_of_code(code))
    return right.sql


def _type_of_code(code: int | str) -> TypeEngine[Any]:
    """Our enumerations are stored as numbers, those of teams by their names."""
    return Text() if isinstance(code, str) else BigInteger()


def _compare_texts(operator: Operator, left: _Value, right: _Value) -> Predicate:
    """Texts by code points, without case where they are kept as people typed them, and between two fields."""
    if left.constant is None and right.constant is not None and left.writing is not Writing.FREE:
        one, other = left.sql, _bound(Kind.TEXT, as_kept(left.writing, str(right.constant)))
    else:
        one, other = func.lower(left.sql), func.lower(right.sql)
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
