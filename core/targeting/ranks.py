"""Which of all rows of an entity one is, in some order.

All rows are put in order at once, by one window over the entity, and each is then found by its key. What asks for the place of
every row in any case joins with them; anything else looks a row up in an object of all, which is made once in a statement.
Only where the rows of each person are a group of their own are those put in order alone: they are few, and found by an index.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, FromClause, Select, Text, cast, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from core.targeting.aggregates import groups_of
from core.targeting.catalogue import CatalogueLink, Kind
from core.targeting.compiled import Compiler, Predicate, Sql, Value
from core.targeting.given import LIGHT, weight
from core.targeting.language import Aggregate, Field, Operand, Rank
from core.targeting.linked import ONE, around, entity_table, named, one_key
from core.targeting.one_person import PROFILE
from core.targeting.scopes import Scope, ends_in_link
from core.targeting.sequences import ordered_by


def rank_of_one(compiler: Compiler, node: Rank) -> Value:
    """The place of the one who is asked about; no value where it has none."""
    owner = _owner(compiler, node)
    if owner is not None:
        places = _places(compiler, node, owner)
        mine = select(places.c.place).where(places.c.key == _key(compiler)).correlate(*around(compiler.scope, ()))
        return Value(kind=Kind.INTEGER, sql=mine.scalar_subquery(), nullable=True)
    places = _places(compiler, node)
    every = select(func.jsonb_object_agg(places.c.key, places.c.place, type_=JSONB())).scalar_subquery()
    place = every.op("->>", return_type=Text())(cast(_key(compiler), Text()))
    return Value(kind=Kind.INTEGER, sql=cast(place, BigInteger()), nullable=True)


class Places:
    """The places of all rows, to be joined with the one who is asked about."""

    def __init__(self, compiler: Compiler, node: Rank) -> None:
        self._compiler = compiler
        self._places = _places(compiler, node)
        self.value = Value(kind=Kind.INTEGER, sql=self._places.c.place, nullable=False)

    def hold(self, test: Predicate, *, negated: bool) -> Predicate:
        """That the one has a place which passes a test, or, negated, that it has none."""
        found = select(ONE).select_from(self._places).where(self._places.c.key == _key(self._compiler), test)
        holds = found.correlate(*around(self._compiler.scope, ())).exists()
        return ~holds if negated else holds


def _key(compiler: Compiler) -> Sql:
    compiler.touched.add(compiler.scope)
    assert compiler.scope.source is not None
    key: Sql = compiler.scope.source.c[compiler.scope.entity.key]
    return key


def _owner(compiler: Compiler, node: Rank) -> CatalogueLink | None:
    """The link to the person whose rows are a group, where a column tells them from those of others."""
    paths = [one.path for one in node.per if isinstance(one, Field) and len(one.path) == 1]
    links = [compiler.scope.entity.links[name] for (name,) in paths if name in compiler.scope.entity.links]
    for link in links:
        if link.target == "profile" and link.pairs is None and not link.only and [far for _, far in link.on] == ["id"]:
            return link
    return None


def _same_owner(compiler: Compiler, link: CatalogueLink, theirs: Sql) -> Predicate:
    """That a row has the same person as the one who is asked about, be it one who is merged into the other."""
    source = compiler.scope.source
    assert source is not None
    mine = source.c[link.on[0][0]]
    if not compiler.catalogue.merged:
        return theirs == mine
    one, other = named(PROFILE), named(PROFILE)
    survivor = select(func.coalesce(one.c.merged_into, one.c.id)).where(one.c.id == mine).correlate(*around(compiler.scope, ()))
    whoever = survivor.scalar_subquery()
    return theirs.in_(select(other.c.id).where(or_(other.c.id == whoever, other.c.merged_into == whoever)))


def _places(compiler: Compiler, node: Rank, owner: CatalogueLink | None = None) -> FromClause:
    """`key` and `place` of all rows that have one; with `owner` of those of the same person alone."""
    entity = compiler.scope.entity
    inner = compiler.about(Scope(entity=entity, source=named(entity_table(entity))))
    found = _values(inner, node, together=owner is None)
    if owner is not None:
        assert inner.scope.source is not None
        same = _same_owner(compiler, owner, inner.scope.source.c[owner.on[0][0]])
        found = found.where(same).correlate(*around(compiler.scope, ()))
    values = found.subquery()
    first, *later = [
        (values.c[f"by{index}"].desc() if order.descending else values.c[f"by{index}"].asc())
        for index, order in enumerate(node.by)
    ]
    groups = [values.c[f"per{index}"] for index in range(len(node.per))]
    order = [first, *(one.nulls_last() for one in later), values.c.key]
    place: Sql = func.row_number(type_=BigInteger()).over(partition_by=groups or None, order_by=order)
    present = [one.is_not(None) for one in (values.c.by0, *groups)]
    return select(values.c.key, place.label("place")).where(*present).subquery()


def _values(inner: Compiler, node: Rank, *, together: bool) -> Select[Any]:
    """The keys of all rows that are ranked at all, and what they are put in order and in groups by. `together`: what linked
    rows come to is asked of everybody's at once."""
    entity, source = inner.scope.entity, inner.scope.source
    assert source is not None
    first, *later = node.by
    sums = groups_of(inner, first.value) if together and isinstance(first.value, Aggregate) else None
    value = ordered_by(inner, first.value) if sums is None else sums.value.sql
    columns = [source.c[entity.key].label("key"), value.label("by0")]
    columns += [inner.operand(one.value).sql.label(f"by{index}") for index, one in enumerate(later, 1)]
    columns += [_group(inner, one).label(f"per{index}") for index, one in enumerate(node.per)]
    found = select(*columns).select_from(source)
    if sums is not None:
        found = found.select_from(sums.source).where(*sums.tied)
    if node.where is not None:
        found = found.where(inner.condition(node.where))
    if inner.catalogue.merged and entity.name == "profile":
        found = found.where(source.c.merged_into.is_(None))
    heavy = any(weight(one) > LIGHT for one in (*(order.value for order in node.by), *node.per))
    return found.offset(literal_column("0")) if heavy else found  # or Postgres would write a value out wherever it is used


def _group(inner: Compiler, group: Operand) -> Sql:
    """What the rows of a group have in common."""
    if isinstance(group, Field) and ends_in_link(inner.scope, group.path, inner.catalogue.entities):
        return one_key(inner, group.path)
    return inner.operand(group).sql
