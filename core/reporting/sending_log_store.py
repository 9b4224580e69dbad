"""SQL of what a delivery's sending log kept, added up; nothing here writes."""

from __future__ import annotations

from typing import Any

from core.db import Connection

# Of the delivery $1; hits of machines count where $2 says so.
_FIGURES = """
       count(*) AS targeted,
       count(*) FILTER (WHERE l.state = 0) AS excluded,
       count(*) FILTER (WHERE l.state = 4 OR (l.state = 5 AND l.after_hand_over)) AS sent,
       count(*) FILTER (WHERE l.state = 4) AS accepted,
       count(*) FILTER (WHERE l.state = 5) AS failed,
       count(o.recipient_id) AS opened, count(c.recipient_id) AS clicked
"""
_PEOPLE = """
  FROM ledger l
  LEFT JOIN tracking_first o
    ON o.delivery_id = $1 AND o.recipient_id = l.recipient_id AND o.recipient_kind = 1 AND o.occurrence = l.occurrence
   AND o.kind = 0 AND o.link = 0 AND ($2 OR NOT o.machine)
  LEFT JOIN tracking_first c
    ON c.delivery_id = $1 AND c.recipient_id = l.recipient_id AND c.recipient_kind = 1 AND c.occurrence = l.occurrence
   AND c.kind = 1 AND c.link = 0 AND ($2 OR NOT c.machine)
 WHERE l.delivery_id = $1 AND l.recipient_kind = 1
"""


async def count_segments(
    conn: Connection, delivery_id: int, most: int, patience: float, *, include_machines: bool
) -> list[dict[str, Any]]:  # fmt: skip
    """What became of the people of each code, those without one under None; the largest first, `most` at most.

    It reads the delivery's rows of the ledger. Raises TimeoutError after so many seconds.
    """
    rows = await conn.fetch(
        f"""
        SELECT l.segment_code AS code, {_FIGURES} {_PEOPLE}
         GROUP BY l.segment_code ORDER BY targeted DESC, code LIMIT $3
        """,
        delivery_id, include_machines, most, timeout=patience,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def count_values(
    conn: Connection, delivery_id: int, field: str, after: tuple[int, str] | None, first: int, patience: float, *,
    include_machines: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """What became of the people of each value that was kept of a field.

    First `first` values behind (targeted, key), the largest first, with the `key` that breaks ties; then those without a value
    (`values` is 0), then all further values together with their number, where there are some. It reads as `count_segments`.
    """
    rows = await conn.fetch(
        f"""
        WITH valued AS (
            SELECT CASE jsonb_typeof(l.logged -> $3::text)  -- 12.5 and 12.50 are one value
                   WHEN 'number' THEN to_jsonb(trim_scale((l.logged ->> $3)::numeric)) ELSE l.logged -> $3 END AS value,
                   {_FIGURES} {_PEOPLE}
             GROUP BY 1
        ), ranked AS (
            SELECT *, value::text AS key,
                   row_number() OVER (PARTITION BY value IS NULL ORDER BY targeted DESC, value::text COLLATE "C") AS rank
              FROM valued
             WHERE value IS NULL OR $4::bigint IS NULL OR targeted < $4
                OR (targeted = $4 AND value::text COLLATE "C" > $5::text)
        ), told AS (
            SELECT CASE WHEN value IS NULL THEN 0 ELSE 1 END::bigint AS values, value, key, rank,
                   targeted, excluded, sent, accepted, failed, opened, clicked
              FROM ranked WHERE value IS NULL OR rank <= $6
            UNION ALL
            SELECT count(*), NULL, NULL, NULL, sum(targeted)::bigint, sum(excluded)::bigint, sum(sent)::bigint,
                   sum(accepted)::bigint, sum(failed)::bigint, sum(opened)::bigint, sum(clicked)::bigint
              FROM ranked WHERE value IS NOT NULL AND rank > $6 HAVING count(*) > 0
        )
        SELECT values, value, key, targeted, excluded, sent, accepted, failed, opened, clicked
          FROM told ORDER BY value IS NULL, rank NULLS LAST
        """,
        delivery_id, include_machines, field, *(after or (None, None)), first, timeout=patience,
    )  # fmt: skip
    return [dict(row) for row in rows]
