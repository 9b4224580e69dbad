"""SQL on holdouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.planning.seed_records import Holdout, HoldoutDraft

_COLUMNS = "id, label, share, seed, starts_at, ends_at, version, created_at, created_by"


def _holdout(row: Any) -> Holdout:
    return Holdout(**dict(row))


async def insert_holdout(conn: Connection, draft: HoldoutDraft, seed: int, created_by: str) -> Holdout:
    """Raises ExclusionViolationError where another one counts at the same time."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO holdout (label, share, seed, starts_at, ends_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING {_COLUMNS}
        """,
        draft.label, draft.share, seed, draft.starts_at, draft.ends_at, created_by,
    )  # fmt: skip
    return _holdout(row)


async def update_holdout(conn: Connection, holdout_id: int, label: str, ends_at: datetime | None) -> Holdout:
    """With its next version. Raises ExclusionViolationError."""
    row = await conn.fetchrow(
        f"UPDATE holdout SET label = $2, ends_at = $3, version = version + 1 WHERE id = $1 RETURNING {_COLUMNS}",
        holdout_id, label, ends_at,
    )  # fmt: skip
    return _holdout(row)


async def delete_holdout(conn: Connection, holdout_id: int) -> None:
    """As if it had never been."""
    await conn.execute("DELETE FROM holdout WHERE id = $1", holdout_id)


async def lock_holdout(conn: Connection, holdout_id: int) -> Holdout | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM holdout WHERE id = $1 FOR NO KEY UPDATE", holdout_id)
    return _holdout(row) if row else None


async def find_current(conn: Connection, at: datetime) -> Holdout | None:
    """The one that counts at a moment."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM holdout WHERE starts_at <= $1 AND (ends_at IS NULL OR ends_at > $1)", at)
    return _holdout(row) if row else None


async def find_holdouts(conn: Connection, ids: Sequence[int]) -> list[Holdout]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM holdout WHERE id = ANY ($1::bigint[])", list(ids))
    return [_holdout(row) for row in rows]


async def list_holdouts(conn: Connection, after: int | None, limit: int) -> list[Holdout]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM holdout WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [_holdout(row) for row in rows]


async def count_holdouts(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM holdout")
    return found
