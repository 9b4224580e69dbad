"""SQL that takes what has changed from the queue, and brings members up to date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.targeting.membership.records import NotedChange
from core.targeting.sql import Statement


async def take_changes(conn: Connection, rows: int, people: int) -> list[NotedChange]:
    """Take the oldest changes off the queue, up to so many rows, and no more once they are about so many people."""
    found = await conn.fetch(
        """
        WITH oldest AS (
            SELECT id, sum(people) OVER (ORDER BY id) - people AS before
              FROM (SELECT id, coalesce(cardinality(profile_ids), 0) AS people
                      FROM membership_change ORDER BY id LIMIT $1) AS first
        )
        DELETE FROM membership_change c USING oldest o WHERE c.id = o.id AND o.before < $2
        RETURNING c.entity, c.columns, c.profile_ids
        """,
        rows, people,
    )  # fmt: skip
    return [
        NotedChange(
            entity=row["entity"],
            columns=None if row["columns"] is None else frozenset(row["columns"]),
            profile_ids=None if row["profile_ids"] is None else tuple(row["profile_ids"]),
        )
        for row in found
    ]


async def take_due(conn: Connection, now: datetime, limit: int) -> dict[int, list[int]]:
    """Who is due in which kept audience: taken off, for they are given another time when they are looked at."""
    rows = await conn.fetch(
        """
        WITH taken AS (
            DELETE FROM kept_due WHERE (profile_id, kept_id) IN (
                SELECT profile_id, kept_id FROM kept_due WHERE due_at <= $1 ORDER BY due_at LIMIT $2)
            RETURNING profile_id, kept_id
        )
        SELECT kept_id, array_agg(profile_id) AS profile_ids FROM taken GROUP BY kept_id
        """,
        now, limit,
    )  # fmt: skip
    return {row["kept_id"]: row["profile_ids"] for row in rows}


async def survivors(conn: Connection, profile_ids: Sequence[int]) -> list[int]:
    """Those into whom any of these are merged: what is linked to the one counts for the other."""
    rows = await conn.fetch(
        "SELECT DISTINCT merged_into AS id FROM profile WHERE id = ANY($1) AND merged_into IS NOT NULL", profile_ids
    )
    return [row["id"] for row in rows]


async def remove_gone(conn: Connection, kept_ids: Sequence[int], profile_ids: Sequence[int], now: datetime) -> None:
    """Let those of these people leave who are deleted, or merged into others. The caller holds `UPKEEP_LOCK`."""
    await conn.execute(
        """
        WITH gone AS (
            DELETE FROM kept_member m
             WHERE m.profile_id = ANY($2) AND m.kept_id = ANY($1)
               AND NOT EXISTS (SELECT FROM profile p WHERE p.id = m.profile_id AND p.merged_into IS NULL)
            RETURNING m.profile_id, m.kept_id
        ), logged AS (
            INSERT INTO membership_log (kept_id, position, profile_id, entered, at)
            SELECT kept_id, nextval('membership_position'), profile_id, false, $3 FROM gone
        )
        UPDATE kept_audience k SET members = k.members - g.by
          FROM (SELECT kept_id, count(*) AS by FROM gone GROUP BY kept_id) AS g WHERE k.id = g.kept_id
        """,
        list(kept_ids), list(profile_ids), now,
    )  # fmt: skip


async def bring_up_to_date(
    conn: Connection, asked: Statement, kept_ids: Sequence[int], profile_ids: Sequence[int], now: datetime
) -> None:
    """Make those of these people members of whom a statement says so, and the others not; write down who entered and who left,
    and when each is due again. The statement gives a row for each of them who is there: `profile_id`, and in the order of
    `kept_ids` the arrays `holds` and `dues`.

    The caller holds `UPKEEP_LOCK`.
    """
    at = len(asked.args)
    await conn.execute(
        f"""
        WITH asked AS MATERIALIZED (
            SELECT a.profile_id, e.kept_id, e.holds, e.due_at
              FROM ({asked.text}) AS a, unnest(${at + 1}::bigint[], a.holds, a.dues) AS e (kept_id, holds, due_at)
        ), members AS MATERIALIZED (
            SELECT profile_id, kept_id FROM kept_member WHERE profile_id = ANY(${at + 2}::bigint[]) AND kept_id = ANY(${at + 1})
        ), entered AS (
            INSERT INTO kept_member (profile_id, kept_id, entered_at)
            SELECT profile_id, kept_id, ${at + 3}::timestamptz
              FROM (SELECT profile_id, kept_id FROM asked WHERE holds EXCEPT SELECT profile_id, kept_id FROM members) AS new
            RETURNING profile_id, kept_id
        ), gone AS (
            DELETE FROM kept_member m
             USING (SELECT profile_id, kept_id FROM members EXCEPT SELECT profile_id, kept_id FROM asked WHERE holds) AS old
             WHERE m.profile_id = old.profile_id AND m.kept_id = old.kept_id
            RETURNING m.profile_id, m.kept_id
        ), moved AS (
            SELECT profile_id, kept_id, true AS entered FROM entered UNION ALL SELECT profile_id, kept_id, false FROM gone
        ), logged AS (
            INSERT INTO membership_log (kept_id, position, profile_id, entered, at)
            SELECT kept_id, nextval('membership_position'), profile_id, entered, ${at + 3} FROM moved
        ), dues AS MATERIALIZED (
            SELECT profile_id, kept_id, due_at FROM kept_due WHERE profile_id = ANY(${at + 2}) AND kept_id = ANY(${at + 1})
        ), due AS (
            INSERT INTO kept_due (profile_id, kept_id, due_at)
            SELECT profile_id, kept_id, due_at
              FROM (SELECT profile_id, kept_id, due_at FROM asked WHERE due_at IS NOT NULL
                    EXCEPT SELECT profile_id, kept_id, due_at FROM dues) AS new
            ON CONFLICT (profile_id, kept_id) DO UPDATE SET due_at = excluded.due_at
        ), never_due AS (
            DELETE FROM kept_due d
             USING (SELECT profile_id, kept_id FROM dues
                    EXCEPT SELECT profile_id, kept_id FROM asked WHERE due_at IS NOT NULL) AS old
             WHERE d.profile_id = old.profile_id AND d.kept_id = old.kept_id
        ), grown AS (
            SELECT kept_id, sum(CASE WHEN entered THEN 1 ELSE -1 END)::bigint AS by FROM moved GROUP BY kept_id
        )
        UPDATE kept_audience k SET members = members + g.by FROM grown g WHERE k.id = g.kept_id
        """,
        *asked.args, list(kept_ids), list(profile_ids), now,
    )  # fmt: skip
