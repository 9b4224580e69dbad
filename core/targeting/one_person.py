"""Rows of profiles that are one person by a merge, as they are read of the survivor."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    FromClause,
    Select,
    TableClause,
    Text,
    and_,
    bindparam,
    case,
    column,
    func,
    literal_column,
    not_,
    or_,
    select,
    table,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on

from core.targeting.catalogue import Strictest
from core.targeting.compiled import Predicate, Sql

PROFILE = table("profile", column("id"), column("merged_into"))

_HELD_BY = "held_by"  # the profile whose row it is, beside the person's
_NEITHER: Sql = literal_column("0")  # of these the highest counts
_AGREES: Sql = literal_column("1")
_REFUSES: Sql = literal_column("2")
_NEVER: Sql = literal_column("'infinity'::timestamptz")
_NO_END: Sql = literal_column("'-infinity'::timestamptz")
_ONE: Sql = literal_column("1")


def with_merged(facts: TableClause, owner: str) -> FromClause:
    """The rows of a table that say whose they are, and once more those of profiles that are merged, as their survivors'.

    Two parts, not one with a condition: of each the index on the column serves.
    """
    merged, theirs = PROFILE.alias(), facts.alias()
    whose = [merged.c.merged_into.label(owner) if one.name == owner else one for one in theirs.c]
    again = select(*whose).where(theirs.c[owner] == merged.c.id, merged.c.merged_into.is_not(None))
    own = facts.alias()
    return union_all(select(*own.c), again).subquery()


def with_strictest(facts: TableClause, owner: str, strictest: Strictest) -> FromClause:
    """As `with_merged`, but of merged profiles only what counts instead of the survivor's own word; see `overruled`."""
    own = facts.alias()
    return union_all(select(*own.c, own.c[owner].label(_HELD_BY)), _instead(facts, owner, strictest)).subquery()


def overruled(rows: FromClause, facts: TableClause, owner: str, strictest: Strictest) -> Predicate:
    """Of a row of `with_strictest`: it is the survivor's own, and that of a merged profile counts instead.

    A test beside the rows and not within, where it would keep the index from finding those of one person.
    """
    other = _instead(facts, owner, strictest).subquery()
    same = [other.c[name] == rows.c[name] for name in (owner, strictest.about)]
    found = select(_ONE).select_from(other).where(*same, other.c[_HELD_BY] != rows.c[_HELD_BY])
    return found.correlate(rows).exists()


def _instead(facts: TableClause, owner: str, strictest: Strictest) -> Select[Any]:
    """At most one row of a person for each that is spoken about: of a merged profile, and before the survivor's own.

    What counts at all is what `person_subscription` and `person_consent` have; which of that, what a person is shown. An end
    that is over is one until it is swept.
    """
    merged, theirs, own = PROFILE.alias(), facts.alias(), facts.alias()
    about = strictest.about
    whose = [merged.c.merged_into.label(owner) if one.name == owner else one for one in theirs.c]
    same = and_(own.c[owner] == merged.c.merged_into, own.c[about] == theirs.c[about])
    since = own.c.since
    taken_back = and_(
        _is(own, strictest, strictest.agreed), since > theirs.c.since, since > func.merged_since(merged.c.id)
    )  # fmt: skip
    return (
        select(*whose, theirs.c[owner].label(_HELD_BY))
        .ext(distinct_on(merged.c.merged_into, theirs.c[about]))
        .select_from(merged.join(theirs, theirs.c[owner] == merged.c.id).outerjoin(own, same))
        .where(
            merged.c.merged_into.is_not(None),
            or_(not_(_is(theirs, strictest, *strictest.refused)), taken_back.is_not(true())),
            or_(own.c[owner].is_(None), tuple_(*_order(theirs, strictest)) > tuple_(*_order(own, strictest))),
        )
        .order_by(merged.c.merged_into, theirs.c[about], *(one.desc() for one in _order(theirs, strictest)), theirs.c[owner])
    )


def _order(rows: FromClause, strictest: Strictest) -> list[Sql]:
    """By what the row of a person is found that counts, the highest first."""
    agrees = _is(rows, strictest, strictest.agreed)
    order: list[Sql] = [case((_is(rows, strictest, *strictest.refused), _REFUSES), (agrees, _AGREES), else_=_NEITHER)]
    if strictest.ends is not None:
        order.append(case((agrees, func.coalesce(rows.c[strictest.ends], _NEVER)), else_=_NO_END))
    return [*order, rows.c.since]


def _is(rows: FromClause, strictest: Strictest, *words: str) -> Predicate:
    return or_(*(rows.c[strictest.word] == bindparam(None, one, Text()) for one in words))
