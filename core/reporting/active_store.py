"""SQL of who was targeted, month by month; nothing here writes."""

from __future__ import annotations

from datetime import date
from typing import Any

from core.db import Connection


async def count_active(conn: Connection, first: date, last: date, zone: str, patience: float) -> list[dict[str, Any]]:
    """How many were active at each month from the first to the last, known and not: targeted in it or in the eleven before.

    Whoever was targeted in a month is active from then on for twelve months, or until the next month in which they were: so
    each person adds to few sums, however many deliveries they got. What a merge has made one is one; whom an event named is
    known by the address, and by the number once that is erased. Raises TimeoutError after so many seconds.
    """
    rows = await conn.fetch(
        """
        WITH started AS (
            SELECT delivery_id, month FROM delivery_run,
                   LATERAL (SELECT date_trunc('month', started_at AT TIME ZONE $3)::date AS month) m
             WHERE started_at IS NOT NULL AND month > $1::date - interval '12 months' AND month <= $2::date
        ), targeted AS (
            SELECT DISTINCT s.month,
                   CASE WHEN l.recipient_kind = 1 THEN coalesce(p.merged_into, l.recipient_id) END AS profile,
                   CASE WHEN l.recipient_kind <> 1
                        THEN l.recipient_kind || coalesce('@' || l.address_key, '#' || l.recipient_id) END AS other
              FROM started s
              JOIN ledger l ON l.delivery_id = s.delivery_id
              LEFT JOIN profile p ON l.recipient_kind = 1 AND p.id = l.recipient_id AND p.merged_into IS NOT NULL
             WHERE l.state <> 0 AND l.recipient_kind IN (1, 2, 5)
        ), span AS (
            SELECT profile IS NOT NULL AS known, month AS since,
                   least(month + interval '12 months', lead(month) OVER (PARTITION BY profile, other ORDER BY month)) AS until
              FROM targeted
        ), step AS (
            SELECT known, since AS month, count(*) AS more FROM span GROUP BY known, since
            UNION ALL
            SELECT known, until, -count(*) FROM span GROUP BY known, until
        )
        SELECT m.month::date AS month,
               coalesce(sum(s.more) FILTER (WHERE s.known), 0)::bigint AS profiles,
               coalesce(sum(s.more) FILTER (WHERE NOT s.known), 0)::bigint AS anonymous
          FROM generate_series($1::date, $2::date, interval '1 month') AS m (month)
          LEFT JOIN step s ON s.month <= m.month
         GROUP BY m.month ORDER BY m.month
        """,
        first, last, zone, timeout=patience,
    )  # fmt: skip
    return [dict(row) for row in rows]
