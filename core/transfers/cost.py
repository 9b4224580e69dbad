"""What an export would ask of the database, looked at before it begins: nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from core.db import Connection
from core.targeting import cost
from core.targeting.check import CheckedExpression, CheckedValue
from core.targeting.compiled import Plan
from core.targeting.linked import entity_table
from core.targeting.plans import cheaper_of
from core.targeting.sql import Statement, compile_statement, population, predicate, present, value
from core.transfers.composing import Dimension, is_numbered


async def check_cost(
    conn: Connection, dimension: Dimension, question: CheckedExpression | None, columns: Sequence[CheckedValue], *,
    at: datetime, zone: ZoneInfo,
) -> None:  # fmt: skip
    """Raises LimitReached (QUESTION_TOO_COSTLY) where finding the rows, or computing columns of them, would run for days."""
    if not columns:
        if question is not None:
            await cost.check_cost(conn, question, at=at, zone=zone)
        return
    entity, rows = dimension.entity, entity_table(dimension.entity)
    every = select(*(value(one, at=at, zone=zone, source=rows) for one in columns)).select_from(rows).where(present(entity))
    if question is None:
        await cost.check_cost(conn, None, every, at=at, zone=zone)
        return
    asked = question

    def by(plan: Plan) -> Statement:
        if is_numbered(entity):
            return compile_statement(every.where(rows.c[entity.key].in_(population(asked, at=at, zone=zone, plan=plan))))
        return compile_statement(every.where(predicate(asked, at=at, zone=zone, source=rows, plan=plan)))

    await cost.check_cost(conn, question, at=at, zone=zone)
    await cost.check_statement_cost(conn, await cheaper_of(conn, question, by))
