"""SQL about members that are listed: who is one, and what they bring along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Text, bindparam, cast, func, select, table, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import column

from core.targeting.catalogue import Kind
from core.targeting.checked import CheckedExpression, Listed
from core.targeting.compiled import TYPES, Predicate, Sql
from core.targeting.language import And, Condition, Member
from core.targeting.linked import ONE, around, named
from core.targeting.objects import object_of, without_nulls
from core.targeting.one_person import with_merged
from core.targeting.scopes import Scope

_MEMBER = table("audience_member", *(column(name) for name in ("audience_id", "profile_id", "added_at", "data")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A column that everybody in an audience may bring along, and the list or file that has it."""

    name: str
    kind: Kind
    audience_id: int


def listed_test(scope: Scope, audience_id: int, *, merged: bool) -> Predicate:
    """On the list of an audience; with `merged`, also if one is who was merged into somebody."""
    assert scope.source is not None
    member = _members(merged=merged)
    found = select(ONE).select_from(member).where(*_is(member, audience_id, scope.source.c[scope.entity.key]))
    return found.correlate(*around(scope, ())).exists()


def brought_value(scope: Scope, audience_id: int, name: str, kind: Kind, *, merged: bool) -> Sql:
    """What one brings along in a column of an audience whose members are listed; NULL for who is none of them."""
    assert scope.source is not None
    member = _members(merged=merged)
    text: Sql = _text(member, name)
    value = text if kind is Kind.TEXT else cast(text, TYPES[kind])
    found = select(type_coerce(value, TYPES[kind])).select_from(member)
    found = found.where(*_is(member, audience_id, scope.source.c[scope.entity.key]))
    if merged:  # of several who are one, who was put on the list first
        found = found.order_by(member.c.added_at).limit(1)
    return found.correlate(*around(scope, ())).scalar_subquery()


def brought_along(checked: CheckedExpression) -> Mapping[str, Brought]:
    """The columns that those whom a question finds bring along: of each list and file that it has everybody in, by name.

    `in_audience('vip') and country = 'FR'` brings those of `vip`. Of two with one name, that of the first counts.
    """
    found: dict[str, Brought] = {}
    for one in _all_are_in(checked):
        for name, kind in one.columns.items():
            found.setdefault(name, Brought(name=name, kind=kind, audience_id=one.id))
    return found


def brought_object(columns: Iterable[Brought], person: ColumnElement[int], *, merged: bool) -> ColumnElement[Any]:
    """A jsonb object of what a person brings along, where there is a value; decimals are texts, as exact as they are."""
    built: ColumnElement[Any] = object_of([])
    ordered = sorted(columns, key=lambda one: (one.audience_id, one.name))
    for audience_id, some in groupby(ordered, key=lambda one: one.audience_id):
        built = built.op("||")(_object_of(audience_id, list(some), person, merged=merged))
    return type_coerce(built, JSONB)


def _object_of(
    audience_id: int, columns: Sequence[Brought], person: ColumnElement[int], *, merged: bool
) -> ColumnElement[Any]:  # fmt: skip
    member = _members(merged=merged)
    made = without_nulls(object_of([(one.name, _kept(member, one)) for one in columns]))
    found = select(made).select_from(member).where(*_is(member, audience_id, person))
    if merged:
        found = found.order_by(member.c.added_at).limit(1)
    return func.coalesce(found.correlate(person.table).scalar_subquery(), object_of([]))


def _kept(member: FromClause, one: Brought) -> Sql:
    if one.kind is Kind.DECIMAL:
        return _text(member, one.name)
    value: Sql = member.c.data.op("->")(bindparam(None, one.name, Text()))
    return value


def _text(member: FromClause, name: str) -> Sql:
    value: Sql = member.c.data.op("->>")(bindparam(None, name, Text()))
    return value


def _members(*, merged: bool) -> FromClause:
    return with_merged(_MEMBER, "profile_id") if merged else named(_MEMBER)


def _is(member: FromClause, audience_id: int, person: Sql) -> tuple[Predicate, Predicate]:
    return member.c.audience_id == bindparam(None, audience_id, BigInteger()), member.c.profile_id == person


def _all_are_in(checked: CheckedExpression) -> Iterator[Listed]:
    for member in _conjuncts(checked.expression.root):
        found = checked.audiences.get((member.audience, member.version))
        if isinstance(found, Listed):
            yield found
        elif found is not None:
            yield from _all_are_in(found)


def _conjuncts(node: Condition) -> Iterator[Member]:
    if isinstance(node, Member):
        yield node
    elif isinstance(node, And):
        for term in node.terms:
            yield from _conjuncts(term)
