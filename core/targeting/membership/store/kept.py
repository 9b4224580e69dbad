"""SQL on audiences whose members are kept, and on what is read of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.targeting.membership.records import Kept, KeptState, Membership, MembershipChange, Upkeep
from core.targeting.records import AudienceMember

UPKEEP_LOCK = 0x636C_6172_0600  # advisory: of whoever changes members and takes positions of the log

_MEMBERSHIP = """
SELECT k.id AS kept_id, k.audience_id, k.time_zone, k.state, k.upkeep, k.reasons, k.trouble, k.members, k.counted_at,
       k.recount_at,
       CASE WHEN k.counted_at IS NOT NULL THEN greatest(0, extract(epoch FROM $1::timestamptz - least(
           (SELECT c.at FROM membership_change c ORDER BY c.id LIMIT 1),
           (SELECT d.due_at FROM kept_member d WHERE d.kept_id = k.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1),
           CASE WHEN k.state <> 'kept' THEN k.counting_since END,
           CASE WHEN k.upkeep = 'recounted' THEN k.counted_at END,
           $1)))::float8 END AS freshness,
       coalesce((SELECT max(l.position) FROM membership_log l WHERE l.kept_id = k.id), k.log_dropped) AS position
  FROM kept_audience k
"""


def _membership(row: Any) -> Membership:
    return Membership(
        **{
            **row,
            "state": KeptState(row["state"]),
            "upkeep": Upkeep(row["upkeep"]),
            "reasons": tuple(row["reasons"]),
        }
    )


async def try_lock(conn: Connection) -> bool:
    """Be the one who changes members until the transaction ends, if nobody else is."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", UPKEEP_LOCK))


async def plan_for_values(conn: Connection) -> None:
    """Plan statements for the values that they are asked with, until the transaction ends: how many people they are about tells
    whether their rows are looked for or all rows are read."""
    await conn.execute("SET LOCAL plan_cache_mode = force_custom_plan")


async def insert_kept(conn: Connection, audience_id: int, time_zone: str, created_by: str, now: datetime) -> bool:
    """Begin to keep the members of an audience; False when they are kept already."""
    done = await conn.fetchval(
        """
        INSERT INTO kept_audience (audience_id, time_zone, created_by, created_at, counting_since) VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT (audience_id) DO NOTHING RETURNING id
        """,
        audience_id, time_zone, created_by, now,
    )  # fmt: skip
    return done is not None


async def release(conn: Connection, audience_id: int) -> bool:
    """Keep its members no longer; False when they are not kept."""
    done: str = await conn.execute("UPDATE kept_audience SET audience_id = NULL WHERE audience_id = $1", audience_id)
    return done != "UPDATE 0"


async def find_memberships(conn: Connection, audience_ids: Sequence[int], now: datetime) -> list[Membership]:
    """How the members of these audiences are kept, of those whose are."""
    rows = await conn.fetch(f"{_MEMBERSHIP} WHERE k.audience_id = ANY($2)", now, audience_ids)
    return [_membership(row) for row in rows]


async def list_changes(conn: Connection, audience_id: int, after: int, limit: int) -> list[MembershipChange]:
    """Who entered and left after a position, in the order of commits."""
    rows = await conn.fetch(
        """
        SELECT l.position, l.profile_id, l.entered, l.at
          FROM kept_audience k JOIN membership_log l ON l.kept_id = k.id
         WHERE k.audience_id = $1 AND l.position > $2 ORDER BY l.position LIMIT $3
        """,
        audience_id, after, limit,
    )  # fmt: skip
    return [MembershipChange(**row) for row in rows]


async def list_members(conn: Connection, audience_id: int, after: int, limit: int) -> list[AudienceMember]:
    """The members of an audience, by number."""
    rows = await conn.fetch(
        """
        SELECT m.profile_id, m.entered_at AS added_at, '{}'::jsonb AS data
          FROM kept_audience k JOIN kept_member m ON m.kept_id = k.id
         WHERE k.audience_id = $1 AND m.profile_id > $2 AND m.entered_at IS NOT NULL ORDER BY m.profile_id LIMIT $3
        """,
        audience_id, after, limit,
    )  # fmt: skip
    return [AudienceMember(**row) for row in rows]


async def count_members(conn: Connection, audience_id: int) -> int:
    """How many there are, as it is written down with each change."""
    return await conn.fetchval("SELECT members FROM kept_audience WHERE audience_id = $1", audience_id) or 0


async def newest_position(conn: Connection, audience_id: int) -> int:
    """Of the log of an audience: the highest that is visible; all before it are. 0 when there was none."""
    found: int | None = await conn.fetchval(
        """
        SELECT coalesce((SELECT max(l.position) FROM membership_log l WHERE l.kept_id = k.id), k.log_dropped)
          FROM kept_audience k WHERE k.audience_id = $1
        """,
        audience_id,
    )
    return found or 0


