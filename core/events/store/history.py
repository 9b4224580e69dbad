"""SQL that reads the events of people. Statements are made for the types that there are: names of theirs are this room's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.datamodel.physical import column_of
from core.datamodel.records import FieldKind
from core.db import Connection
from core.events.physical import table_of
from core.events.records import BusinessEvent, EventCount, EventType

_AS_TEXT = frozenset({FieldKind.DECIMAL, FieldKind.DATE})
_INSTANT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


# Profiles with whoever is merged into them, as `asked`.
_ASKED = """
    (SELECT id AS person, id AS profile_id FROM unnest($1::bigint[]) AS id
      UNION ALL SELECT merged_into, id FROM profile WHERE merged_into = ANY($1::bigint[])) AS asked
"""


async def list_events(
    conn: Connection, profile_ids: Sequence[int], types: Sequence[EventType], before: tuple[datetime, int] | None, limit: int
) -> list[tuple[int, BusinessEvent]]:
    """Of each profile and of each that is merged into it the newest events of these types, before a moment and id, up to
    `limit` each; beside the profile that was asked for."""
    branches = " UNION ALL ".join(f"({_branch(one, before is not None)})" for one in types)
    rows = await conn.fetch(
        f"""
        SELECT asked.person, e.*
          FROM {_ASKED}
         CROSS JOIN LATERAL (SELECT * FROM ({branches}) AS one ORDER BY occurred_at DESC, id DESC LIMIT $2) AS e
         ORDER BY asked.person, e.occurred_at DESC, e.id DESC
        """,
        profile_ids, limit, *(before or ()),
    )  # fmt: skip
    return [(row["person"], BusinessEvent(**dict(list(row.items())[1:]))) for row in rows]


async def count_events(
    conn: Connection, profile_ids: Sequence[int], types: Sequence[EventType], since: datetime | None
) -> dict[int, EventCount]:
    """How many events of these types profiles and those merged into them have, from a moment on."""
    branches = " UNION ALL ".join(
        f"SELECT count(*) AS number, max(occurred_at) AS last_at FROM {table_of(one.name)}"
        " WHERE profile_id = asked.profile_id AND ($2::timestamptz IS NULL OR occurred_at >= $2)"
        for one in types
    )
    rows = await conn.fetch(
        f"""
        SELECT asked.person, sum(one.number)::bigint AS number, max(one.last_at) AS last_at
          FROM {_ASKED} CROSS JOIN LATERAL ({branches}) AS one
         GROUP BY asked.person
        """,
        profile_ids, since,
    )  # fmt: skip
    return {row["person"]: EventCount(number=row["number"], last_at=row["last_at"]) for row in rows}


def _branch(one: EventType, further: bool) -> str:
    fields = ", ".join(f"'{field.name}', {_plain(column_of(field.name), field.kind)}" for field in one.fields)
    older = "AND (occurred_at, id) < ($3, $4)" if further else ""
    payload = f"jsonb_build_object({fields})"
    if any(field.kind is FieldKind.JSON for field in one.fields):  # what is null within it stays
        payload = f"(SELECT coalesce(jsonb_object_agg(key, value), '{{}}') FROM jsonb_each({payload}) WHERE value <> 'null')"
    else:
        payload = f"jsonb_strip_nulls({payload})"
    return (
        f"SELECT id, '{one.name}' AS type, profile_id, occurred_at, received_at, key, {payload} AS payload"
        f" FROM {table_of(one.name)} WHERE profile_id = asked.profile_id {older}"
        " ORDER BY occurred_at DESC, id DESC LIMIT $2"
    )


def _plain(column: str, kind: FieldKind) -> str:
    if kind is FieldKind.INSTANT:
        return f"to_char({column} AT TIME ZONE 'UTC', '{_INSTANT}')"
    return f"{column}::text" if kind in _AS_TEXT else column


async def delete_events(conn: Connection, types: Sequence[EventType], profile_ids: Sequence[int]) -> dict[str, int]:
    """All events of these profiles with the keys under which they were told; returns how many, by their table."""
    deleted = ", ".join(
        f"d{one.id} AS (DELETE FROM {table_of(one.name)} WHERE profile_id = ANY($1::bigint[])"
        f" RETURNING {one.id} AS type_id, key)"
        for one in types
    )
    every = " UNION ALL ".join(f"SELECT type_id, key FROM d{one.id}" for one in types)
    rows = await conn.fetch(
        f"""
        WITH {deleted}, gone AS (
            DELETE FROM event_key k USING ({every}) e
             WHERE k.type_id = e.type_id AND k.key = substr(sha256(convert_to(e.key, 'UTF8')), 1, 16)
        )
        SELECT e.type_id, count(*) AS n FROM ({every}) e GROUP BY e.type_id
        """,
        profile_ids,
    )
    found = {row["type_id"]: row["n"] for row in rows}
    return {table_of(one.name): found[one.id] for one in types if one.id in found}


async def list_deleted(conn: Connection, limit: int) -> list[int]:
    """Profiles that are gone and whose events were not looked for yet; none that another sweep has taken."""
    rows = await conn.fetch("SELECT profile_id FROM event_forgetting LIMIT $1 FOR UPDATE SKIP LOCKED", limit)
    return [row["profile_id"] for row in rows]


async def forget_forgotten(conn: Connection, profile_ids: Sequence[int]) -> None:
    """Nothing is left of these."""
    await conn.execute("DELETE FROM event_forgetting WHERE profile_id = ANY($1::bigint[])", profile_ids)
