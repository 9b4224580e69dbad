"""SQL of a delivery's segments; nothing here writes."""

from __future__ import annotations

from typing import Any

from core.db import Connection


async def count_segments(
    conn: Connection, delivery_id: int, most: int, patience: float, *, include_machines: bool
) -> list[dict[str, Any]]:  # fmt: skip
    """What became of the people of each code, those without one under None; the largest first, `most` at most.

    It reads the delivery's rows of the ledger. Raises TimeoutError after so many seconds.
    """
    rows = await conn.fetch(
        """
        SELECT l.segment_code AS code, count(*) AS targeted,
               count(*) FILTER (WHERE l.state = 0) AS excluded,
               count(*) FILTER (WHERE l.state = 4 OR (l.state = 5 AND l.after_hand_over)) AS sent,
               count(*) FILTER (WHERE l.state = 4) AS accepted,
               count(*) FILTER (WHERE l.state = 5) AS failed,
               count(o.recipient_id) AS opened, count(c.recipient_id) AS clicked
          FROM ledger l
          LEFT JOIN tracking_first o
            ON o.delivery_id = $1 AND o.recipient_id = l.recipient_id AND o.recipient_kind = 1 AND o.occurrence = l.occurrence
           AND o.kind = 0 AND o.link = 0 AND ($2 OR NOT o.machine)
          LEFT JOIN tracking_first c
            ON c.delivery_id = $1 AND c.recipient_id = l.recipient_id AND c.recipient_kind = 1 AND c.occurrence = l.occurrence
           AND c.kind = 1 AND c.link = 0 AND ($2 OR NOT c.machine)
         WHERE l.delivery_id = $1 AND l.recipient_kind = 1
         GROUP BY l.segment_code ORDER BY targeted DESC, code LIMIT $3
        """,
        delivery_id, include_machines, most, timeout=patience,
    )  # fmt: skip
    return [dict(row) for row in rows]
