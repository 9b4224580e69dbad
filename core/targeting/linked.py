"""SQL about linked rows: whether there are some, what they come to, and in which order they were.

A compiler compiles what is said of one row; here are the sub-queries around it. None of them is ever NULL as a condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Date,
    FromClause,
    Interval,
    Select,
    TableClause,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on

from core.targeting.catalogue import CatalogueLink, Entity, Kind
from core.targeting.compiled import Compiler, Predicate, Sql, Value
from core.targeting.given import LIGHT, weight
from core.targeting.language import (
    Aggregate,
    Call,
    Condition,
    Exists,
    Field,
    Following,
    Literal,
    Measure,
    Operand,
    Operation,
    Operator,
    Relative,
    Selection,
    Stage,
    Test,
    Top,
    Unit,
)
from core.targeting.operators import COMPARATORS, MEASURES
from core.targeting.scopes import Scope

_ONE: Sql = literal_column("1")


@cache
def _table(name: str, columns: tuple[str, ...]) -> TableClause:
    return table(name, *(column(each) for each in columns))


def entity_table(entity: Entity) -> TableClause:
    """The entity's table with the columns the catalogue names; alias it to use it more than once."""
    near = (name for link in entity.links.values() for name, _ in link.on)
    names = dict.fromkeys([entity.key, *(field.column for field in entity.fields.values()), *near, *entity.columns])
    return _table(entity.table, tuple(names))


def _named(source: FromClause) -> FromClause:
    """The table under a name of its own, whose number SQLAlchemy gives in each statement."""
    return source.alias()


@dataclass(slots=True, kw_only=True)
class Rows:
    """Rows that are linked to one: where they come from, what ties them to it, and what holds of them."""

    scope: Scope  # of the rows themselves
    sources: list[FromClause] = field(default_factory=list)
    tie: list[tuple[Sql, Sql]] = field(default_factory=list)  # columns of the one and theirs that are equal
    tests: list[Predicate] = field(default_factory=list)
    outside: bool = False  # whether a test is about the one too, or about rows beyond it

    def select(self, *columns: Sql) -> Select[Any]:
        """Of all such rows, whoever they are linked to."""
        return select(*columns).select_from(*self.sources).where(*self.tests).correlate(*_around(self.scope, self.sources))

    @property
    def tied(self) -> list[Predicate]:
        """That they are linked to the one."""
        return [near == far for near, far in self.tie]


def _around(scope: Scope, inside: Sequence[FromClause]) -> list[FromClause]:
    """All rows that may be named from here and are not selected here."""
    found: list[FromClause] = []
    at: Scope | None = scope
    while at is not None:
        beside = [at.source, *(one.source for one in at.joined.values())]
        found += [one for one in beside if one is not None and all(one is not other for other in inside)]
        at = at.parent
    return found


def rows_of(compiler: Compiler, selection: Selection) -> Rows:
    """The rows of a selection."""
    scope, rest = _walk_back(compiler, selection.path)
    origin = scope
    rows = Rows(scope=scope)
    for name in rest:
        link = scope.step(name)
        assert isinstance(link, CatalogueLink), "as it was checked"
        scope = _join(compiler, rows, scope, link, first=scope is origin)
    rows.scope = scope
    if selection.where is not None:
        inner = compiler.about(scope)
        rows.tests.append(inner.condition(selection.where))
        _told(compiler, rows, inner, origin)
    compiler.touched.add(origin)
    return rows


def _told(compiler: Compiler, rows: Rows, inner: Compiler, origin: Scope) -> None:
    """What was said of the rows may have named others than those on the way to them."""
    beyond = inner.touched - _way(rows.scope, origin)
    rows.outside = rows.outside or bool(beyond)
    compiler.touched |= beyond


def _walk_back(compiler: Compiler, path: Sequence[str]) -> tuple[Scope, Sequence[str]]:
    """The row from which a path leads to others."""
    scope = compiler.scope
    for index, name in enumerate(path):
        step = scope.step(name)
        if not isinstance(step, Scope):
            return scope, path[index:]
        scope = step
    return scope, ()


def _way(scope: Scope, origin: Scope) -> set[Scope]:
    """The rows between two."""
    found: set[Scope] = set()
    at: Scope | None = scope
    while at is not None and at is not origin:
        found.add(at)
        at = at.parent
    return found


