"""SQL that takes what has changed from the queue, and brings members up to date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.targeting.membership.records import NotedChange


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
            UPDATE kept_member SET due_at = NULL WHERE (profile_id, kept_id) IN (
                SELECT d.profile_id, d.kept_id
                  FROM kept_audience k,
                       LATERAL (SELECT profile_id, kept_id FROM kept_member
                                 WHERE kept_id = k.id AND due_at <= $1 ORDER BY due_at LIMIT $2) AS d
                 LIMIT $2)
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
            RETURNING m.profile_id, m.kept_id, m.entered_at IS NOT NULL AS was_in
        ), logged AS (
            INSERT INTO membership_log (kept_id, position, profile_id, entered, at)
            SELECT kept_id, nextval('membership_position'), profile_id, false, $3 FROM gone WHERE was_in
        )
        UPDATE kept_audience k SET members = k.members - g.by
          FROM (SELECT kept_id, count(*) AS by FROM gone WHERE was_in GROUP BY kept_id) AS g WHERE k.id = g.kept_id
        """,
        list(kept_ids), list(profile_ids), now,
    )  # fmt: skip
