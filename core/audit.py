"""Who changed what, in the caller's transaction. Its own store.

Secrets never enter it; personal values enter by reference only: the names of the changed fields, not their contents, and a
keyed hash (`Keyring.keyed_hash`) where a personal value is what a thing is known by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.access import Actor
from core.db import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change."""

    id: int
    at: datetime
    actor: str
    action: str  # "campaign.create"
    object_type: str
    object_id: str
    changes: Mapping[str, Any]
    request_id: str | None


async def record(
    conn: Connection,
    actor: Actor,
    action: str,
    object_type: str,
    object_id: int | str,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry. `changes` is plain data: `{"field": {"from": …, "to": …}}` or `{"fields": ["email"]}` for people."""
    await conn.execute(
        """
        INSERT INTO audit_entry (actor, action, object_type, object_id, changes, request_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        actor.name, action, object_type, str(object_id), dict(changes or {}), actor.request_id,
    )  # fmt: skip


async def record_many(
    conn: Connection,
    actor: Actor,
    action: str,
    object_type: str,
    object_ids: Sequence[int | str],
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry for each object of a set that changed alike."""
    await conn.execute(
        """
        INSERT INTO audit_entry (actor, action, object_type, object_id, changes, request_id)
        SELECT $1, $2, $3, object_id, $5, $6 FROM unnest($4::text[]) AS object_id
        """,
        actor.name, action, object_type, [str(one) for one in object_ids], dict(changes or {}), actor.request_id,
    )  # fmt: skip


async def record_each(
    conn: Connection, actor: Actor, action: str, object_type: str, changes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Append one entry for each object of a set, with its own changes by its id."""
    await conn.execute(
        """
        INSERT INTO audit_entry (actor, action, object_type, object_id, changes, request_id)
        SELECT $1, $2, $3, object_id, changes, $6 FROM unnest($4::text[], $5::jsonb[]) AS s (object_id, changes)
        """,
        actor.name, action, object_type, list(changes), [dict(one) for one in changes.values()], actor.request_id,
    )  # fmt: skip


async def list_entries(
    conn: Connection, *, object_type: str | None, object_ids: Sequence[str] | None, before_id: int | None, limit: int
) -> list[AuditEntry]:
    """The newest entries first, before a cursor; None: of all types, of all objects."""
    rows = await conn.fetch(
        """
        SELECT id, at, actor, action, object_type, object_id, changes, request_id
          FROM audit_entry
         WHERE ($1::text IS NULL OR object_type = $1)
           AND ($2::text[] IS NULL OR object_id = ANY($2))
           AND id < coalesce($3::bigint, 9223372036854775807)
         ORDER BY id DESC
         LIMIT $4
        """,
        object_type, object_ids, before_id, limit,
    )  # fmt: skip
    return [AuditEntry(**dict(row)) for row in rows]


async def count_by_key(conn: Connection, object_type: str) -> dict[int, int]:
    """How many entries know their object by a keyed hash, by the id of the master key that made it."""
    rows = await conn.fetch(
        """
        SELECT split_part(object_id, ':', 1)::int AS key_id, count(*) AS entries
          FROM audit_entry WHERE object_type = $1 AND object_id ~ '^[0-9]{1,3}:' GROUP BY 1
        """,
        object_type,
    )
    return {row["key_id"]: row["entries"] for row in rows}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that differ, as `{"field": {"from": …, "to": …}}`."""
    return {name: {"from": before.get(name), "to": value} for name, value in after.items() if before.get(name) != value}