async def is_anything_kept(conn: Connection) -> bool:
    """Whether there is anything to keep, or to clear away."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM kept_audience)"))


async def list_kept(conn: Connection) -> list[Kept]:
    """All audiences whose members are kept, with the versions of all that they are made of."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE made (kept_id, audience_id) AS (
            SELECT id, audience_id FROM kept_audience WHERE audience_id IS NOT NULL
             UNION
            SELECT m.kept_id, u.used_id FROM made m JOIN audience_use u ON u.audience_id = m.audience_id
        )
        SELECT k.id, k.audience_id, k.time_zone, k.state, k.stamp, k.counting_since, k.recount_at,
               array_agg(a.id ORDER BY a.id) AS ids, array_agg(a.version ORDER BY a.id) AS versions
          FROM kept_audience k JOIN made m ON m.kept_id = k.id JOIN audience a ON a.id = m.audience_id
         GROUP BY k.id ORDER BY k.id
        """
    )
    return [_kept(row) for row in rows]


def _kept(row: Any) -> Kept:
    named = tuple(zip(row["ids"], row["versions"], strict=True))
    known = {name: value for name, value in row.items() if name not in ("ids", "versions")}
    return Kept(**{**known, "state": KeptState(row["state"]), "named": named})


async def count_anew(conn: Connection, kept_ids: Sequence[int], now: datetime, *, state: KeptState) -> None:
    """Look at everybody again, from the first on: at once, or (`WAITING`) when all that they read is captured."""
    await conn.execute(
        """
        UPDATE kept_audience
           SET state = $3, counting_since = coalesce(counting_since, $2)
         WHERE id = ANY($1)
        """,
        kept_ids, now, state.value,
    )  # fmt: skip


async def count_again(conn: Connection, kept_ids: Sequence[int], now: datetime) -> None:
    """The same at once for those of whom all that they read is captured, and whose count was not given up."""
    await conn.execute(
        """
        UPDATE kept_audience SET state = 'counting', counting_since = coalesce(counting_since, $2)
         WHERE id = ANY($1) AND state NOT IN ('waiting', 'given_up')
        """,
        kept_ids, now,
    )  # fmt: skip


async def set_stamp(
    conn: Connection, kept_id: int, stamp: bytes | None, upkeep: Upkeep, reasons: Sequence[str], trouble: str | None
) -> None:
    """What its members depend on now."""
    await conn.execute(
        "UPDATE kept_audience SET stamp = $2, upkeep = $3, reasons = $4, trouble = $5 WHERE id = $1",
        kept_id, stamp, upkeep.value, reasons, trouble,
    )  # fmt: skip


async def finish_count(conn: Connection, kept_id: int, now: datetime, recount_at: datetime | None) -> None:
    """Everybody is looked at."""
    await conn.execute(
        """
        UPDATE kept_audience SET state = 'kept', counted_at = $2, counting_since = NULL, recount_at = $3, trouble = NULL
         WHERE id = $1
        """,
        kept_id, now, recount_at,
    )  # fmt: skip


async def give_up_count(conn: Connection, kept_id: int, trouble: str, recount_at: datetime) -> None:
    """Everybody could not be looked at: why, and when it is tried again."""
    await conn.execute(
        "UPDATE kept_audience SET state = 'given_up', trouble = $2, recount_at = $3 WHERE id = $1", kept_id, trouble, recount_at
    )


async def oldest_months(conn: Connection, tables: Sequence[str]) -> dict[str, str]:
    """The first partition of each of the tables that have some: what retention drops, no trigger sees."""
    rows = await conn.fetch(
        """
        SELECT parent.relname AS table, min(c.relname) AS oldest
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class parent ON parent.oid = i.inhparent
         WHERE parent.relname = ANY($1) AND parent.relnamespace = current_schema()::regnamespace GROUP BY 1
        """,
        list(tables),
    )
    return {row["table"]: row["oldest"] for row in rows}


async def clear_released(conn: Connection, limit: int) -> bool:
    """Clear away a bounded number of rows of what is kept no longer; whether anything is left."""
    kept_id = await conn.fetchval("SELECT id FROM kept_audience WHERE audience_id IS NULL ORDER BY id LIMIT 1")
    if kept_id is None:
        return False
    for table in ("membership_log", "kept_member"):
        done: str = await conn.execute(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE kept_id = $1 LIMIT $2))", kept_id, limit
        )
        if done != "DELETE 0":
            return True
    await conn.execute("DELETE FROM kept_audience WHERE id = $1", kept_id)
    return True


async def is_log_older(conn: Connection, before: datetime) -> bool:
    """Whether an entry of the log is older. The first of each audience tells, because `at` grows with positions: the index of
    ages knows nothing of the newest pages, so they would all be read."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM kept_audience k, LATERAL (
                SELECT at FROM membership_log WHERE kept_id = k.id ORDER BY position LIMIT 1
            ) AS first WHERE first.at < $1
        )
        """,
        before,
    )
    return found


async def forget_log(conn: Connection, before: datetime, limit: int) -> int:
    """Drop entries of the log that are older, a bounded number; returns how many."""
    return int(
        await conn.fetchval(
            """
            WITH dropped AS (
                DELETE FROM membership_log
                 WHERE ctid = ANY(ARRAY(SELECT ctid FROM membership_log WHERE at < $1 ORDER BY position LIMIT $2))
                RETURNING kept_id, position
            ), told AS (
                UPDATE kept_audience k SET log_dropped = d.position
                  FROM (SELECT kept_id, max(position) AS position FROM dropped GROUP BY kept_id) AS d WHERE k.id = d.kept_id
            )
            SELECT count(*) FROM dropped
            """,
            before, limit,
        )
    )  # fmt: skip


async def last_dropped(conn: Connection, audience_id: int) -> int | None:
    """The highest position that retention has dropped of an audience's log; None when its members are not kept."""
    found: int | None = await conn.fetchval("SELECT log_dropped FROM kept_audience WHERE audience_id = $1", audience_id)
    return found
