"""Some of the rows that a question finds, of whatever entity it is about."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Text, case, cast, select

from core.db import Connection
from core.targeting import store
from core.targeting.audiences import PATIENCE, check_sample_size, too_slow
from core.targeting.catalogue import CatalogueField
from core.targeting.checked import CheckedExpression
from core.targeting.compiled import Sql
from core.targeting.linked import entity_table
from core.targeting.sql import compile_statement, predicate, present


async def sample_rows(
    conn: Connection, checked: CheckedExpression, *, size: int, at: datetime, zone: ZoneInfo, patience: float = PATIENCE
) -> list[dict[str, Any]]:
    """Objects of the entity's fields by their names, lowest keys first. Raises Invalid (BAD_SAMPLE_SIZE), LimitReached
    (QUESTION_TOO_SLOW)."""
    check_sample_size(size)
    entity = checked.entity
    rows = entity_table(entity)
    fields = [one for one in entity.fields.values() if one.derived is None]
    found = select(*(_shown(one, rows.c[one.column]).label(one.name) for one in fields))
    found = found.where(predicate(checked, at=at, zone=zone, source=rows), present(entity))
    statement = compile_statement(found.order_by(rows.c[entity.key]).limit(size))
    try:
        return [_plain(row) for row in await store.fetch_rows(conn, statement, patience)]
    except TimeoutError:
        raise too_slow(patience) from None


def _shown(field: CatalogueField, column: Sql) -> Sql:
    """Enumerations by their names."""
    if not field.values or all(name == code for name, code in field.values.items()):
        return column
    return case(*((column == code, cast(name, Text())) for name, code in field.values.items()))


def _plain(row: Any) -> dict[str, Any]:
    """As JSON has it: times in ISO 8601, decimals as texts, places as two numbers."""
    return {name: value if value is None or isinstance(value, bool | int | float | list) else _text(value)
            for name, value in row.items()}  # fmt: skip


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
