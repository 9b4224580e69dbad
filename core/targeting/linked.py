"""SQL about linked rows: where they are, and whether there are some. What they come to is in `aggregates`, in which order they
were in `sequences`.

A compiler compiles what is said of one row; here are the sub-queries around it. None of them is ever NULL as a condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    FromClause,
    Select,
    TableClause,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)

from core.targeting.catalogue import CatalogueLink, Entity
from core.targeting.compiled import Compiler, Predicate, Sql
from core.targeting.language import (
    Call,
    Condition,
    Exists,
    Field,
    Literal,
    Operand,
    Operation,
    Operator,
    Relative,
    Selection,
    Test,
)
from core.targeting.one_person import overruled, with_merged, with_strictest
from core.targeting.scopes import Scope

ONE: Sql = literal_column("1")


@cache
def _table(name: str, columns: tuple[str, ...]) -> TableClause:
    return table(name, *(column(each) for each in columns))


def entity_table(entity: Entity) -> TableClause:
    """The entity's table with the columns the catalogue names; alias it to use it more than once."""
    near = (name for link in entity.links.values() for name, _ in link.on)
    names = dict.fromkeys([entity.key, *(field.column for field in entity.fields.values()), *near, *entity.columns])
    return _table(entity.table, tuple(names))


def named(source: FromClause) -> FromClause:
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
        return select(*columns).select_from(*self.sources).where(*self.tests).correlate(*around(self.scope, self.sources))

    @property
    def tied(self) -> list[Predicate]:
        """That they are linked to the one."""
        return [near == far for near, far in self.tie]


def around(scope: Scope, inside: Sequence[FromClause]) -> list[FromClause]:
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
        tell_beyond(compiler, rows, inner, origin)
    compiler.touched.add(origin)
    return rows


def tell_beyond(compiler: Compiler, rows: Rows, inner: Compiler, origin: Scope) -> None:
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
    far = named(entity_table(target))
    if _leads_to_merged(compiler, link):
        # Who is found there may be merged: then it is the survivor that is read.
        whose = named(entity_table(target))
        rows.sources.append(whose)
        ties: list[tuple[Sql, Sql]] = [(scope.source.c[near], whose.c[name]) for near, name in link.on]
        rows.tests.append(far.c[target.key] == func.coalesce(whose.c.merged_into, whose.c[target.key]))
    elif link.pairs is None:
        if through and target.strictest is not None:
            facts = entity_table(target), link.on[0][1], target.strictest
            far = with_strictest(*facts)
            rows.tests.append(~overruled(far, *facts))
        elif through:
            far = with_merged(entity_table(target), link.on[0][1])
        ties = [(scope.source.c[near], far.c[name]) for near, name in link.on]
    else:
        pair_table = _table(link.pairs.table, (link.pairs.near, link.pairs.far))
        pairs = with_merged(pair_table, link.pairs.near) if through else named(pair_table)
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


def _leads_to_merged(compiler: Compiler, link: CatalogueLink) -> bool:
    return compiler.catalogue.merged and link.target == "profile" and not link.many


def exists_test(compiler: Compiler, node: Exists) -> Predicate:
    """There is such a row."""
    rows = rows_of(compiler, node.selection)
    return rows.select(ONE).where(*rows.tied).exists()


def linked_test(compiler: Compiler, owner: Scope, link: CatalogueLink, test: Condition, *, negated: bool) -> Predicate:
    """A condition that is all about the one row at the end of a link. Negated, it is true where there is none, too."""
    rows = Rows(scope=owner)
    rows.scope = owner.joined[link.name] = _join(compiler, rows, owner, link, first=True)
    try:
        holds = compiler.condition(test)
        finds_one = not _leads_to_merged(compiler, link) and _finds_one(compiler.scope, rows.scope, link, test)
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
    found = rows.select(ONE).where(*rows.tied, holds).exists()
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
    entity = rows.scope.entity
    return entity, _of_first(compiler, rows, entity.fields[name].column)


def one_key(compiler: Compiler, path: Sequence[str]) -> Sql:
    """The key of the one row at the end of a path; NULL where there is none."""
    scope = compiler.scope
    link = scope.step(path[0])
    if len(path) == 1 and isinstance(link, CatalogueLink) and _is_held(compiler, link):
        assert scope.source is not None
        compiler.touched.add(scope)
        near: Sql = scope.source.c[link.on[0][0]]
        return near
    rows = rows_of(compiler, Selection(tuple(path)))
    return _of_first(compiler, rows, rows.scope.entity.key)


def _is_held(compiler: Compiler, link: CatalogueLink) -> bool:
    """Whether a column is the key at the end of a link to one, to which a foreign key sees."""
    if link.pairs is not None or link.back is None or _leads_to_merged(compiler, link):
        return False
    back = compiler.catalogue.entities[link.target].links.get(link.back)
    return back is not None and back.sound


def _of_first(compiler: Compiler, rows: Rows, column: str) -> Sql:
    """A column of the one row at the end of a path; of several rows, that of the first."""
    source = rows.scope.source
    assert source is not None
    found = rows.select(source.c[column]).where(*rows.tied)
    if not all(one.via.unique for one in _way(rows.scope, compiler.scope) if one.via is not None):
        found = found.order_by(source.c[rows.scope.entity.key]).limit(1)
    return found.scalar_subquery()


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
