"""SQL that finds the rows to which a chunk's rows are to be linked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection

PROFILE = "profile"


async def find_by_key(
    conn: Connection, table: str, columns: Sequence[str], types: Sequence[str], values: Sequence[Sequence[Any]]
) -> dict[int, tuple[int, int]]:
    """Of the keys whose parts are `values`, by their place: the row, and how many have it. Of several the oldest.

    Who is merged into another is that one.
    """
    names = [f"v{number}" for number in range(len(columns))]
    given = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(types, 1))
    equal = " AND ".join(f"t.{column} = k.{name}" for column, name in zip(columns, names, strict=True))
    whole = "coalesce(t.merged_into, t.id)" if table == PROFILE else "t.id"
    rows = await conn.fetch(
        f"""
        SELECT k.n, f.id, f.times
          FROM unnest({given}) WITH ORDINALITY AS k ({", ".join(names)}, n)
         CROSS JOIN LATERAL (SELECT min({whole}) AS id, count(DISTINCT {whole}) AS times FROM {table} t WHERE {equal}) f
         WHERE f.id IS NOT NULL
        """,
        *values,
    )
    return {row["n"] - 1: (row["id"], row["times"]) for row in rows}


async def hold(conn: Connection, table: str, ids: Sequence[int]) -> set[int]:
    """Those of the rows that are there, and stay so until the commit."""
    rows = await conn.fetch(f"SELECT id FROM {table} WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE", list(ids))
    return {row["id"] for row in rows}