def _join(compiler: Compiler, rows: Rows, scope: Scope, link: CatalogueLink, *, first: bool) -> Scope:
    """Add the rows at the end of one more link."""
    target = compiler.catalogue.entities[link.target]
    assert scope.source is not None
    # What is linked to a profile that is merged is read as its survivor's.
    through = compiler.catalogue.merged and scope.entity.name == "profile" and [near for near, _ in link.on] == ["id"]
    far = _named(entity_table(target))
    if link.pairs is None:
        if through:
            far = _with_merged(entity_table(target), link.on[0][1])
        ties: list[tuple[Sql, Sql]] = [(scope.source.c[near], far.c[name]) for near, name in link.on]
    else:
        pair_table = _table(link.pairs.table, (link.pairs.near, link.pairs.far))
        pairs = _with_merged(pair_table, link.pairs.near) if through else _named(pair_table)
        rows.sources.append(pairs)
        ties = [(scope.source.c[link.on[0][0]], pairs.c[link.pairs.near])]
        rows.tests.append(pairs.c[link.pairs.far] == far.c[target.key])
    if first:
        rows.tie = ties
    else:
        rows.tests += [near == other for near, other in ties]
    rows.sources.append(far)
    rows.tests += [far.c[name] == value for name, value in link.only]
    return scope.within(target, link, far)


_PROFILE = _table("profile", ("id", "merged_into"))


def _with_merged(facts: TableClause, column: str) -> FromClause:
    """The rows of a table that say whose they are, and once more those of profiles that are merged, as their survivors'.

    Two parts, not one with a condition: of each the index on the column serves.
    """
    merged, theirs = _named(_PROFILE), _named(facts)
    whose = [merged.c.merged_into.label(column) if one.name == column else one for one in theirs.c]
    again = select(*whose).where(theirs.c[column] == merged.c.id, merged.c.merged_into.is_not(None))
    own = _named(facts)
    return union_all(select(*own.c), again).subquery()


def exists_test(compiler: Compiler, node: Exists) -> Predicate:
    """There is such a row."""
    rows = rows_of(compiler, node.selection)
    return rows.select(_ONE).where(*rows.tied).exists()


def linked_test(compiler: Compiler, owner: Scope, link: CatalogueLink, test: Condition, *, negated: bool) -> Predicate:
    """A condition that is all about the one row at the end of a link. Negated, it is true where there is none, too."""
    rows = Rows(scope=owner)
    rows.scope = owner.joined[link.name] = _join(compiler, rows, owner, link, first=True)
    try:
        holds = compiler.condition(test)
        finds_one = _finds_one(compiler.scope, rows.scope, link, test)
        if not link.unique:
            rows.tests.append(_is_first(compiler, owner, rows.scope, link))
    finally:
        del owner.joined[link.name]
    compiler.touched.discard(rows.scope)
    compiler.touched.add(owner)
    if finds_one:
        # One sub-query beforehand, whose answer tells Postgres which partitions and which part of an index to look at.
        ((near, far),) = rows.tie
        same = near == rows.select(far).where(holds).scalar_subquery()
        return same.is_not(true()) if negated else same
    found = rows.select(_ONE).where(*rows.tied, holds).exists()
    return ~found if negated else found


def _is_first(compiler: Compiler, owner: Scope, scope: Scope, link: CatalogueLink) -> Predicate:
    """Of several rows at the end of a link to one, the one whose fields `one_value` takes."""
    others = Rows(scope=owner)
    others.scope = _join(compiler, others, owner, link, first=True)
    assert others.scope.source is not None
    assert scope.source is not None
    key = others.scope.source.c[scope.entity.key]
    first = others.select(key).where(*others.tied).order_by(key).limit(1).scalar_subquery()
    return scope.source.c[scope.entity.key] == first


def _finds_one(asked: Scope, scope: Scope, link: CatalogueLink, test: Condition) -> bool:
    """Whether a condition on the row at the end of a link names that row, and so is true of one row at most."""
    if link.pairs is not None or link.only or [far for _, far in link.on] != [scope.entity.key]:
        return False
    if not isinstance(test, Operation) or test.operator is not Operator.EQUAL:
        return False
    fields = [one for one in test.operands if isinstance(one, Field)]
    others = [one for one in test.operands if isinstance(one, Literal)]
    if len(fields) != 1 or len(others) != 1:
        return False
    at: Scope | CatalogueLink | None = asked
    for name in fields[0].path[:-1]:
        at = at.step(name) if isinstance(at, Scope) else None
    if at is not scope:
        return False  # of a row further on, which may be that of many
    return scope.entity.fields[fields[0].path[-1]].unique


