"""SQL on the rows of composed exports: which they are, and where the next range ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from core.db import Connection
from core.profiles.fields import FieldType
from core.targeting.sql import Statement

ROWS = "export_rows"
NUMBERED = f"SELECT * FROM {ROWS} WHERE key > $1 AND key <= $2"
_TYPES: Mapping[FieldType, str] = MappingProxyType(
    {
        FieldType.INTEGER: "bigint", FieldType.DECIMAL: "numeric", FieldType.BOOLEAN: "boolean", FieldType.DAY: "date",
        FieldType.INSTANT: "timestamptz", FieldType.POINT: "point", FieldType.JSON: "jsonb",
    }
)  # fmt: skip


async def count(conn: Connection, table: str) -> int:
    """How many rows a table has."""
    found: int = await conn.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def keep_rows(conn: Connection, rows: Statement) -> int:
    """Keep rows that have a number `key` until the commit; how many they are."""
    done: str = await conn.execute(f"CREATE TEMPORARY TABLE {ROWS} ON COMMIT DROP AS {rows.text}", *rows.args)
    await conn.execute(f"CREATE UNIQUE INDEX ON {ROWS} (key)")
    await conn.execute(f"ANALYZE {ROWS}")
    return int(done.rpartition(" ")[2])


async def number_rows(conn: Connection, types: Sequence[FieldType], rows: Statement) -> int:
    """Keep rows that have no single number of their own, numbered in their order, until the commit; how many they are."""
    columns = "".join(f", c{number} {_TYPES.get(type_, 'text')}" for number, type_ in enumerate(types))
    await conn.execute(f"CREATE TEMPORARY TABLE {ROWS} (key bigint PRIMARY KEY{columns}) ON COMMIT DROP")
    done: str = await conn.execute(f"INSERT INTO {ROWS} {rows.text}", *rows.args)
    await conn.execute(f"ANALYZE {ROWS}")
    return int(done.rpartition(" ")[2])
