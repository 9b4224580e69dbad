"""Questions held against the present catalogue: checked once, until it or an audience that they name is another one.

Questions that call filters, or name audiences that do, are checked each time: their trees are made anew each time, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from core.db import Connection
from core.errors import Invalid
from core.recent import Recent
from core.targeting.catalogue import Catalogue
from core.targeting.check import CheckedExpression, check, check_value
from core.targeting.checked import CheckedValue
from core.targeting.errors import closest
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression
from core.targeting.published import present_catalogue
from core.targeting.records import AudienceKind
from core.targeting.references import Found, find_named, open_named

_MOST_KEPT = 500
_Key: TypeAlias = tuple[Any, ...]  # identities: of the expression, of the catalogue, and of the audiences that are named
_Alive: TypeAlias = tuple[Any, ...]  # the objects that have them
_Checked = TypeVar("_Checked", CheckedExpression, CheckedValue)
_QUESTIONS: Recent[_Key, tuple[_Alive, CheckedExpression]] = Recent(_MOST_KEPT)
_VALUES: Recent[_Key, tuple[_Alive, CheckedValue]] = Recent(_MOST_KEPT)


async def open_question(conn: Connection, expression: Expression, entity: str = "profile") -> CheckedExpression:
    """A question with all that it names, about any entity.

    Raises ExpressionError, Invalid (UNKNOWN_ENTITY), Conflict (AUDIENCE_NOT_RECONCILED).
    """
    return await _opened(conn, expression, entity, _QUESTIONS, check)


async def open_value(conn: Connection, expression: Expression, entity: str = "profile") -> CheckedValue:
    """An expression that computes, likewise. Raises as `open_question`."""
    return await _opened(conn, expression, entity, _VALUES, check_value)


async def _opened(
    conn: Connection, expression: Expression, entity: str, kept: Recent[_Key, tuple[_Alive, _Checked]],
    check_it: Callable[..., _Checked],
) -> _Checked:  # fmt: skip
    catalogue = await present_catalogue(conn)
    check_entity(catalogue, entity)
    found = await find_named(conn, expression.root)

    def opened() -> _Checked:
        return check_it(found.within(expression), catalogue, entity=entity, audiences=open_named(found, catalogue))

    if not found.as_written:
        return opened()
    key, alive = _identity(expression, entity, catalogue, found)
    known = kept.get(key)
    if known is None:
        known = kept.keep(key, (alive, opened()))
    return known[1]


def check_entity(catalogue: Catalogue, entity: str) -> None:
    """Raises Invalid (UNKNOWN_ENTITY)."""
    if entity not in catalogue.entities:
        near = closest(entity, catalogue.entities)
        raise Invalid(
            f"there is nothing called {entity[:80]!r} to ask about", code="UNKNOWN_ENTITY", path="entity",
            hint=f"Did you mean {near!r}?" if near else "targetEntities lists all that there is.",
        )  # fmt: skip


def _identity(expression: Expression, entity: str, catalogue: Catalogue, found: Found) -> tuple[_Key, _Alive]:
    """What is the same is the same object: texts, stored trees and catalogues are remembered, too. Members that are listed are
    the same by their audience and by the columns that they bring along."""
    trees = {name: read_stored(one.expression) for name, one in found.named.items() if one.kind is AudienceKind.QUERY}
    asked = frozenset((name, id(one)) for name, one in trees.items())
    listed = frozenset(
        (name, one.id, one.kind, one.reconciled, frozenset(one.columns.items()))
        for name, one in found.named.items() if one.kind is not AudienceKind.QUERY
    )  # fmt: skip
    return (id(expression), entity, id(catalogue), asked, listed), (expression, catalogue, *trees.values())
