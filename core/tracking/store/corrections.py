"""SQL that takes back what was a machine's doing after all: events that name earlier ones, and what moves with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.db import Connection
from core.tracking.records import Click, Message, Remark, Sighting

# What a remark is about and nobody has taken back yet. Where several say so, the first one is the reason.
_UNMARKED = """
    SELECT DISTINCT ON (e.position) e.*, r.rule
      FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::smallint[])
             WITH ORDINALITY AS r (delivery_id, recipient_kind, recipient_id, occurrence, since, until, rule, n)
      JOIN tracking_event e ON e.delivery_id = r.delivery_id AND e.recipient_id = r.recipient_id
                           AND e.recipient_kind = r.recipient_kind AND e.occurrence = r.occurrence
     WHERE e.at >= r.since AND e.at <= r.until AND e.machine_rule = 0 AND e.corrects IS NULL AND e.kind <> 3
       AND NOT EXISTS (SELECT FROM tracking_event c
                        WHERE c.delivery_id = e.delivery_id AND c.recipient_id = e.recipient_id
                          AND c.corrects = e.position)
     ORDER BY e.position, r.n
"""


async def list_sightings(
    conn: Connection, messages: Mapping[Message, datetime], window: timedelta, hidden_rule: int
) -> list[Sighting]:
    """What messages clicked from `window` before the given moments on, where it was several links or a hidden one."""
    rows = await conn.fetch(
        """
        SELECT m.delivery_id, m.recipient_kind, m.recipient_id, m.occurrence, array_agg(e.link) AS links,
               array_agg(e.at) AS times
          FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::int[], $5::timestamptz[])
                 AS m (delivery_id, recipient_kind, recipient_id, occurrence, since)
          JOIN tracking_event e ON e.delivery_id = m.delivery_id AND e.recipient_id = m.recipient_id
                               AND e.recipient_kind = m.recipient_kind AND e.occurrence = m.occurrence
         WHERE e.at >= m.since - $6::interval AND e.at >= $7 AND e.kind = 1 AND e.corrects IS NULL
         GROUP BY m.delivery_id, m.recipient_kind, m.recipient_id, m.occurrence
        HAVING count(DISTINCT e.link) > 1 OR bool_or(e.machine_rule = $8)
        """,
        [m.delivery_id for m in messages], [m.recipient_kind for m in messages], [m.recipient_id for m in messages],
        [m.occurrence for m in messages], list(messages.values()), window, min(messages.values()) - window, hidden_rule,
    )  # fmt: skip
    return [_sighting(row) for row in rows]


def _sighting(row: Any) -> Sighting:
    clicks = sorted(zip(row["times"], row["links"], strict=True))
    message = Message(
        delivery_id=row["delivery_id"],
        recipient_kind=row["recipient_kind"],
        recipient_id=row["recipient_id"],
        occurrence=row["occurrence"],
    )
    return Sighting(message=message, clicks=tuple(Click(at=at, link=link) for at, link in clicks))


async def is_unmarked(conn: Connection, remarks: Sequence[Remark]) -> bool:
    """Whether anything that these say is not marked yet."""
    found: bool = await conn.fetchval(f"SELECT EXISTS ({_UNMARKED})", *_columns(remarks))
    return found


async def re_mark(conn: Connection, now: datetime, remarks: Sequence[Remark]) -> list[int]:
    """Add corrections for what the messages did as people then; returns their positions. Hold the stream."""
    rows = await conn.fetch(
        f"""
        INSERT INTO tracking_event (position, at, delivery_id, recipient_id, occurrence, link, link_occurrence,
                                    recipient_kind, kind, machine_rule, url, user_agent, corrects)
        SELECT nextval('tracking_position'), $8, e.delivery_id, e.recipient_id, e.occurrence, e.link, e.link_occurrence,
               e.recipient_kind, e.kind, e.rule, e.url, e.user_agent, e.position
          FROM ({_UNMARKED}) AS e
         ORDER BY e.position
        RETURNING position
        """,
        *_columns(remarks), now,
    )  # fmt: skip
    return [row["position"] for row in rows]


def _columns(remarks: Sequence[Remark]) -> tuple[list[Any], ...]:
    return (
        [r.message.delivery_id for r in remarks], [r.message.recipient_kind for r in remarks],
        [r.message.recipient_id for r in remarks], [r.message.occurrence for r in remarks],
        [r.since for r in remarks], [r.until for r in remarks], [r.rule for r in remarks],
    )  # fmt: skip


async def count_remarks(conn: Connection, positions: Sequence[int], slot: int) -> None:
    """Move uniques and counters for the corrections at these positions: from people to machines.

    A unique is withdrawn where no other event of a person stands for it.
    """
    await conn.execute(
        """
        WITH marked AS MATERIALIZED (
            SELECT delivery_id, recipient_id, recipient_kind, occurrence, kind, link
              FROM tracking_event WHERE position = ANY ($1) AND corrects IS NOT NULL AND recipient_kind NOT IN (3, 4)
        ), withdrawn AS (
            UPDATE tracking_first t SET machine = true, machine_first = true
              FROM (SELECT DISTINCT delivery_id, recipient_id, recipient_kind, occurrence FROM marked) AS m
             WHERE t.delivery_id = m.delivery_id AND t.recipient_id = m.recipient_id
               AND t.recipient_kind = m.recipient_kind AND t.occurrence = m.occurrence AND NOT t.machine
               AND NOT EXISTS (
                   SELECT FROM tracking_event e
                    WHERE e.delivery_id = t.delivery_id AND e.recipient_id = t.recipient_id
                      AND e.recipient_kind = t.recipient_kind AND e.occurrence = t.occurrence
                      AND e.machine_rule = 0 AND e.corrects IS NULL
                      AND t.kind IN (0, e.kind) AND t.link IN (0, e.link)
                      AND NOT EXISTS (SELECT FROM tracking_event c
                                       WHERE c.delivery_id = e.delivery_id AND c.recipient_id = e.recipient_id
                                         AND c.corrects = e.position))
            RETURNING t.delivery_id, t.kind, t.link
        ), moved AS (
            SELECT delivery_id, kind, link, 1 AS total, 0 AS uniques FROM marked
            UNION ALL
            SELECT delivery_id, kind, 0, 1, 0 FROM marked WHERE link <> 0
            UNION ALL
            SELECT delivery_id, kind, link, 0, 1 FROM withdrawn
        )
        INSERT INTO tracking_count AS c (delivery_id, slot, kind, link, machine, total, uniques)
        SELECT delivery_id, $2, kind, link, side.machine, side.sign * sum(total), side.sign * sum(uniques)
          FROM moved, (VALUES (true, 1), (false, -1)) AS side (machine, sign)
         GROUP BY delivery_id, kind, link, side.machine, side.sign
        ON CONFLICT (delivery_id, kind, link, machine, slot)
        DO UPDATE SET total = c.total + excluded.total, uniques = c.uniques + excluded.uniques
        """,
        positions, slot,
    )  # fmt: skip
