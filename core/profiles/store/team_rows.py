"""SQL on the columns that a team has added to tables of ours; their names are those of the published model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.db import Connection


async def get_columns(conn: Connection, table: str, ids: Sequence[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Columns of those rows that exist, by id and column."""
    names = "".join(f", {column}" for column in columns)
    rows = await conn.fetch(f"SELECT id{names} FROM {table} WHERE id = ANY($1::bigint[])", ids)
    return {row["id"]: dict(row) for row in rows}


async def set_columns(conn: Connection, table: str, row_id: int, values: Mapping[str, Any]) -> None:
    """Write columns of a row."""
    changes = ", ".join(f"{column} = ${n}" for n, column in enumerate(values, start=2))
    await conn.execute(f"UPDATE {table} SET {changes} WHERE id = $1", row_id, *values.values())
