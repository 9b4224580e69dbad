"""Rows that follow each other in time, and those at the top of a population."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Date,
    Interval,
    Select,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)

from core.targeting.aggregates import Groups, asked_of, built, groups_of, moment_of
from core.targeting.catalogue import Entity, Kind
from core.targeting.compiled import Compiler, Predicate, Sql, Value
from core.targeting.given import LIGHT, weight
from core.targeting.language import (
    Aggregate,
    Following,
    Operand,
    Stage,
    Top,
    Unit,
)
from core.targeting.linked import ONE, Rows, around, entity_table, named, rows_of
from core.targeting.operators import MEASURES
from core.targeting.scopes import Scope


def following_test(compiler: Compiler, node: Following) -> Predicate:
    """There are rows that follow each other, each within its time after the one before."""
    first, *others = node.stages
    rows = rows_of(compiler, first.selection)
    sources, tests = list(rows.sources), [*rows.tied, *rows.tests]
    before = moment_of(compiler.about(rows.scope), first.by)
    scopes = [rows.scope]
    for stage in others:
        later = rows_of(compiler, stage.selection)
        sources += later.sources
        tests += [*_tied_alike(rows, later), *later.tests]
        now = moment_of(compiler.about(later.scope), stage.by)
        tests.append(_comes_after(compiler, stage, before, now))
        before = now
        scopes.append(later.scope)
    beside = [one for scope in scopes for one in around(scope, sources)]
    return select(ONE).select_from(*sources).where(*tests).correlate(*beside).exists()


def _tied_alike(first: Rows, later: Rows) -> list[Predicate]:
    """That they belong to the same one: said of the two, so that they can be joined before the one is looked at."""
    known = {id(near): far for near, far in first.tie}
    if all(id(near) in known for near, _ in later.tie):
        return [known[id(near)] == far for near, far in later.tie]
    return later.tied


def _comes_after(compiler: Compiler, stage: Stage, before: Value, now: Value) -> Predicate:
    """Later, and soon enough. Instants: strictly later. Days: the same day counts, for nobody knows which was first."""
    if Kind.DATE in (before.kind, now.kind):
        early, late = compiler.day_of(before), compiler.day_of(now)
        if stage.within is None:
            return late >= early
        return and_(late >= early, late <= cast(early + _interval(stage.within), Date))
    early, late = before.sql, now.sql
    if stage.within is None:
        return late > early
    return and_(late > early, late <= early + _interval(stage.within))


_HOURS = {Unit.WEEKS: 168, Unit.DAYS: 24, Unit.HOURS: 1}


def _interval(within: tuple[Unit, int]) -> Sql:
    """A duration; of months and years as the calendar has them in UTC."""
    unit, amount = within
    if unit in (Unit.YEARS, Unit.MONTHS):
        return func.make_interval(0, bindparam(None, amount * (12 if unit is Unit.YEARS else 1)))
    if unit in (Unit.WEEKS, Unit.DAYS, Unit.HOURS):
        return bindparam(None, timedelta(hours=amount * _HOURS[unit]), Interval())
    return bindparam(None, timedelta(**{unit.value: amount}), Interval())


def top_test(compiler: Compiler, node: Top) -> Predicate:
    """Among the highest, or lowest, of the whole population. Who has no value, or no rows to make one of, is not in it."""
    compiler.touched.add(compiler.scope)
    assert compiler.scope.source is not None
    return compiler.scope.source.c[compiler.scope.entity.key].in_(top_keys(compiler, node))


def top_keys(compiler: Compiler, node: Top) -> Select[Any]:
    """The keys of those rows themselves."""
    entity = compiler.scope.entity
    source = named(entity_table(entity))
    inner = compiler.about(Scope(entity=entity, source=source))
    key: Sql = source.c[entity.key]
    groups = groups_of(inner, node.by) if isinstance(node.by, Aggregate) else None
    alone = node.where is None and not compiler.catalogue.merged
    if groups is None:
        ranked = select(key.label("key"), ordered_by(inner, node.by).label("value")).select_from(source)
    elif alone and _is_by_key(node, inner, entity):
        if not groups.value.nullable:
            return _top_groups(groups, node)
        ranked = select(groups.keys[0].label("key"), groups.value.sql.label("value")).select_from(groups.source)
    else:
        ranked = (
            select(key.label("key"), groups.value.sql.label("value")).select_from(source, groups.source).where(*groups.tied)
        )
    if node.where is not None:
        ranked = ranked.where(inner.condition(node.where))
    if compiler.catalogue.merged and entity.name == "profile":
        ranked = ranked.where(source.c.merged_into.is_(None))
    if groups is None and weight(node.by) > LIGHT:
        ranked = ranked.offset(literal_column("0"))  # or Postgres would write the value out wherever it is used
    values = ranked.subquery()
    order = values.c.value if node.lowest else values.c.value.desc()
    return select(values.c.key).where(values.c.value.is_not(None)).order_by(order, values.c.key).limit(node.size)


def _top_groups(groups: Groups, node: Top) -> Select[Any]:
    """The keys of groups of which each has a value; put in order where they are made, for another layer takes time, too."""
    key, value = groups.made.selected_columns
    found = groups.made.order_by(value if node.lowest else value.desc(), key).limit(node.size).subquery()
    return select(found.c[0].label("key"))


def ordered_by(inner: Compiler, by: Operand) -> Sql:
    """What rows are put in order by: no value where there are no rows to make one of, be they counted or added up."""
    if not isinstance(by, Aggregate) or MEASURES[by.measure].nothing is None:
        return inner.operand(by).sql
    asked = asked_of(inner, by)
    found = asked.rows.select(case((func.count() > 0, built(by, asked)))).where(*asked.rows.tied)
    return found.scalar_subquery()


def _is_by_key(node: Top, inner: Compiler, entity: Entity) -> bool:
    """Whether the groups are those of the entity's own keys, so that its table adds nothing."""
    assert isinstance(node.by, Aggregate)
    link = inner.scope.entity.links.get(node.by.selection.path[0])
    return link is not None and link.sound and [near for near, _ in link.on] == [entity.key]
