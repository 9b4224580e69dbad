"""SQL on campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection
from core.planning.records import Campaign, CampaignDraft

COLUMNS = "id, name, label, starts_on, ends_on, version, created_at, updated_at, created_by"


def _campaign(row: Any) -> Campaign:
    return Campaign(**dict(row))


async def insert_campaign(conn: Connection, draft: CampaignDraft, created_by: str) -> Campaign | None:
    """The new campaign; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO campaign (name, label, starts_on, ends_on, created_by) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        draft.name, draft.label, draft.starts_on, draft.ends_on, created_by,
    )  # fmt: skip
    return _campaign(row) if row else None


async def update_campaign(conn: Connection, campaign_id: int, draft: CampaignDraft) -> Campaign:
    """The campaign with its next version. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE campaign
           SET name = $2, label = $3, starts_on = $4, ends_on = $5, version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        campaign_id, draft.name, draft.label, draft.starts_on, draft.ends_on,
    )  # fmt: skip
    return _campaign(row)


async def delete_campaign(conn: Connection, campaign_id: int) -> None:
    """Delete a campaign. Raises ForeignKeyViolationError."""
    await conn.execute("DELETE FROM campaign WHERE id = $1", campaign_id)


async def find_campaign(conn: Connection, campaign_id: int) -> Campaign | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM campaign WHERE id = $1", campaign_id)
    return _campaign(row) if row else None


async def find_campaigns(conn: Connection, ids: Sequence[int]) -> list[Campaign]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM campaign WHERE id = ANY($1::bigint[])", list(ids))
    return [_campaign(row) for row in rows]


async def find_campaign_by_name(conn: Connection, name: str) -> Campaign | None:
    """By name."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM campaign WHERE name = $1", name)
    return _campaign(row) if row else None


async def lock_campaign(conn: Connection, campaign_id: int) -> Campaign | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM campaign WHERE id = $1 FOR NO KEY UPDATE", campaign_id)
    return _campaign(row) if row else None


async def list_campaigns(conn: Connection, after: int | None, limit: int) -> list[Campaign]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM campaign WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [_campaign(row) for row in rows]


async def count_campaigns(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM campaign")
    return found
