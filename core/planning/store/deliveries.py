"""SQL on deliveries as authored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection
from core.planning.records import Delivery, DeliveryDraft, UnknownPolicy, Use

COLUMNS = """
    id, name, label, campaign_id, channel_account_id, audience_id, content_id, contact_at, duration,
    unknown_policy, service_id, purpose_id, ignores_holdout, time_zone, version, created_at, updated_at, created_by,
    ARRAY(SELECT s.list_id FROM delivery_suppression s WHERE s.delivery_id = delivery.id ORDER BY s.list_id)
        AS suppression_list_ids
"""


def _delivery(row: Any) -> Delivery:
    values = dict(row)
    lists = tuple(values["suppression_list_ids"])
    return Delivery(**{**values, "unknown_policy": UnknownPolicy(values["unknown_policy"]), "suppression_list_ids": lists})


async def insert_delivery(conn: Connection, draft: DeliveryDraft, created_by: str) -> Delivery | None:
    """The new delivery; None when the name is taken. Raises ForeignKeyViolationError."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO delivery (name, label, campaign_id, channel_account_id, audience_id, content_id,
                              contact_at, duration, unknown_policy, created_by, service_id, purpose_id, ignores_holdout,
                              time_zone)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        draft.name, draft.label, draft.campaign_id, draft.channel_account_id, draft.audience_id,
        draft.content_id, draft.contact_at, draft.duration, draft.unknown_policy.value, created_by,
        draft.service_id, draft.purpose_id, draft.ignores_holdout, draft.time_zone,
    )  # fmt: skip
    return _delivery(row) if row else None


async def update_delivery(conn: Connection, delivery_id: int, draft: DeliveryDraft) -> Delivery:
    """The delivery with its next version. Raises UniqueViolationError, ForeignKeyViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE delivery
           SET name = $2, label = $3, campaign_id = $4, channel_account_id = $5, audience_id = $6,
               content_id = $7, contact_at = $8, duration = $9, unknown_policy = $10, service_id = $11, purpose_id = $12,
               ignores_holdout = $13, time_zone = $14,
               version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        delivery_id, draft.name, draft.label, draft.campaign_id, draft.channel_account_id, draft.audience_id,
        draft.content_id, draft.contact_at, draft.duration, draft.unknown_policy.value,
        draft.service_id, draft.purpose_id, draft.ignores_holdout, draft.time_zone,
    )  # fmt: skip
    return _delivery(row)


async def add_version(conn: Connection, delivery_id: int) -> None:
    """Something that belongs to a delivery and has a table of its own has changed."""
    await conn.execute("UPDATE delivery SET version = version + 1, updated_at = now() WHERE id = $1", delivery_id)


async def name_suppression_lists(conn: Connection, delivery_id: int, list_ids: Sequence[int]) -> None:
    """These and no others. Raises ForeignKeyViolationError."""
    await conn.execute(
        """
        WITH gone AS (DELETE FROM delivery_suppression WHERE delivery_id = $1 AND list_id <> ALL($2::bigint[]))
        INSERT INTO delivery_suppression (delivery_id, list_id)
        SELECT $1, list_id FROM unnest($2::bigint[]) AS list_id ORDER BY list_id
        ON CONFLICT (delivery_id, list_id) DO NOTHING
        """,
        delivery_id, list_ids,
    )  # fmt: skip


async def delete_delivery(conn: Connection, delivery_id: int) -> None:
    """Delete a delivery."""
    await conn.execute("DELETE FROM delivery WHERE id = $1", delivery_id)


async def find_delivery(conn: Connection, delivery_id: int) -> Delivery | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM delivery WHERE id = $1", delivery_id)
    return _delivery(row) if row else None


async def find_deliveries(conn: Connection, ids: Sequence[int]) -> list[Delivery]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM delivery WHERE id = ANY($1::bigint[])", list(ids))
    return [_delivery(row) for row in rows]


async def find_delivery_by_name(conn: Connection, name: str) -> Delivery | None:
    """By name."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM delivery WHERE name = $1", name)
    return _delivery(row) if row else None


async def lock_delivery(conn: Connection, delivery_id: int) -> Delivery | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM delivery WHERE id = $1 FOR NO KEY UPDATE", delivery_id)
    return _delivery(row) if row else None


async def list_deliveries(conn: Connection, campaign_id: int | None, after: int | None, limit: int) -> list[Delivery]:
    """In the order of their ids, after one; of one campaign or of all."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM delivery
         WHERE ($1::bigint IS NULL OR campaign_id = $1) AND id > coalesce($2::bigint, 0)
         ORDER BY id
         LIMIT $3
        """,
        campaign_id, after, limit,
    )  # fmt: skip
    return [_delivery(row) for row in rows]


async def count_deliveries(conn: Connection, campaign_id: int | None) -> int:
    """How many there are, of one campaign or of all."""
    found: int = await conn.fetchval("SELECT count(*) FROM delivery WHERE $1::bigint IS NULL OR campaign_id = $1", campaign_id)
    return found


async def list_uses(
    conn: Connection,
    campaign_id: int | None,
    channel_account_id: int | None,
    audience_id: int | None,
    content_id: int | None,
    limit: int,
) -> list[Use]:
    """Deliveries that use any of these, oldest first."""
    rows = await conn.fetch(
        """
        SELECT id AS delivery_id, name FROM delivery
         WHERE campaign_id = $1 OR channel_account_id = $2 OR audience_id = $3 OR content_id = $4
         ORDER BY id
         LIMIT $5
        """,
        campaign_id, channel_account_id, audience_id, content_id, limit,
    )  # fmt: skip
    return [Use(**dict(row)) for row in rows]


async def audiences_of_content(conn: Connection, content_id: int, limit: int) -> list[int]:
    """The audiences to which deliveries send a content."""
    rows = await conn.fetch(
        "SELECT DISTINCT audience_id FROM delivery WHERE content_id = $1 ORDER BY audience_id LIMIT $2", content_id, limit
    )
    return [row["audience_id"] for row in rows]


async def contents_of(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, int]:
    """What deliveries send, by delivery."""
    rows = await conn.fetch("SELECT id, content_id FROM delivery WHERE id = ANY ($1)", list(delivery_ids))
    return {row["id"]: row["content_id"] for row in rows}


async def audiences_used(conn: Connection, audience_ids: Sequence[int]) -> set[int]:
    """Those of the audiences that a delivery goes to, or that are its control group."""
    rows = await conn.fetch(
        """
        SELECT audience_id FROM delivery WHERE audience_id = ANY ($1)
         UNION SELECT audience_id FROM delivery_control_group WHERE audience_id = ANY ($1)
        """,
        list(audience_ids),
    )
    return {row["audience_id"] for row in rows}
