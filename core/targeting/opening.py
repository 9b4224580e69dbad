"""Questions held against the present catalogue: checked once, until it or an audience that they name is another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from core.db import Connection
from core.recent import Recent
from core.targeting.catalogue import Catalogue
from core.targeting.check import CheckedExpression, check, check_value
from core.targeting.checked import CheckedValue
from core.targeting.json_form import read_stored
from core.targeting.language import Expression
from core.targeting.published import present_catalogue
from core.targeting.records import AudienceKind, NamedAudience
from core.targeting.references import Name, find_named, open_named

_MOST_KEPT = 500
_Key: TypeAlias = tuple[Any, ...]  # identities: of the expression, of the catalogue, and of the audiences that are named
_Alive: TypeAlias = tuple[Any, ...]  # the objects that have them
_Checked = TypeVar("_Checked", CheckedExpression, CheckedValue)
_QUESTIONS: Recent[_Key, tuple[_Alive, CheckedExpression]] = Recent(_MOST_KEPT)
_VALUES: Recent[_Key, tuple[_Alive, CheckedValue]] = Recent(_MOST_KEPT)


async def open_question(conn: Connection, expression: Expression) -> CheckedExpression:
    """A question with all that it names. Raises ExpressionError."""
    return await _opened(conn, expression, _QUESTIONS, check)


async def open_value(conn: Connection, expression: Expression) -> CheckedValue:
    """An expression that computes, likewise. Raises ExpressionError."""
    return await _opened(conn, expression, _VALUES, check_value)


async def _opened(
    conn: Connection, expression: Expression, kept: Recent[_Key, tuple[_Alive, _Checked]], check_it: Callable[..., _Checked]
) -> _Checked:
    catalogue = await present_catalogue(conn)
    named = await find_named(conn, expression.root)
    key, alive = _identity(expression, catalogue, named)
    found = kept.get(key)
    if found is None:
        checked = check_it(expression, catalogue, audiences=open_named(named, catalogue))
        found = kept.keep(key, (alive, checked))
    return found[1]


def _identity(expression: Expression, catalogue: Catalogue, named: Mapping[Name, NamedAudience]) -> tuple[_Key, _Alive]:
    """What is the same is the same object: texts, stored trees and catalogues are remembered, too."""
    asked = {
        name: one.id if one.kind is AudienceKind.LIST else read_stored(one.expression) for name, one in named.items()
    }  # fmt: skip
    lists_and_trees = frozenset((name, one if isinstance(one, int) else (id(one),)) for name, one in asked.items())
    return (id(expression), id(catalogue), lists_and_trees), (expression, catalogue, *asked.values())
