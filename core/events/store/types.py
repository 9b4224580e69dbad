"""SQL on the types of events and on their tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from core.db import Connection
from core.events.records import EventField, EventType, EventTypeDraft, UnknownFields

EVENTS_LOCK = 0x636C_6172_0300  # advisory: shared by whoever records, alone for whoever changes types

# By which all types as they are now are known: no other state of them has the same, in any database. A change that was rolled
# back and made again has another.
STAMP = "(SELECT concat_ws('/', current_database(), version, xmin) FROM event_types_version)"

COLUMNS = (
    "id, name, label, description, fields, unknown_fields, retention_days, version, created_by, created_at, changed_by,"
    " changed_at"
)
_NAMES = COLUMNS.split(", ")


def _type(row: Any) -> EventType:
    values = dict(row)
    return EventType(
        **{
            **values,
            "fields": msgspec.convert(values["fields"], tuple[EventField, ...]),
            "unknown_fields": UnknownFields(values["unknown_fields"]),
        }
    )


async def hold_types(conn: Connection, *, alone: bool = False) -> None:
    """Until the end of the transaction nobody changes types; `alone`: nobody records events either."""
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    await conn.execute(f"SELECT {lock}($1)", EVENTS_LOCK)


async def find_stamp(conn: Connection) -> str:
    """By which all types as they are now are known."""
    stamp: str = await conn.fetchval(f"SELECT {STAMP}")
    return stamp


async def find_stamped(conn: Connection) -> tuple[str, list[EventType]]:
    """All types by name, after their stamp, of one moment."""
    rows = await conn.fetch(
        f"""
        SELECT s.stamp, t.* FROM (SELECT {STAMP} AS stamp) s
          LEFT JOIN (SELECT {COLUMNS}, true AS there FROM event_type) t ON true
         ORDER BY t.name
        """
    )
    return rows[0]["stamp"], [_type({name: row[name] for name in _NAMES}) for row in rows if row["there"]]


async def move_stamp(conn: Connection) -> None:
    """The types are other ones from now on."""
    await conn.execute("UPDATE event_types_version SET version = version + 1")


async def insert_type(conn: Connection, draft: EventTypeDraft, by: str, now: datetime) -> EventType:
    """A new type."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO event_type (name, label, description, fields, unknown_fields, retention_days,
                                created_by, created_at, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8) RETURNING {COLUMNS}
        """,
        *_arguments(draft), by, now,
    )  # fmt: skip
    return _type(row)


async def update_type(conn: Connection, draft: EventTypeDraft, by: str, now: datetime) -> EventType:
    """The type of that name, at the next version."""
    row = await conn.fetchrow(
        f"""
        UPDATE event_type SET label = $2, description = $3, fields = $4, unknown_fields = $5, retention_days = $6,
               version = version + 1, changed_by = $7, changed_at = $8
         WHERE name = $1 RETURNING {COLUMNS}
        """,
        *_arguments(draft), by, now,
    )  # fmt: skip
    return _type(row)


def _arguments(draft: EventTypeDraft) -> Sequence[Any]:
    return (
        draft.name, draft.label, draft.description, msgspec.to_builtins(draft.fields), draft.unknown_fields.value,
        draft.retention_days,
    )  # fmt: skip


async def delete_type(conn: Connection, name: str) -> None:
    """Without its table."""
    await conn.execute("DELETE FROM event_type WHERE name = $1", name)


async def read_columns(conn: Connection, table: str) -> dict[str, str]:
    """The types of a table's columns, as Postgres writes them, by name."""
    rows = await conn.fetch(
        """
        SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace ORDER BY a.attnum
        """,
        table,
    )
    return {row["name"]: row["type"] for row in rows}


async def has_events(conn: Connection, table: str) -> bool:
    """Whether there are any."""
    found: bool = await conn.fetchval(f"SELECT EXISTS (SELECT FROM {table})")
    return found


async def lock_table(conn: Connection, table: str) -> None:
    """For oneself alone, to the end of the transaction."""
    await conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")


async def run(conn: Connection, statement: str) -> None:
    """A statement that makes or changes a table of events."""
    await conn.execute(statement)


async def drop_column(conn: Connection, table: str, column: str) -> None:
    """With what is in it."""
    await conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


async def drop_table(conn: Connection, table: str) -> None:
    """With all its months and events."""
    await conn.execute(f"DROP TABLE {table}")
