"""Which of the two ways of asking about aggregates Postgres expects to be faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select

from core.db import Connection
from core.targeting import store
from core.targeting.sql import Plan, Statement, compile_statement


async def cheaper(conn: Connection, make: Callable[[Plan], Select[Any]]) -> Statement:
    """The statement made by either plan that Postgres says costs less; it is asked only where the two differ."""
    together, alone = (compile_statement(make(plan)) for plan in (Plan.ALL_AT_ONCE, Plan.ONE_BY_ONE))
    if together.text == alone.text:
        return together
    costs = [await store.estimate_cost(conn, one) for one in (together, alone)]
    return together if costs[0] <= costs[1] else alone
