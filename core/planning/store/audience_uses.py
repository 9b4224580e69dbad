"""SQL on deliveries by the audiences that they go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.db import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A delivery, whom it goes to, and what it sends."""

    delivery_id: int
    name: str
    audience_id: int
    content_id: int


async def list_deliveries_to(conn: Connection, audience_ids: Sequence[int], limit: int) -> list[Target]:
    """The deliveries that go to one of some audiences, oldest first."""
    rows = await conn.fetch(
        """
        SELECT id AS delivery_id, name, audience_id, content_id FROM delivery
         WHERE audience_id = ANY ($1) ORDER BY id LIMIT $2
        """,
        list(audience_ids), limit,
    )  # fmt: skip
    return [Target(**row) for row in rows]


async def list_control_groups_of(conn: Connection, audience_id: int, limit: int) -> list[tuple[int, str]]:
    """The deliveries whose control group is an audience: the number and the name, oldest first."""
    rows = await conn.fetch(
        """
        SELECT d.id, d.name FROM delivery_control_group g JOIN delivery d ON d.id = g.delivery_id
         WHERE g.audience_id = $1 ORDER BY d.id LIMIT $2
        """,
        audience_id, limit,
    )  # fmt: skip
    return [(row["id"], row["name"]) for row in rows]
