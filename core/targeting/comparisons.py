"""SQL of comparisons between operands: by their kinds, and by how their texts are kept. Values are only ever bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Numeric,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
)
from sqlalchemy.types import TypeEngine

from core.targeting.catalogue import Derived, Kind, Writing
from core.targeting.compiled import TYPES, Predicate, Sql, Value, bound
from core.targeting.functions.bounds import folded
from core.targeting.functions.signature import Level
from core.targeting.language import (
    Operator,
)
from core.targeting.moments import Asked, add_months, end_of, start_of, today
from core.targeting.operators import COMPARATORS, MIRRORED, PATTERNS
from core.targeting.writing import as_kept, like_pattern

_FEW = 30  # texts compared without case, up to which each is a parameter of its own
_OLDEST = 1_000  # ages beyond are compared by their value, not through a birth date that no calendar has


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """Operators as SQL, asked at some time in some zone."""

    asked: Asked

    def operation(self, operator: Operator, values: Sequence[Value]) -> Predicate:
        """Any operator between operands."""
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
        if left.is_known and not right.is_known:
            left, right, operator = right, left, MIRRORED[operator]
        if {left.kind, right.kind} == {Kind.DATE, Kind.INSTANT}:
            return self._compare_days(operator, left, right)
        if Kind.ENUMERATION in (left.kind, right.kind):
            return _apply(operator, left.sql, _stored(left, right))
        if Kind.UUID in (left.kind, right.kind):
            return _apply(operator, left.sql, _as_uuid(right))
        if left.kind is Kind.TEXT:
            return _compare_texts(operator, left, right)
        if left.field and left.field.derived is Derived.AGE and isinstance(right.constant, int):
            return self._compare_age(operator, left, right.constant)
        return _apply(operator, left.sql, right.sql)

    def _compare_days(self, operator: Operator, left: Value, right: Value) -> Predicate:
        """A day against an instant compares days of the zone; as a range of instants if the day is known."""
        if left.kind is Kind.INSTANT and not left.is_known and isinstance(right.constant, date):
            return _compare_steps(
                operator,
                lambda instant: left.sql >= bound(Kind.INSTANT, instant),
                lambda instant: left.sql < bound(Kind.INSTANT, instant),
                start_of(right.constant, self.asked.zone),
                end_of(right.constant, self.asked.zone),
            )
        return _apply(operator, self.day_of(left), self.day_of(right))

    def day_of(self, value: Value) -> Sql:
        """The day of a time in the zone asked in."""
        if value.kind is Kind.DATE:
            return value.sql
        if value.moment is not None:
            return bound(Kind.DATE, self.asked.near_now(value.moment, day=True))
        if isinstance(value.constant, datetime):
            return bound(Kind.DATE, today(value.constant, self.asked.zone))
        return cast(self._local(value), Date)

    def _compare_age(self, operator: Operator, left: Value, years: int) -> Predicate:
        """An age against a number compares the birth date, so that an index on it serves."""
        birth = left.stored
        if birth is None or abs(years) >= _OLDEST:
            return _apply(operator, left.sql, bound(Kind.INTEGER, years))
        return _compare_steps(
            operator,
            lambda years: birth <= bound(Kind.DATE, add_months(self.asked.today, -12 * years)),
            lambda years: birth > bound(Kind.DATE, add_months(self.asked.today, -12 * years)),
            years,
            years + 1,
        )

    def _member(self, first: Value, values: Sequence[Value]) -> Predicate:
        kinds = {first.kind, *(value.kind for value in values)}
        if any(value.moment for value in values) or first.is_known or first.is_derived or kinds >= {Kind.DATE, Kind.INSTANT}:
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
        elif first.kind is Kind.UUID:
            constants = [UUID(str(value.constant)) for value in values]
        else:
            constants = [value.constant for value in values]
        exact = type(first.sql.type) is Numeric or any(isinstance(constant, Decimal) for constant in constants)
        kind = Kind.DECIMAL if exact else first.kind
        return first.sql == any_(bindparam(None, constants, ARRAY(TYPES[kind])))

    def _like(self, operator: Operator, first: Value, piece: Value) -> Predicate:
        before, after = PATTERNS[operator]
        pattern = bound(Kind.TEXT, before + like_pattern(as_kept(first.writing, str(piece.constant))) + after)
        if first.writing is not Writing.FREE:
            return first.sql.like(pattern)
        level = max(first.level, piece.level)
        test: Predicate = _at_level(first.sql, level).like(_at_level(pattern, level))
        if level is Level.FOLDED or first.field is None:
            return test
        return and_(test, _at_level(first.sql, Level.FOLDED).like(_at_level(pattern, Level.FOLDED)))

    def _local(self, value: Value) -> Sql:
        if value.kind is not Kind.INSTANT:
            return value.sql
        return func.timezone(bindparam(None, self.asked.zone.key, Text()), value.sql)


def _is_one_of(first: Sql, texts: Sequence[str], level: Level) -> Predicate:
    """Texts of a list. Few are an array that an index serves; of many, Postgres makes a hash table."""
    if len(texts) <= _FEW:
        return _at_level(first, level).in_([_at_level(bound(Kind.TEXT, text), level) for text in texts])
    given = func.unnest(bindparam(None, list(texts), ARRAY(Text()))).column_valued()
    return _at_level(first, level).in_(select(_at_level(given, level)))


def _at_level(text: Sql, level: Level) -> Sql:
    """A text as it is compared when that counts which the level says."""
    match level:
        case Level.FOLDED:
            return folded(text)
        case Level.ACCENTED:
            return func.lower(text)
        case Level.EXACT:
            return text


def _apply(operator: Operator, left: Sql, right: Sql) -> Predicate:
    return COMPARATORS[operator](left, right)  # type: ignore[no-any-return]


def _stored(left: Value, right: Value) -> Sql:
    """The other side of an enumeration: what is stored for a name, or another field's column."""
    if left.field and right.constant is not None:
        code = left.field.values[str(right.constant)]
        return bindparam(None, code, _type_of_code(code))
    return right.sql


def _as_uuid(value: Value) -> Sql:
    """What was written down as a text is one, as it was checked."""
    return value.sql if value.constant is None else bindparam(None, UUID(str(value.constant)), TYPES[Kind.UUID])


def _type_of_code(code: int | str) -> TypeEngine[Any]:
    """Our enumerations are stored as numbers, those of teams by their names."""
    return Text() if isinstance(code, str) else BigInteger()


def _compare_texts(operator: Operator, left: Value, right: Value) -> Predicate:
    """Texts by code points, without case where they are kept as people typed them, and between two fields."""
    if left.constant is None and right.constant is not None and left.writing is not Writing.FREE:
        return _apply_texts(operator, left.sql, bound(Kind.TEXT, as_kept(left.writing, str(right.constant))))
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
