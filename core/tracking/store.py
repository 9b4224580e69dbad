"""All SQL on `tracking_position`, `tracking_event`, `tracking_first`, `tracking_count`, `machine_rule`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from core.db import Connection
from core.tracking.records import (
    EventFilter,
    Hit,
    MachineRule,
    Message,
    Remark,
    RuleKind,
    Sighting,
    TrackingCount,
    TrackingEvent,
    TrackingKind,
)

CHANNEL = "clarion_tracking"  # NOTIFY channel that wakes whoever follows the stream
STREAM_LOCK = 0x436C6173  # advisory lock of whoever appends to the stream
SLOT_SECONDS = 10  # how long counters are moved in the same rows
SETTLED_SECONDS = 60  # after which a slot is folded


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
        ), wanted AS (
            SELECT f.delivery_id, f.recipient_id, f.recipient_kind, f.occurrence, k.kind, k.link,
                   bool_and(f.machine) AS machine
              FROM fresh f, LATERAL (VALUES (f.kind, f.link), (f.kind, 0), (0::smallint, 0)) AS k (kind, link)
             GROUP BY 1, 2, 3, 4, 5, 6
        ), firsts AS (
            INSERT INTO tracking_first AS t
                   (delivery_id, recipient_id, recipient_kind, occurrence, kind, link, machine, machine_first)
            SELECT delivery_id, recipient_id, recipient_kind, occurrence, kind, link, machine, machine FROM wanted
            ON CONFLICT (delivery_id, recipient_id, recipient_kind, occurrence, kind, link)
            DO UPDATE SET machine = false WHERE t.machine AND NOT excluded.machine
            RETURNING delivery_id, kind, link, machine, machine_first
        ), moves AS (
            SELECT delivery_id, kind, link, machine, 1 AS total, 0 AS uniques FROM fresh
            UNION ALL
            SELECT delivery_id, kind, 0, machine, 1, 0 FROM fresh WHERE link <> 0
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


async def list_sightings(
    conn: Connection, messages: Mapping[Message, datetime], window: timedelta, hidden_rule: int
) -> list[Sighting]:
    """What messages clicked within `window` before the given moments and after, where it was several links or a hidden one."""
    rows = await conn.fetch(
        """
        SELECT m.delivery_id, m.recipient_kind, m.recipient_id, m.occurrence, m.newest, array_agg(e.link) AS links,
               array_agg(e.at) AS times
          FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::int[], $5::timestamptz[])
                 AS m (delivery_id, recipient_kind, recipient_id, occurrence, newest)
          JOIN tracking_event e ON e.delivery_id = m.delivery_id AND e.recipient_id = m.recipient_id
                               AND e.recipient_kind = m.recipient_kind AND e.occurrence = m.occurrence
         WHERE e.at >= m.newest - $6::interval AND e.at >= $7 AND e.kind = 1 AND e.corrects IS NULL
         GROUP BY m.delivery_id, m.recipient_kind, m.recipient_id, m.occurrence, m.newest
        HAVING count(DISTINCT e.link) > 1 OR bool_or(e.machine_rule = $8)
        """,
        [m.delivery_id for m in messages], [m.recipient_kind for m in messages], [m.recipient_id for m in messages],
        [m.occurrence for m in messages], list(messages.values()), window, min(messages.values()) - window, hidden_rule,
    )  # fmt: skip
    return [_sighting(row) for row in rows]


def _sighting(row: Any) -> Sighting:
    last: dict[int, datetime] = {}
    for link, at in zip(row["links"], row["times"], strict=True):
        last[link] = max(at, last.get(link, at))
    message = Message(
        delivery_id=row["delivery_id"],
        recipient_kind=row["recipient_kind"],
        recipient_id=row["recipient_id"],
        occurrence=row["occurrence"],
    )
    return Sighting(message=message, newest=max(row["newest"], *last.values()), links=last)


async def re_mark(conn: Connection, now: datetime, remarks: Sequence[Remark]) -> list[int]:
    """Add corrections for what the messages did as people since the given moments; returns their positions. Hold the stream."""
    rows = await conn.fetch(
        """
        WITH remark AS (
            SELECT * FROM unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::int[], $6::timestamptz[], $7::smallint[])
                     AS r (delivery_id, recipient_kind, recipient_id, occurrence, since, rule)
        )
        INSERT INTO tracking_event (position, at, delivery_id, recipient_id, occurrence, link, link_occurrence,
                                    recipient_kind, kind, machine_rule, url, user_agent, corrects)
        SELECT nextval('tracking_position'), $1, e.delivery_id, e.recipient_id, e.occurrence, e.link, e.link_occurrence,
               e.recipient_kind, e.kind, r.rule, e.url, e.user_agent, e.position
          FROM remark r
          JOIN tracking_event e ON e.delivery_id = r.delivery_id AND e.recipient_id = r.recipient_id
                               AND e.recipient_kind = r.recipient_kind AND e.occurrence = r.occurrence
         WHERE e.at >= r.since AND e.machine_rule = 0 AND e.corrects IS NULL AND e.kind <> 3
           AND NOT EXISTS (SELECT FROM tracking_event c
                            WHERE c.delivery_id = e.delivery_id AND c.recipient_id = e.recipient_id
                              AND c.corrects = e.position)
         ORDER BY e.position
        RETURNING position
        """,
        now,
        [r.message.delivery_id for r in remarks], [r.message.recipient_kind for r in remarks],
        [r.message.recipient_id for r in remarks], [r.message.occurrence for r in remarks],
        [r.since for r in remarks], [r.rule for r in remarks],
    )  # fmt: skip
    return [row["position"] for row in rows]


async def count_remarks(conn: Connection, positions: Sequence[int], slot: int) -> None:
    """Move uniques and counters for the corrections at these positions: from people to machines.

    A unique is withdrawn where no other event of a person stands for it.
    """
    await conn.execute(
        """
        WITH marked AS MATERIALIZED (
            SELECT delivery_id, recipient_id, recipient_kind, occurrence, kind, link
              FROM tracking_event WHERE position = ANY ($1) AND corrects IS NOT NULL
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
              FROM tracking_event e WHERE e.delivery_id = $1 AND e.corrects IS NULL
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


async def list_rules(conn: Connection) -> list[MachineRule]:
    """The rules in force, in the order in which they are asked."""
    rows = await conn.fetch("SELECT id, kind, pattern, seconds, least, description FROM machine_rule WHERE enabled ORDER BY id")
    return [MachineRule(**{**dict(row), "kind": RuleKind(row["kind"])}) for row in rows]


async def make_partition(conn: Connection, start: datetime, end: datetime) -> bool:
    """Make the partition of events from `start` up to `end`, with what lies in the default one. False: it is there.

    Attaching needs the default partition for itself; raises LockNotAvailableError when somebody else reads it for long.
    """
    name = f"tracking_event_{start:%Y_%m}"
    if await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
        return False
    await conn.execute("SET LOCAL lock_timeout = '100ms'")
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('tracking partition'))")
    if await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
        return False
    await conn.execute(
        f"""
        CREATE TABLE {name} (LIKE tracking_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        LOCK TABLE tracking_event_other IN ACCESS EXCLUSIVE MODE;
        WITH moved AS (
            DELETE FROM tracking_event_other WHERE at >= '{start.isoformat()}' AND at < '{end.isoformat()}' RETURNING *
        )
        INSERT INTO {name} SELECT * FROM moved;
        ALTER TABLE tracking_event ATTACH PARTITION {name} FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')
        """
    )
    return True
