"""SQL that forgets: events past their time, keys of events that are gone."""

from __future__ import annotations

from datetime import datetime

from core.db import Connection
from core.events.physical import partitioned


async def other_months(conn: Connection, name: str, since: datetime, limit: int) -> list[datetime]:
    """The months, from one on, whose events of a type lie in the default partition; the oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT DISTINCT date_trunc('month', occurred_at, 'UTC') AS month
          FROM {partitioned(name).other} WHERE occurred_at >= $1 ORDER BY month LIMIT $2
        """,
        since, limit,
    )  # fmt: skip
    return [row["month"] for row in rows]


async def delete_before(conn: Connection, name: str, before: datetime, limit: int) -> int:
    """Delete events of a type that happened before a moment, up to a number; returns how many."""
    table = partitioned(name).table
    done: str = await conn.execute(
        f"""
        DELETE FROM {table} e USING (
            SELECT profile_id, occurred_at, id FROM {table} WHERE occurred_at < $1 LIMIT $2
        ) old
         WHERE (e.profile_id, e.occurred_at, e.id) = (old.profile_id, old.occurred_at, old.id)
        """,
        before, limit,
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


async def forget_keys(conn: Connection, type_id: int, before: datetime, limit: int) -> int:
    """Forget keys of events of a type that happened before a moment, up to a number; returns how many."""
    done: str = await conn.execute(
        """
        DELETE FROM event_key WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM event_key WHERE type_id = $1 AND occurred_at < $2 LIMIT $3))
        """,
        type_id, before, limit,
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


async def forget_keys_of_removed(conn: Connection, limit: int) -> int:
    """Forget keys of types that are gone, up to a number; returns how many. Each type is found by one look into the index."""
    done: str = await conn.execute(
        """
        WITH RECURSIVE there AS (
            (SELECT type_id FROM event_key ORDER BY type_id LIMIT 1)
            UNION ALL
            SELECT (SELECT k.type_id FROM event_key k WHERE k.type_id > there.type_id ORDER BY k.type_id LIMIT 1)
              FROM there WHERE there.type_id IS NOT NULL
        ), gone AS (
            SELECT type_id FROM there WHERE type_id IS NOT NULL AND NOT EXISTS (SELECT FROM event_type t WHERE t.id = type_id)
        )
        DELETE FROM event_key WHERE ctid = ANY (ARRAY(
            SELECT k.ctid FROM gone JOIN event_key k USING (type_id) LIMIT $1))
        """,
        limit,
    )
    return int(done.rpartition(" ")[2])
