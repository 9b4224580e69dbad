"""SQL on `tracking_position` and `tracking_event`: the stream, its end, and what is put there with its counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection
from core.tracking.records import EventFilter, Hit, Message, Stretch, TrackingEvent, TrackingKind

CHANNEL = "clarion_tracking"  # NOTIFY channel that wakes whoever follows the stream
STREAM_LOCK = 0x436C6173  # advisory lock of whoever appends to the stream


async def secure(conn: Connection, *, for_session: bool) -> None:
    """Settings of whoever appends, for this transaction or for the session.

    Commits are durable (`synchronous_commit` at least `on`), and a client that falls silent while it holds the stream
    loses it after a moment.
    """
    await conn.execute(
        """
        SELECT set_config('idle_in_transaction_session_timeout', '3s', $1),
               set_config('synchronous_commit', CASE WHEN now.level IN ('off', 'local') THEN 'on' ELSE now.level END, $1)
          FROM (SELECT current_setting('synchronous_commit') AS level) AS now
        """,
        not for_session,
    )


async def set_up_writer(conn: Connection) -> None:
    """Settings of a connection that does nothing but append.

    Every statement of it finds single keys; plans that were made while the tables were small must do so too.
    """
    await conn.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
    await secure(conn, for_session=True)


async def set_up_transaction(conn: Connection) -> None:
    """The same for one transaction of another connection."""
    await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    await secure(conn, for_session=False)


async def take_stream(conn: Connection) -> None:
    """Wait until no other writer holds the stream, and hold it to the end of the transaction; followers hear of its commit."""
    await conn.execute("SELECT pg_advisory_xact_lock($1), pg_notify($2, '')", STREAM_LOCK, CHANNEL)


async def newest_position(conn: Connection) -> int:
    """The highest position that is visible; every event up to it is visible too. 0 when there is none."""
    position: int | None = await conn.fetchval("SELECT max(position) FROM tracking_event")
    return position or 0


async def next_position(conn: Connection, after: int) -> int:
    """The first position of an event after another. There must be one."""
    position: int = await conn.fetchval("SELECT min(position) FROM tracking_event WHERE position > $1", after)
    return position


async def is_stored(conn: Connection, hit: Hit) -> bool:
    """Whether this very hit is in the stream."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM tracking_event
             WHERE delivery_id = $1 AND recipient_id = $2 AND at = $3 AND recipient_kind = $4 AND occurrence = $5
               AND kind = $6 AND link = $7 AND link_occurrence = $8 AND user_agent = $9 AND corrects IS NULL
        )
        """,
        hit.delivery_id, hit.recipient_id, hit.at, hit.recipient_kind, hit.occurrence, hit.kind, hit.link,
        hit.link_occurrence, hit.user_agent,
    )  # fmt: skip
    return found


async def add_hits(conn: Connection, hits: Sequence[tuple[Hit, int]], slot: int) -> None:
    """Take the stream, store hits with the rules that marked them, move uniques and counters: one statement.

    Outside a transaction it is one round trip with its commit, and no client is waited for while the stream is held. That
    is why it is not a COPY and two more. The statement may have waited for the stream with an older view of the tables, so
    it reads none: conflicts are decided on rows as they are.
    """
    await conn.execute(
        """
        WITH stream AS MATERIALIZED (
            SELECT pg_advisory_xact_lock($13), pg_notify($14, '')
        ), base AS MATERIALIZED (  -- positions are drawn once the stream is held
            SELECT min(nextval('tracking_position')) - 1 AS position
              FROM stream, generate_series(1, cardinality($1::timestamptz[]))
        ), fresh AS (
            INSERT INTO tracking_event (position, at, delivery_id, recipient_kind, recipient_id, occurrence, kind, link,
                                        link_occurrence, url, user_agent, machine_rule)
            SELECT base.position + h.n, h.at, h.delivery_id, h.recipient_kind, h.recipient_id, h.occurrence, h.kind, h.link,
                   h.link_occurrence, h.url, h.user_agent, h.machine_rule
              FROM base, unnest($1::timestamptz[], $2::bigint[], $3::smallint[], $4::bigint[], $5::int[], $6::smallint[],
                                $7::int[], $8::int[], $9::text[], $10::text[], $11::smallint[])
                         WITH ORDINALITY AS h (at, delivery_id, recipient_kind, recipient_id, occurrence, kind, link,
                                               link_occurrence, url, user_agent, machine_rule, n)
            RETURNING delivery_id, recipient_kind, recipient_id, occurrence, kind, link, machine_rule <> 0 AS machine
        ), counted AS (  -- what test profiles do is told, and counts for nothing
            SELECT * FROM fresh WHERE recipient_kind NOT IN (3, 4)
        ), wanted AS (
            SELECT f.delivery_id, f.recipient_id, f.recipient_kind, f.occurrence, k.kind, k.link,
                   bool_and(f.machine) AS machine
              FROM counted f, LATERAL (VALUES (f.kind, f.link), (f.kind, 0), (0::smallint, 0)) AS k (kind, link)
             GROUP BY 1, 2, 3, 4, 5, 6
        ), firsts AS (
            INSERT INTO tracking_first AS t
                   (delivery_id, recipient_id, recipient_kind, occurrence, kind, link, machine, machine_first)
            SELECT delivery_id, recipient_id, recipient_kind, occurrence, kind, link, machine, machine FROM wanted
            ON CONFLICT (delivery_id, recipient_id, recipient_kind, occurrence, kind, link)
            DO UPDATE SET machine = false WHERE t.machine AND NOT excluded.machine
            RETURNING delivery_id, kind, link, machine, machine_first
        ), moves AS (
            SELECT delivery_id, kind, link, machine, 1 AS total, 0 AS uniques FROM counted
            UNION ALL
            SELECT delivery_id, kind, 0, machine, 1, 0 FROM counted WHERE link <> 0
            UNION ALL
            SELECT delivery_id, kind, link, machine, 0, 1 FROM firsts
            UNION ALL
            SELECT delivery_id, kind, link, true, 0, -1 FROM firsts WHERE machine_first AND NOT machine
        )
        INSERT INTO tracking_count AS c (delivery_id, slot, kind, link, machine, total, uniques)
        SELECT delivery_id, $12, kind, link, machine, sum(total), sum(uniques) FROM moves
         GROUP BY delivery_id, kind, link, machine
        ON CONFLICT (delivery_id, kind, link, machine, slot)
        DO UPDATE SET total = c.total + excluded.total, uniques = c.uniques + excluded.uniques
        """,
        *zip(*(_columns(hit, rule) for hit, rule in hits), strict=True), slot, STREAM_LOCK, CHANNEL,
    )  # fmt: skip


def _columns(hit: Hit, rule: int) -> tuple[Any, ...]:
    return (
        hit.at, hit.delivery_id, hit.recipient_kind, hit.recipient_id, hit.occurrence, hit.kind, hit.link,
        hit.link_occurrence, hit.url, hit.user_agent, rule,
    )  # fmt: skip


async def list_events(conn: Connection, after: int, through: int, limit: int, filters: EventFilter) -> list[TrackingEvent]:
    """Events after one position and up to another, in order."""
    rows = await conn.fetch(
        """
        SELECT position, at, kind, delivery_id, recipient_kind, recipient_id, occurrence, link, link_occurrence, url,
               user_agent, machine_rule, corrects
          FROM tracking_event
         WHERE position > $1 AND position <= $2
           AND ($4::bigint IS NULL OR delivery_id = $4)
           AND ($5::smallint[] IS NULL OR kind = ANY ($5))
           AND ($6 OR machine_rule = 0 OR corrects IS NOT NULL)
         ORDER BY position LIMIT $3
        """,
        after, through, limit, filters.delivery_id, None if filters.kinds is None else sorted(filters.kinds),
        filters.machines,
    )  # fmt: skip
    return [TrackingEvent(**{**dict(row), "kind": TrackingKind(row["kind"])}) for row in rows]


async def find_stretch(conn: Connection, after: int, limit: int) -> Stretch | None:
    """The next events after a position: the messages whose hits are among them, and since when. None: there are no more."""
    rows = await conn.fetch(
        """
        SELECT delivery_id, recipient_kind, recipient_id, occurrence, max(position) AS position,
               min(at) FILTER (WHERE corrects IS NULL AND kind <> 3) AS since
          FROM (SELECT * FROM tracking_event WHERE position > $1 ORDER BY position LIMIT $2) AS event
         GROUP BY delivery_id, recipient_kind, recipient_id, occurrence
        """,
        after, limit,
    )  # fmt: skip
    if not rows:
        return None
    seen = {_message(row): row["since"] for row in rows if row["since"] is not None}
    return Stretch(seen=seen, position=max(row["position"] for row in rows))


def _message(row: Any) -> Message:
    return Message(
        delivery_id=row["delivery_id"],
        recipient_kind=row["recipient_kind"],
        recipient_id=row["recipient_id"],
        occurrence=row["occurrence"],
    )


async def lock_second_look(conn: Connection) -> int | None:
    """How far the stream was looked at a second time, locked; None while another process is at it."""
    position: int | None = await conn.fetchval("SELECT position FROM tracking_second_look FOR UPDATE SKIP LOCKED")
    return position


async def move_second_look(conn: Connection, position: int) -> None:
    """Everything up to here was looked at a second time."""
    await conn.execute("UPDATE tracking_second_look SET position = $1", position)