def one_value(compiler: Compiler, path: Sequence[str], name: str) -> tuple[Entity, Sql]:
    """A field of the one row at the end of a path, whose entity is said; NULL where there is none."""
    rows = rows_of(compiler, Selection(tuple(path)))
    source, entity = rows.scope.source, rows.scope.entity
    assert source is not None
    found = rows.select(source.c[entity.fields[name].column]).where(*rows.tied)
    if not all(one.via.unique for one in _way(rows.scope, compiler.scope) if one.via is not None):
        found = found.order_by(source.c[entity.key]).limit(1)
    return entity, found.scalar_subquery()


def common_link(scope: Scope, node: Operation) -> tuple[Scope, CatalogueLink] | None:
    """The link that all operands begin with, if they do, and the row from which it leads."""
    found: tuple[Scope, CatalogueLink] | None = None
    for operand in _leaves(node.operands):
        if isinstance(operand, Literal | Relative):
            continue
        link = _first_link(scope, operand.path) if isinstance(operand, Field) else None
        if link is None or (found is not None and (link[0] is not found[0] or link[1] is not found[1])):
            return None
        found = link
    return found


def _leaves(operands: Sequence[Operand]) -> Iterator[Operand]:
    for operand in operands:
        match operand:
            case Call(arguments=arguments) if not any(isinstance(one, Test) for one in arguments):
                yield from _leaves([one for one in arguments if not isinstance(one, Test)])
            case _:
                yield operand


def _first_link(scope: Scope, path: Sequence[str]) -> tuple[Scope, CatalogueLink] | None:
    for name in path[:-1]:
        step = scope.step(name)
        if isinstance(step, CatalogueLink):
            return scope, step
        assert step is not None, "as it was checked"
        scope = step
    return None


@dataclass(slots=True, kw_only=True)
class _Asked:
    """An aggregate's rows, and what is asked of each (None: they are counted)."""

    rows: Rows
    value: Value | None
    by: Sql | None


def _asked(compiler: Compiler, node: Aggregate) -> _Asked:
    kept: _Asked | None = compiler.kept.pop(id(node), None)
    if kept is not None:
        return kept
    rows = rows_of(compiler, node.selection)
    inner = compiler.about(rows.scope)
    value = None if node.value is None else inner.operand(node.value)
    by = _moment(inner, node.by).sql if MEASURES[node.measure].ordered else None
    _told(compiler, rows, inner, compiler.scope)
    return _Asked(rows=rows, value=value, by=by)


def _moment(inner: Compiler, by: Operand | None) -> Value:
    time = inner.scope.entity.time
    assert by is not None or time is not None, "as it was checked"
    return inner.operand(Field((str(time),)) if by is None else by)


def _value(node: Aggregate, asked: _Asked, sql: Sql) -> Value:
    """What the rows come to, as an operand."""
    rule = MEASURES[node.measure]
    field = None if rule.gives or asked.value is None or asked.value.field is None else asked.value.field
    kind = rule.gives or (asked.value.kind if asked.value else Kind.INTEGER)
    plain = replace(field, derived=None) if field else None
    return Value(kind=kind, sql=sql, nullable=rule.nothing is None, field=plain)


def _built(node: Aggregate, asked: _Asked) -> Sql:
    rule = MEASURES[node.measure]
    assert rule.build is not None
    if asked.value is None:
        return func.count()
    built = rule.build(asked.value.sql.distinct() if node.distinct else asked.value.sql)
    return built if rule.nothing is None or node.measure is Measure.COUNT else func.coalesce(built, rule.nothing)


def aggregate_of_one(compiler: Compiler, node: Aggregate) -> Value:
    """What the rows linked to one come to, asked for each by itself."""
    asked = _asked(compiler, node)
    rows = asked.rows
    if asked.by is None:
        found = rows.select(_built(node, asked)).where(*rows.tied)
    else:
        assert asked.value is not None
        present = asked.by.is_not(None)
        found = rows.select(asked.value.sql).where(*rows.tied, present).order_by(*_order(node, asked)).limit(1)
    return _value(node, asked, found.scalar_subquery())


