"""SQL on namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection
from core.privacy.records import Namespace, NamespaceDraft

COLUMNS = "id, name, label, entity, field, built_in, created_by, created_at"


def _namespace(row: Any) -> Namespace:
    return Namespace(**dict(row))


async def insert_namespace(conn: Connection, draft: NamespaceDraft, created_by: str) -> Namespace | None:
    """A new one; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO privacy_namespace (name, label, entity, field, created_by) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO NOTHING RETURNING {COLUMNS}
        """,
        draft.name, draft.label, draft.entity, draft.field, created_by,
    )  # fmt: skip
    return _namespace(row) if row else None


async def find_by_name(conn: Connection, name: str) -> Namespace | None:
    """By its name; it stays until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM privacy_namespace WHERE name = $1 FOR KEY SHARE", name)
    return _namespace(row) if row else None


async def get_namespaces(conn: Connection, ids: Sequence[int]) -> list[Namespace]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM privacy_namespace WHERE id = ANY($1::bigint[])", ids)
    return [_namespace(row) for row in rows]


async def list_namespaces(conn: Connection) -> list[Namespace]:
    """All, the built-in ones first."""
    return [_namespace(row) for row in await conn.fetch(f"SELECT {COLUMNS} FROM privacy_namespace ORDER BY id")]


async def lock_namespace(conn: Connection, namespace_id: int) -> Namespace | None:
    """By id, held until the transaction ends: nobody begins a request by it meanwhile."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM privacy_namespace WHERE id = $1 FOR UPDATE", namespace_id)
    return _namespace(row) if row else None


async def delete_namespace(conn: Connection, namespace_id: int) -> None:
    """Raises asyncpg's ForeignKeyViolationError when a request names it."""
    await conn.execute("DELETE FROM privacy_namespace WHERE id = $1", namespace_id)
