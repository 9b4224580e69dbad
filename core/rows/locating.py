"""Rows that are to change, found and held against other changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import asyncpg

from core.db import Connection
from core.rows import store
from core.rows.shape import Shape
from core.rows.targets import Wanted, by_columns

Located: TypeAlias = Mapping[Wanted, asyncpg.Record]


async def lock(conn: Connection, shape: Shape, wanted: Sequence[Wanted], *, delete: bool) -> Located:
    """Those of the rows that there are, by how they were spoken of; a statement for ids, and one for each key that is used."""
    ids = sorted({one for one in wanted if isinstance(one, int)})
    found: dict[Wanted, asyncpg.Record] = await store.lock_rows(conn, shape, ids, delete=delete) if ids else {}
    for columns, keys in by_columns(dict.fromkeys(wanted)).items():
        found |= await store.lock_by_key(conn, shape, columns, keys, delete=delete)
    return found
