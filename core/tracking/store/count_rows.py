"""SQL on `tracking_count`: the counters of deliveries, in rows of their own for each moment until they are folded."""

from __future__ import annotations

from datetime import datetime

from core.db import Connection
from core.tracking.records import TrackingCount

SLOT_SECONDS = 10  # how long counters are moved in the same rows
SETTLED_SECONDS = 60  # after which a slot is folded


def slot_of(now: datetime) -> int:
    """The rows in which counters are moved at a time."""
    return int(now.timestamp()) // SLOT_SECONDS


async def fold_counts(conn: Connection, now: datetime) -> int:
    """Add slots that are no longer written to their base; returns how many rows went. Call with the stream taken."""
    folded: int = await conn.fetchval(
        """
        WITH gone AS (
            DELETE FROM tracking_count WHERE slot <> 0 AND slot < $1
            RETURNING delivery_id, kind, link, machine, total, uniques
        ), folded AS (
            INSERT INTO tracking_count AS c (delivery_id, slot, kind, link, machine, total, uniques)
            SELECT delivery_id, 0, kind, link, machine, sum(total), sum(uniques) FROM gone
             GROUP BY delivery_id, kind, link, machine
            ON CONFLICT (delivery_id, kind, link, machine, slot)
            DO UPDATE SET total = c.total + excluded.total, uniques = c.uniques + excluded.uniques
        )
        SELECT count(*) FROM gone
        """,
        slot_of(now) - SETTLED_SECONDS // SLOT_SECONDS,
    )
    return folded


async def list_counts(conn: Connection, delivery_ids: list[int]) -> dict[int, list[TrackingCount]]:
    """The counters of deliveries; no scan of events."""
    rows = await conn.fetch(
        """
        SELECT delivery_id, kind, link, machine, sum(total)::bigint AS total, sum(uniques)::bigint AS uniques
          FROM tracking_count WHERE delivery_id = ANY ($1)
         GROUP BY delivery_id, kind, link, machine
        HAVING sum(total) <> 0 OR sum(uniques) <> 0  -- what was all taken back is as if it had never been
         ORDER BY kind, link, machine
        """,
        delivery_ids,
    )
    found: dict[int, list[TrackingCount]] = {}
    for row in rows:
        values = dict(row)
        found.setdefault(values.pop("delivery_id"), []).append(TrackingCount(**values))
    return found


async def recount(conn: Connection, delivery_id: int) -> list[TrackingCount]:
    """The same from the events themselves; for checks and tests."""
    rows = await conn.fetch(
        """
        WITH hit AS (
            SELECT e.recipient_kind, e.recipient_id, e.occurrence, e.kind, e.link,
                   e.machine_rule <> 0 OR EXISTS (
                       SELECT FROM tracking_event c WHERE c.delivery_id = $1 AND c.corrects = e.position) AS machine
              FROM tracking_event e
             WHERE e.delivery_id = $1 AND e.corrects IS NULL AND e.recipient_kind NOT IN (3, 4)
        ), keyed AS (
            SELECT hit.*, k.kind AS key_kind, k.link AS key_link
              FROM hit, LATERAL (SELECT DISTINCT v.kind, v.link
                                   FROM (VALUES (hit.kind, hit.link), (hit.kind, 0), (0::smallint, 0)) AS v (kind, link)) AS k
        ), recipient AS (
            SELECT key_kind, key_link, bool_and(machine) AS machine FROM keyed
             GROUP BY key_kind, key_link, recipient_kind, recipient_id, occurrence
        ), counted AS (
            SELECT key_kind AS kind, key_link AS link, machine, count(*) AS total, 0 AS uniques FROM keyed
             WHERE key_kind <> 0 GROUP BY 1, 2, 3
            UNION ALL
            SELECT key_kind, key_link, machine, 0, count(*) FROM recipient GROUP BY 1, 2, 3
        )
        SELECT kind, link, machine, sum(total)::bigint AS total, sum(uniques)::bigint AS uniques FROM counted
         GROUP BY kind, link, machine ORDER BY kind, link, machine
        """,
        delivery_id,
    )
    return [TrackingCount(**dict(row)) for row in rows]
