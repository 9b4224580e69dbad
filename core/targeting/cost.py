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
    _refuse(cost, advice)


async def check_statement_cost(conn: Connection, statement: Statement) -> None:
    """The same of a statement as it is to run. Raises LimitReached (QUESTION_TOO_COSTLY)."""
    _refuse(await store.estimate_cost(conn, statement), "Look at the examination of the question, and narrow it down")


def _refuse(cost: float, advice: str) -> None:
    if cost <= MOST_COST:
        return
    raise LimitReached(
        f"the question would cost {cost:.1g}, more than {MOST_COST:.0g}", code="QUESTION_TOO_COSTLY",
        hint=f"{advice}. Or ask it in parts: freeze one part into a list, and ask the rest of its members.",
    )  # fmt: skip
