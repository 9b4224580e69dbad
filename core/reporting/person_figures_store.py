"""SQL of a person's figures; nothing here writes.

Messages are looked up as for a history: delivery by delivery, each by the primary key. Hits are looked for only where
`tracking_first` says that there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.tracking.records import TrackingKind

# The messages of people, and what people did with them. OFFSET and LIMIT keep the planner from reading whole tables.
_FACTS = """
    asked AS (
        SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS a (person, profile_id)
    ), message AS MATERIALIZED (
        SELECT a.person, l.*
          FROM delivery_run r
         CROSS JOIN LATERAL (
            SELECT delivery_id, recipient_id, occurrence, state, after_hand_over, coalesce(settled_at, due_at) AS at
              FROM ledger
             WHERE delivery_id = r.delivery_id AND recipient_kind = 1 AND recipient_id = ANY($2::bigint[]) OFFSET 0) l
          JOIN asked a ON a.profile_id = l.recipient_id
    ), hit AS MATERIALIZED (
        SELECT m.person, e.*
          FROM (SELECT DISTINCT person, delivery_id, recipient_id FROM message) m
         CROSS JOIN LATERAL (
            SELECT delivery_id, recipient_id FROM tracking_first
             WHERE delivery_id = m.delivery_id AND recipient_id = m.recipient_id AND recipient_kind = 1 LIMIT 1) f
         CROSS JOIN LATERAL (
            SELECT position, at, kind, delivery_id, recipient_id, occurrence, machine_rule, corrects
              FROM tracking_event
             WHERE delivery_id = f.delivery_id AND recipient_id = f.recipient_id AND recipient_kind = 1 OFFSET 0) e
    ), reaction AS MATERIALIZED (
        SELECT h.* FROM hit h
         WHERE machine_rule = 0 AND corrects IS NULL AND NOT EXISTS (SELECT FROM hit c WHERE c.corrects = h.position)
    )
"""


async def count_messages(
    conn: Connection, people: Sequence[tuple[int, int]], since: datetime | None, clicks: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Figures by the person, of pairs of a person and a profile of theirs; `clicks`: the kinds of hits that are some.

    A message was opened when anything was done with it, for pictures may be off: once, if no open was seen.
    """
    rows = await conn.fetch(
        f"""
        WITH {_FACTS}, unseen AS (
            SELECT person, min(at) AS at FROM reaction
             GROUP BY person, delivery_id, recipient_id, occurrence HAVING NOT bool_or(kind = $5)
        ), fact AS (
            SELECT person, at, delivery_id, state = 4 AS accepted, state = 5 AS failed, state = 0 AS excluded,
                   state = 4 OR (state = 5 AND after_hand_over) AS sent, NULL::smallint AS kind, false AS unseen
              FROM message
            UNION ALL
            SELECT person, at, delivery_id, false, false, false, false, kind, false FROM reaction
            UNION ALL
            SELECT person, at, NULL, false, false, false, false, NULL, true FROM unseen
        )
        SELECT p.person,
               count(*) FILTER (WHERE sent) AS sent,
               count(*) FILTER (WHERE accepted) AS delivered,
               count(*) FILTER (WHERE failed) AS failed,
               count(*) FILTER (WHERE excluded) AS excluded,
               count(*) FILTER (WHERE kind = $5 OR unseen) AS opens,
               count(*) FILTER (WHERE kind = ANY($4::smallint[])) AS clicks,
               count(*) FILTER (WHERE kind = $6) AS unsubscribes,
               count(DISTINCT delivery_id) FILTER (WHERE kind IS NOT NULL) AS opened_deliveries,
               count(DISTINCT delivery_id) FILTER (WHERE kind = ANY($4::smallint[])) AS clicked_deliveries,
               max(at) FILTER (WHERE sent) AS last_contacted_at,
               max(at) FILTER (WHERE kind IS NOT NULL) AS last_opened_at,
               max(at) FILTER (WHERE kind = ANY($4::smallint[])) AS last_clicked_at
          FROM (SELECT DISTINCT person FROM asked) p
          LEFT JOIN fact f ON f.person = p.person AND ($3::timestamptz IS NULL OR at >= $3)
         GROUP BY p.person
        """,
        [person for person, _ in people], [one for _, one in people], since, list(clicks), TrackingKind.OPEN,
        TrackingKind.UNSUBSCRIBE,
    )  # fmt: skip
    return {row["person"]: {name: value for name, value in row.items() if name != "person"} for row in rows}
