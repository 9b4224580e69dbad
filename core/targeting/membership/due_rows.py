"""Who is due when, as statements: of some people, each by their own rows, or of everybody's rows at once. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import FromClause, Select, func, literal_column, or_, select, union_all

from core.targeting.linked import Rows
from core.targeting.membership.due import Window, least

_NOTHING: Any = literal_column("0")


def due_rows(windows: Sequence[Window], people: FromClause, *, some: bool) -> Select[Any]:
    """`profile_id` and `due_at` of those who are due at all, once each. `some`: the people are few of all, so that their rows
    are looked for, and not those of everybody."""
    parts = list(_parts(windows, people, some=some))
    if len(parts) == 1:
        return parts[0]
    found = union_all(*parts).subquery()
    return select(found.c.profile_id, func.min(found.c.due_at).label("due_at")).group_by(found.c.profile_id)


def _parts(windows: Sequence[Window], people: FromClause, *, some: bool) -> Iterator[Select[Any]]:
    grouped = [(one, one.rows) for one in windows if one.rows is not None and _groups(one.rows)]
    own = [one for one in windows if one.groups is None and all(one is not other for other, _ in grouped)]
    for one in windows:
        if one.groups is not None:
            (whose,) = one.groups.keys
            yield _of_whom(one, select(whose.label("profile_id"), one.at.label("due_at")).where(one.at.is_not(None)), people)
    if own:
        first = least([one.of_one for one in own])
        asked = select(people.c.id.label("profile_id"), first.label("due_at"))
        after = [one.after for one in own if one.rows is None and one.after is not None]
        if len(after) == len(own):
            asked = asked.where(or_(*after))
        at = asked.offset(_NOTHING).subquery()  # computed once
        yield select(at.c.profile_id, at.c.due_at).where(at.c.due_at.is_not(None))
    for one, rows in grouped:
        yield _of_groups(one, rows, people, some=some)


def _groups(rows: Rows) -> bool:
    """Whether the rows say whose they are, and nothing is said of them that names the one."""
    return not rows.outside and [near.name for near, _ in rows.tie] == ["id"]


def _of_groups(one: Window, rows: Rows, people: FromClause, *, some: bool) -> Select[Any]:
    ((_, whose),) = rows.tie
    found = rows.select(whose.label("profile_id"), func.min(one.at).label("due_at")).where(one.at.is_not(None))
    if some:
        others = people.alias()
        found = found.where(whose.in_(select(others.c.id)))
    else:
        found = found.where(whose.is_not(None))
    grouped = found.group_by(whose)
    return _of_whom(one, grouped if one.matters is None else grouped.having(one.matters), people)


def _of_whom(one: Window, found: Select[Any], people: FromClause) -> Select[Any]:
    """Those for whom the window matters."""
    if not one.only:
        return found
    each = found.subquery()
    return select(each.c.profile_id, each.c.due_at).where(people.c.id == each.c.profile_id, *one.only)
