"""What an export would ask of the database, looked at before it begins: nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select

from core.db import Connection
from core.targeting import cost
from core.targeting.check import CheckedExpression, CheckedValue
from core.targeting.linked import entity_table
from core.targeting.sql import population, predicate, present, value
from core.transfers.composing import Dimension, is_numbered


async def check_cost(
    conn: Connection, dimension: Dimension, question: CheckedExpression | None, columns: Sequence[CheckedValue], *,
    at: datetime, zone: ZoneInfo,
) -> None:  # fmt: skip
    """Raises LimitReached (QUESTION_TOO_COSTLY) where finding the rows, or computing columns of them, would run for days."""
    whole = _computing(dimension, question, columns, at, zone) if columns else None
    if question is not None or whole is not None:
        await cost.check_cost(conn, question, whole, at=at, zone=zone)


def _computing(
    dimension: Dimension, question: CheckedExpression | None, columns: Sequence[CheckedValue], at: datetime, zone: ZoneInfo
) -> Select[Any]:  # fmt: skip
    """What is computed of all rows, or of those that the question finds."""
    entity, rows = dimension.entity, entity_table(dimension.entity)
    computing = select(*(value(one, at=at, zone=zone, source=rows) for one in columns)).select_from(rows).where(present(entity))
    if question is None:
        return computing
    if is_numbered(entity):
        return computing.where(rows.c[entity.key].in_(population(question, at=at, zone=zone)))
    return computing.where(predicate(question, at=at, zone=zone, source=rows))
