"""What linked rows come to: asked for one row, or of everybody's rows at once, in groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    FromClause,
    Select,
    Text,
    bindparam,
    cast,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on

from core.targeting.catalogue import Kind
from core.targeting.compiled import Compiler, Plan, Predicate, Sql, Value
from core.targeting.functions.bounds import MOST_CHARACTERS
from core.targeting.language import (
    SEPARATOR,
    Aggregate,
    Field,
    Measure,
    Operand,
    Operator,
)
from core.targeting.linked import ONE, Rows, around, named, rows_of, tell_beyond
from core.targeting.operators import COMPARATORS, MEASURES
from core.targeting.scopes import Scope


@dataclass(slots=True, kw_only=True)
class Asked:
    """An aggregate's rows, and what is asked of each (None: they are counted)."""

    rows: Rows
    value: Value | None
    by: Sql | None


def asked_of(compiler: Compiler, node: Aggregate) -> Asked:
    """What an aggregate asks of which rows; of one that was looked at before, the same again."""
    kept: Asked | None = compiler.kept.pop(id(node), None)
    if kept is not None:
        return kept
    rows = rows_of(compiler, node.selection)
    inner = compiler.about(rows.scope)
    value = None if node.value is None else inner.operand(node.value)
    by = moment_of(inner, node.by).sql if MEASURES[node.measure].ordered else None
    tell_beyond(compiler, rows, inner, compiler.scope)
    return Asked(rows=rows, value=value, by=by)


def moment_of(inner: Compiler, by: Operand | None) -> Value:
    """What puts rows in order: what is said, or the time that their entity has."""
    time = inner.scope.entity.time
    assert by is not None or time is not None, "as it was checked"
    return inner.operand(Field((str(time),)) if by is None else by)


def _value(node: Aggregate, asked: Asked, sql: Sql) -> Value:
    """What the rows come to, as an operand."""
    rule = MEASURES[node.measure]
    field = None if rule.gives or asked.value is None or asked.value.field is None else asked.value.field
    kind = rule.gives or (asked.value.kind if asked.value else Kind.INTEGER)
    plain = replace(field, derived=None) if field else None
    return Value(kind=kind, sql=sql, nullable=rule.nothing is None, field=plain)


def built(node: Aggregate, asked: Asked) -> Sql:
    """The measure over the rows; what it is of none, where that is a number."""
    rule = MEASURES[node.measure]
    assert rule.build is not None
    if asked.value is None:
        return func.count()
    if node.measure is Measure.JOIN:
        return _joined(node, asked)
    built = rule.build(asked.value.sql.distinct() if node.distinct else asked.value.sql)
    return built if rule.nothing is None or node.measure is Measure.COUNT else func.coalesce(built, rule.nothing)


def _joined(node: Aggregate, asked: Asked) -> Sql:
    """The texts of rows that have a time, in its order, as far as a text may go."""
    assert asked.value is not None
    assert asked.by is not None
    separator = bindparam(None, SEPARATOR if node.separator is None else node.separator, Text())
    texts = func.string_agg(cast(asked.value.sql, Text()), aggregate_order_by(separator, *_order(node, asked)))
    return func.left(texts.filter(asked.by.is_not(None)), MOST_CHARACTERS, type_=Text())


def aggregate_of_one(compiler: Compiler, node: Aggregate) -> Value:
    """What the rows linked to one come to, asked for each by itself."""
    asked = asked_of(compiler, node)
    rows = asked.rows
    if MEASURES[node.measure].build is not None:
        found = rows.select(built(node, asked)).where(*rows.tied)
    else:
        assert asked.value is not None
        assert asked.by is not None
        present = asked.by.is_not(None)
        found = rows.select(asked.value.sql).where(*rows.tied, present).order_by(*_order(node, asked)).limit(1)
    return _value(node, asked, found.scalar_subquery())


def _order(node: Aggregate, asked: Asked) -> list[Sql]:
    source = asked.rows.scope.source
    assert source is not None
    assert asked.by is not None
    key = source.c[asked.rows.scope.entity.key]
    return [asked.by.desc(), key.desc()] if node.measure is Measure.LAST else [asked.by, key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """What linked rows come to, of all rows that have any, at once."""

    made: Select[Any]  # their keys and their values, the ones as they are named in the other
    source: FromClause  # the same, to be joined
    tied: tuple[Predicate, ...]  # to the row asked about
    keys: tuple[Sql, ...]  # columns that say whose they are
    by: tuple[str, ...]  # the columns of the row asked about that these are equal to
    value: Value


def groups_of(compiler: Compiler, node: Aggregate) -> Groups | None:
    """The aggregate of everybody; None where the rows are chosen by something of the one who is asked about."""
    asked = asked_of(compiler, node)
    rows = asked.rows
    if rows.outside:
        compiler.kept[id(node)] = asked  # for `aggregate_of_one`: made twice at each level, nested ones would take for ever
        return None
    theirs = [far for _, far in rows.tie]
    keyed = [key.label(f"key{index}") for index, key in enumerate(theirs)]
    present: list[Predicate] = [key.is_not(None) for key in theirs]
    if compiler.plan is Plan.OF_THESE:
        present.append(_of_these(compiler.scope, rows))
    if MEASURES[node.measure].build is not None:
        made = rows.select(*keyed, built(node, asked).label("value")).where(*present).group_by(*theirs)
    else:
        assert asked.value is not None
        assert asked.by is not None
        made = (
            rows.select(*keyed, asked.value.sql.label("value"))
            .where(*present, asked.by.is_not(None))
            .ext(distinct_on(*theirs))
            .order_by(*theirs, *_order(node, asked))
        )
    grouped = made.subquery()
    keys = tuple(grouped.c[f"key{index}"] for index in range(len(theirs)))
    tied = tuple(near == key for (near, _), key in zip(rows.tie, keys, strict=True))
    by = tuple(str(near.key) for near, _ in rows.tie)
    return Groups(made=made, source=grouped, tied=tied, keys=keys, by=by, value=_value(node, asked, grouped.c.value))


def _of_these(scope: Scope, rows: Rows) -> Predicate:
    """That they are linked to somebody of the table that is asked about."""
    assert scope.source is not None
    others = named(scope.source)
    far = [other for _, other in rows.tie]
    keys = select(*(others.c[str(near.key)] for near, _ in rows.tie))
    return far[0].in_(keys) if len(far) == 1 else tuple_(*far).in_(keys)


def holds_of_nothing(operator: Operator, measure: Measure, constants: Sequence[Value]) -> bool:
    """Whether the condition is true of an aggregate of no rows."""
    nothing = MEASURES[measure].nothing
    if operator is Operator.IS_NULL:
        return nothing is None
    if nothing is None:
        return False
    values: list[Any] = [one.constant for one in constants]
    if operator is Operator.BETWEEN:
        return bool(values[0] <= nothing <= values[1])
    return nothing in values if operator is Operator.IN else bool(COMPARATORS[operator](nothing, values[0]))


def in_groups(compiler: Compiler, groups: Groups, test: Predicate, *, negated: bool) -> Predicate:
    """That one's group passes a test, or, negated, that one has no group that does."""
    found = select(ONE).select_from(groups.source).where(*groups.tied, test).correlate(*around(compiler.scope, ())).exists()
    return ~found if negated else found
