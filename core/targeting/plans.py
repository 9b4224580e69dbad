"""Which of the two ways of asking about aggregates Postgres expects to be faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select

from core.db import Connection
from core.targeting import store
from core.targeting.check import CheckedExpression
from core.targeting.compiled import Plan
from core.targeting.language import Aggregate, every_node
from core.targeting.sql import Statement, compile_statement


async def cheaper(conn: Connection, checked: CheckedExpression, make: Callable[[Plan], Select[Any]]) -> Statement:
    """The statement made by either plan that Postgres says costs less; it is asked only where the two differ."""
    together = compile_statement(make(Plan.ALL_AT_ONCE))
    if not _has_aggregate(checked):
        return together
    alone = compile_statement(make(Plan.ONE_BY_ONE))
    if together.text == alone.text:
        return together
    costs = [await store.estimate_cost(conn, one) for one in (together, alone)]
    return together if costs[0] <= costs[1] else alone


def _has_aggregate(checked: CheckedExpression) -> bool:
    """Whether the question, or an audience that it names, asks what rows come to."""
    named = (one for one in checked.audiences.values() if isinstance(one, CheckedExpression))
    return any(isinstance(node, Aggregate) for one in (checked, *named) for node in every_node(one.expression.root))