def _order(node: Aggregate, asked: _Asked) -> list[Sql]:
    source = asked.rows.scope.source
    assert source is not None
    assert asked.by is not None
    key = source.c[asked.rows.scope.entity.key]
    return [asked.by.desc(), key.desc()] if node.measure is Measure.LAST else [asked.by, key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """What linked rows come to, of all rows that have any, at once."""

    source: FromClause
    tied: tuple[Predicate, ...]  # to the row asked about
    keys: tuple[Sql, ...]  # columns that say whose they are
    value: Value


def groups_of(compiler: Compiler, node: Aggregate) -> Groups | None:
    """The aggregate of everybody; None where the rows are chosen by something of the one who is asked about."""
    asked = _asked(compiler, node)
    rows = asked.rows
    if rows.outside:
        compiler.kept[id(node)] = asked  # for `aggregate_of_one`: made twice at each level, nested ones would take for ever
        return None
    theirs = [far for _, far in rows.tie]
    named = [key.label(f"key{index}") for index, key in enumerate(theirs)]
    present = [key.is_not(None) for key in theirs]
    if asked.by is None:
        made = rows.select(*named, _built(node, asked).label("value")).where(*present).group_by(*theirs)
    else:
        assert asked.value is not None
        made = (
            rows.select(*named, asked.value.sql.label("value"))
            .where(*present, asked.by.is_not(None))
            .ext(distinct_on(*theirs))
            .order_by(*theirs, *_order(node, asked))
        )
    grouped = made.subquery()
    keys = tuple(grouped.c[f"key{index}"] for index in range(len(theirs)))
    tied = tuple(near == key for (near, _), key in zip(rows.tie, keys, strict=True))
    return Groups(source=grouped, tied=tied, keys=keys, value=_value(node, asked, grouped.c.value))


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
    found = select(_ONE).select_from(groups.source).where(*groups.tied, test).correlate(*_around(compiler.scope, ())).exists()
    return ~found if negated else found


def following_test(compiler: Compiler, node: Following) -> Predicate:
    """There are rows that follow each other, each within its time after the one before."""
    first, *others = node.stages
    rows = rows_of(compiler, first.selection)
    sources, tests = list(rows.sources), [*rows.tied, *rows.tests]
    before = _moment(compiler.about(rows.scope), first.by)
    scopes = [rows.scope]
    for stage in others:
        later = rows_of(compiler, stage.selection)
        sources += later.sources
        tests += [*_tied_alike(rows, later), *later.tests]
        now = _moment(compiler.about(later.scope), stage.by)
        tests.append(_comes_after(compiler, stage, before, now))
        before = now
        scopes.append(later.scope)
    around = [one for scope in scopes for one in _around(scope, sources)]
    return select(_ONE).select_from(*sources).where(*tests).correlate(*around).exists()


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


_MEMBER = _table("audience_member", ("audience_id", "profile_id"))


def listed_test(scope: Scope, audience_id: int, *, merged: bool) -> Predicate:
    """On the list of an audience; with `merged`, also if one is who was merged into somebody."""
    assert scope.source is not None
    member = _with_merged(_MEMBER, "profile_id") if merged else _named(_MEMBER)
    tied = member.c.profile_id == scope.source.c[scope.entity.key]
    found = select(_ONE).select_from(member).where(member.c.audience_id == bindparam(None, audience_id, BigInteger()), tied)
    return found.correlate(*_around(scope, ())).exists()


def top_test(compiler: Compiler, node: Top) -> Predicate:
    """Among the highest, or lowest, of the whole population. Who has no value, or no rows to make one of, is not in it."""
    entity = compiler.scope.entity
    source = _named(entity_table(entity))
    inner = compiler.about(Scope(entity=entity, source=source))
    key: Sql = source.c[entity.key]
    groups = groups_of(inner, node.by) if isinstance(node.by, Aggregate) else None
    if groups is None:
        ranked = select(key.label("key"), _ranked(inner, node.by).label("value")).select_from(source)
    elif node.where is None and not compiler.catalogue.merged and _is_by_key(node, inner, entity):
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
    highest = select(values.c.key).where(values.c.value.is_not(None)).order_by(order, values.c.key).limit(node.size)
    compiler.touched.add(compiler.scope)
    assert compiler.scope.source is not None
    return compiler.scope.source.c[entity.key].in_(highest)


def _ranked(inner: Compiler, by: Operand) -> Sql:
    """What rows are put in order by: no value where there are no rows to make one of, be they counted or added up."""
    if not isinstance(by, Aggregate) or MEASURES[by.measure].nothing is None:
        return inner.operand(by).sql
    asked = _asked(inner, by)
    found = asked.rows.select(case((func.count() > 0, _built(by, asked)))).where(*asked.rows.tied)
    return found.scalar_subquery()


def _is_by_key(node: Top, inner: Compiler, entity: Entity) -> bool:
    """Whether the groups are those of the entity's own keys, so that its table adds nothing."""
    assert isinstance(node.by, Aggregate)
    link = inner.scope.entity.links.get(node.by.selection.path[0])
    return link is not None and link.sound and [near for near, _ in link.on] == [entity.key]
