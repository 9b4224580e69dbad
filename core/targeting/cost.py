"""A bound to what may be asked without a bound on its time: Postgres is asked for its plan, and nothing runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select

from core.db import Connection
from core.errors import LimitReached
from core.targeting import store
from core.targeting.checked import CheckedExpression
from core.targeting.examine import examine
from core.targeting.sql import Statement, compile_statement

MOST_COST = 1e10  # in Postgres' units, of which a core does some 10,000 to 1,000,000 in a second


async def check_cost(
    conn: Connection, checked: CheckedExpression | None, whole: Select[Any] | None = None, *, at: datetime, zone: ZoneInfo
) -> None:  # fmt: skip
    """Raises LimitReached (QUESTION_TOO_COSTLY) for a question of which Postgres says that it would run for days.

    `whole` is what is asked of those whom the question finds (None: of all rows), and runs with it: rules and orders of
    segments, columns.
    """
    cost, advice = 0.0, "Narrow the question down"
    if checked is not None:
        found = await examine(conn, checked, at=at, zone=zone)
        cost, advice = found.cost, "; ".join(found.advice[:3]) or advice
    if whole is not None:
        cost = max(cost, await store.estimate_cost(conn, compile_statement(whole)))
    if is_too_costly(cost):
        raise too_costly(cost, advice)


async def check_statement_cost(conn: Connection, statement: Statement, *, path: str | None = None) -> None:
    """The same of a statement as it is to run; `path`: what asks it. Raises LimitReached (QUESTION_TOO_COSTLY)."""
    cost = await store.estimate_cost(conn, statement)
    if is_too_costly(cost):
        raise too_costly(cost, "Look at the examination of the question, and narrow it down", path=path)


def is_too_costly(cost: float) -> bool:
    """Whether what Postgres expects to cost so much would run for days."""
    return cost > MOST_COST


def too_costly(cost: float, advice: str, *, what: str = "the question", path: str | None = None) -> LimitReached:
    """The refusal (QUESTION_TOO_COSTLY) of what costs so much."""
    return LimitReached(
        f"{what} would cost {cost:.1g}, more than {MOST_COST:.0g}", code="QUESTION_TOO_COSTLY", path=path,
        hint=f"{advice}. Or ask it in parts: freeze one part into a list, and ask the rest of its members.",
    )  # fmt: skip
