"""SQL on services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from channels.contract import AddressKind
from core.consent.records import Confirmation, Service, ServiceDraft, ServiceMode
from core.db import Connection

_WRITTEN = [one.name for one in fields(ServiceDraft)]
COLUMNS = ", ".join(one.name for one in fields(Service))
_PLACES = ", ".join(f"${n}" for n in range(2, len(_WRITTEN) + 2))
_SET = ", ".join(f"{column} = ${n}" for n, column in enumerate(_WRITTEN, start=2))


def service_of(row: Any) -> Service:
    """The record of a row of COLUMNS."""
    values = dict(row)
    return Service(
        **{
            **values,
            "address_kind": AddressKind(values["address_kind"]),
            "mode": ServiceMode(values["mode"]),
            "subscribe_confirmation": Confirmation(values["subscribe_confirmation"]),
            "unsubscribe_confirmation": Confirmation(values["unsubscribe_confirmation"]),
        }
    )


def _arguments(draft: ServiceDraft) -> list[Any]:
    values = (getattr(draft, column) for column in _WRITTEN)
    return [value.value if hasattr(value, "value") else value for value in values]


async def insert_service(conn: Connection, draft: ServiceDraft, created_by: str) -> Service | None:
    """The new service; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO service (created_by, {", ".join(_WRITTEN)}) VALUES ($1, {_PLACES})
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        created_by,
        *_arguments(draft),
    )
    return service_of(row) if row else None


async def update_service(conn: Connection, service_id: int, draft: ServiceDraft) -> Service:
    """The service with its next version. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE service SET version = version + 1, updated_at = clock_timestamp(), {_SET} WHERE id = $1 RETURNING {COLUMNS}
        """,
        service_id,
        *_arguments(draft),
    )
    return service_of(row)


async def delete_service(conn: Connection, service_id: int) -> None:
    """Remove it. Raises ForeignKeyViolationError when a delivery names it."""
    await conn.execute("DELETE FROM service WHERE id = $1", service_id)


async def is_used(conn: Connection, service_id: int) -> bool:
    """Whether somebody has subscribed to it, ever."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM subscription WHERE service_id = $1)
            OR EXISTS (SELECT FROM subscription_event WHERE service_id = $1)
        """,
        service_id,
    )
    return found


async def lock_service(conn: Connection, service_id: int) -> Service | None:
    """By id, locked until the end of the transaction, against subscribing too."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM service WHERE id = $1 FOR UPDATE", service_id)
    return service_of(row) if row else None


async def hold_services(conn: Connection, ids: Sequence[int]) -> list[Service]:
    """Those that exist, kept from being deleted until the end of the transaction."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM service WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE", list(ids))
    return [service_of(row) for row in rows]


async def find_services(conn: Connection, ids: Sequence[int]) -> list[Service]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM service WHERE id = ANY($1::bigint[])", list(ids))
    return [service_of(row) for row in rows]


async def find_service_by_name(conn: Connection, name: str) -> Service | None:
    """By name."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM service WHERE name = $1", name)
    return service_of(row) if row else None


async def find_numbers(conn: Connection, names: Sequence[str]) -> dict[str, int]:
    """The ids of those of the services that exist, by their names."""
    rows = await conn.fetch("SELECT name, id FROM service WHERE name = ANY($1::text[])", list(names))
    return {row["name"]: row["id"] for row in rows}


async def list_services(conn: Connection, after: int | None, limit: int) -> list[Service]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM service WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [service_of(row) for row in rows]


async def count_services(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM service")
    return found
