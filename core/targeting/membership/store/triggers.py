"""The triggers that note changes. Names are of tables of ours or of the published model, arguments are quoted."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection

_PREFIX = "membership"
_TABLES = {"INSERT": "NEW TABLE AS new_rows", "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
           "DELETE": "OLD TABLE AS old_rows"}  # fmt: skip


async def list_triggers(conn: Connection) -> dict[tuple[str, str], tuple[str, ...]]:
    """The arguments of the triggers that there are, by table and way."""
    rows = await conn.fetch(
        """
        SELECT c.relname AS table, t.tgargs AS arguments
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE p.proname = 'note_membership_change' AND c.relnamespace = current_schema()::regnamespace
           AND t.tgparentid = 0
        """
    )
    found = {}
    for row in rows:
        arguments = tuple(row["arguments"].decode().split("\0")[:-1])
        found[row["table"], arguments[0]] = arguments
    return found


async def make_triggers(
    conn: Connection, table: str, way: str, arguments: Sequence[str], events: Sequence[str], patience: str
) -> None:
    """Make them, or have them do what is said now. Raises LockNotAvailableError when the table is written to for too long,
    UndefinedTableError."""
    given = ", ".join("'" + one.replace("'", "''") + "'" for one in arguments)
    await conn.execute(f"SET LOCAL lock_timeout = '{patience}'")
    for event in events:
        await conn.execute(
            f'CREATE OR REPLACE TRIGGER {_name(way, event)} AFTER {event} ON "{table}" REFERENCING {_TABLES[event]}'
            f" FOR EACH STATEMENT EXECUTE FUNCTION note_membership_change({given})"
        )
    await conn.execute("SET LOCAL lock_timeout = DEFAULT")


async def drop_triggers(conn: Connection, table: str, way: str, patience: str) -> None:
    """Drop them. Raises LockNotAvailableError."""
    await conn.execute(f"SET LOCAL lock_timeout = '{patience}'")
    for event in _TABLES:
        await conn.execute(f'DROP TRIGGER IF EXISTS {_name(way, event)} ON "{table}"')
    await conn.execute("SET LOCAL lock_timeout = DEFAULT")


def _name(way: str, event: str) -> str:
    return f"{_PREFIX}_{way}_{event.lower()}"
