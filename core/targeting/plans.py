"""Which of the two ways of asking about aggregates Postgres expects to be faster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from core.db import Connection
from core.recent import per_object
from core.targeting import store
from core.targeting.check import CheckedExpression
from core.targeting.compiled import Plan
from core.targeting.language import Aggregate, Rank, Top, every_node
from core.targeting.sql import Statement
from core.targeting.statements import Shape, statement_of

_MOST_KEPT = 500


async def cheaper(conn: Connection, checked: CheckedExpression, shape: Shape, *, at: datetime, zone: ZoneInfo) -> Statement:
    """The statement by that plan which Postgres says costs less; it is asked only where the two differ."""
    return await cheaper_of(conn, checked, lambda plan: statement_of(checked, shape, plan, at=at, zone=zone))


async def cheaper_of(conn: Connection, checked: CheckedExpression, by: Callable[[Plan], Statement]) -> Statement:
    """The same of any statement that asks the question by a plan."""
    together = by(Plan.ALL_AT_ONCE)
    if not _has_aggregate(checked):
        return together
    alone = by(Plan.ONE_BY_ONE)
    if together.text == alone.text:
        return together
    costs = [await store.estimate_cost(conn, one) for one in (together, alone)]
    return together if costs[0] <= costs[1] else alone


@per_object(_MOST_KEPT)
def ranks_everybody(checked: CheckedExpression) -> bool:
    """Whether somebody's answer or value depends on all others: it, or an audience that it names, asks for ranks."""
    return _has(checked, Top, Rank)


@per_object(_MOST_KEPT)
def _has_aggregate(checked: CheckedExpression) -> bool:
    """Whether the question, or an audience that it names, asks what rows come to."""
    return _has(checked, Aggregate)


def _has(checked: CheckedExpression, *kinds: type) -> bool:
    """Whether a node of one of these kinds stands in the question or in an audience that it names."""
    named = (one for one in checked.audiences.values() if isinstance(one, CheckedExpression))
    return any(isinstance(node, kinds) for one in (checked, *named) for node in every_node(one.expression.root))
