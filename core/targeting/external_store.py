"""SQL on external segments and the ids that outside systems push into them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.targeting.records import ExternalSegment, PushedId

_COLUMNS = "s.audience_id, s.source, s.key, s.fresh_hours, s.received_at, s.snapshot, s.snapshots, s.completed"


async def insert_segment(conn: Connection, audience_id: int, *, source: str, key: str, fresh_hours: int | None) -> None:
    """What a new audience is a segment of."""
    await conn.execute(
        "INSERT INTO external_segment (audience_id, source, key, fresh_hours) VALUES ($1, $2, $3, $4)",
        audience_id, source, key, fresh_hours,
    )  # fmt: skip


async def find_segments(conn: Connection, audience_ids: Sequence[int]) -> list[ExternalSegment]:
    """Of those audiences that are external segments, each with how many of its ids are whose."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS}, i.ids, i.matched, i.ambiguous
          FROM external_segment s,
               LATERAL (SELECT count(*) AS ids, count(profile_id) AS matched, count(*) FILTER (WHERE ambiguous) AS ambiguous
                          FROM external_segment_id WHERE audience_id = s.audience_id) AS i
         WHERE s.audience_id = ANY ($1)
        """,
        list(audience_ids),
    )
    return [ExternalSegment(**row) for row in rows]


async def find_keys(conn: Connection, audience_ids: Sequence[int]) -> list[ExternalSegment]:
    """The same without looking at the ids, which count as none."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM external_segment s WHERE s.audience_id = ANY ($1)", list(audience_ids))
    return [ExternalSegment(**row, ids=0, matched=0, ambiguous=0) for row in rows]


async def list_unresolved(conn: Connection) -> list[int]:
    """The audiences with ids of which it is not known whose they are."""
    rows = await conn.fetch(
        """
        SELECT audience_id FROM external_segment s
         WHERE EXISTS (SELECT FROM external_segment_id i WHERE i.audience_id = s.audience_id AND i.profile_id IS NULL)
         ORDER BY 1
        """
    )
    return [row["audience_id"] for row in rows]


async def page_unresolved(conn: Connection, audience_id: int, after: str, limit: int) -> list[str]:
    """Such ids in their order, after one."""
    rows = await conn.fetch(
        """
        SELECT value FROM external_segment_id
         WHERE audience_id = $1 AND value > $2 AND profile_id IS NULL ORDER BY value LIMIT $3
        """,
        audience_id, after, limit,
    )  # fmt: skip
    return [row["value"] for row in rows]


async def take_ids(conn: Connection, audience_id: int, values: Sequence[str]) -> list[tuple[str, int | None]]:
    """Take ids out; returns those that were in, with whose they were taken for."""
    rows = await conn.fetch(
        "DELETE FROM external_segment_id WHERE audience_id = $1 AND value = ANY ($2) RETURNING value, profile_id",
        audience_id, list(values),
    )  # fmt: skip
    return [(row["value"], row["profile_id"]) for row in rows]


async def put_ids(conn: Connection, audience_id: int, ids: Sequence[PushedId], snapshot: int) -> None:
    """Put ids in that are not."""
    await conn.execute(
        """
        INSERT INTO external_segment_id (audience_id, value, profile_id, ambiguous, snapshot)
        SELECT $1, value, profile_id, ambiguous, $5 FROM unnest($2::text[], $3::bigint[], $4::boolean[])
            AS i (value, profile_id, ambiguous)
        """,
        audience_id, [one.value for one in ids], [one.profile_id for one in ids], [one.ambiguous for one in ids], snapshot,
    )  # fmt: skip


async def settle_ids(conn: Connection, audience_id: int, ids: Sequence[PushedId]) -> None:
    """Write whose ids are; a snapshot counts them as before."""
    await conn.execute(
        """
        UPDATE external_segment_id i SET profile_id = s.profile_id, ambiguous = s.ambiguous
          FROM unnest($2::text[], $3::bigint[], $4::boolean[]) AS s (value, profile_id, ambiguous)
         WHERE i.audience_id = $1 AND i.value = s.value
           AND (i.profile_id, i.ambiguous) IS DISTINCT FROM (s.profile_id, s.ambiguous)
        """,
        audience_id, [one.value for one in ids], [one.profile_id for one in ids], [one.ambiguous for one in ids],
    )  # fmt: skip


async def drop_older(conn: Connection, audience_id: int, snapshot: int) -> int:
    """Take out what the present snapshot did not name; returns how many ids it was."""
    dropped: int = await conn.fetchval(
        """
        WITH gone AS (DELETE FROM external_segment_id WHERE audience_id = $1 AND snapshot < $2 RETURNING 1)
        SELECT count(*) FROM gone
        """,
        audience_id, snapshot,
    )  # fmt: skip
    return dropped


async def drop_members(conn: Connection, audience_id: int, among: Sequence[int] | None) -> int:
    """Who has no id in the segment is no member, among some or (None) all; returns how many left."""
    left: int = await conn.fetchval(
        """
        WITH gone AS (
            DELETE FROM audience_member m
             WHERE m.audience_id = $1 AND ($2::bigint[] IS NULL OR m.profile_id = ANY ($2))
               AND NOT EXISTS (SELECT FROM external_segment_id i
                                WHERE i.audience_id = m.audience_id AND i.profile_id = m.profile_id)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        audience_id, None if among is None else list(among),
    )  # fmt: skip
    return left


async def add_members(conn: Connection, audience_id: int, profile_ids: Sequence[int], now: datetime) -> int:
    """Who has an id in the segment is a member, also beside a profile that is merged into theirs, whose id may go; returns how
    many entered."""
    entered: int = await conn.fetchval(
        """
        WITH added AS (
            INSERT INTO audience_member (audience_id, profile_id, added_at)
            SELECT $1, id, $3 FROM profile WHERE id = ANY ($2) ON CONFLICT DO NOTHING RETURNING 1)
        SELECT count(*) FROM added
        """,
        audience_id, list(profile_ids), now,
    )  # fmt: skip
    return entered


async def note_push(conn: Connection, segment: ExternalSegment, now: datetime) -> None:
    """How far its snapshots are, and that something came."""
    await conn.execute(
        """
        UPDATE external_segment SET received_at = $2, snapshot = $3, snapshots = $4, completed = $5 WHERE audience_id = $1
        """,
        segment.audience_id, now, segment.snapshot, segment.snapshots, segment.completed,
    )  # fmt: skip


async def list_by_keys(conn: Connection, fields: Sequence[str]) -> list[tuple[str, str]]:
    """The segments whose ids are values of one of these fields: the audience's name, and the field."""
    rows: list[Any] = await conn.fetch(
        """
        SELECT a.name, s.key FROM external_segment s JOIN audience a ON a.id = s.audience_id
         WHERE s.key = ANY ($1) ORDER BY a.id
        """,
        list(fields),
    )
    return [(row["name"], row["key"]) for row in rows]
