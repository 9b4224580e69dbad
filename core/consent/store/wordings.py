"""SQL on wordings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.consent.records import Wording
from core.db import Connection

COLUMNS = "id, name, version, text, created_at, created_by"


async def lock_name(conn: Connection, name: str) -> None:
    """Wait for others who add a version of the text. Held until the commit."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('consent_wording'), hashtext($1))", name)


async def insert_wording(conn: Connection, name: str, text: str, created_by: str, now: datetime) -> Wording:
    """The next version of the text; the caller holds its name."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO consent_wording (name, version, text, created_at, created_by)
        SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4 FROM consent_wording WHERE name = $1
        RETURNING {COLUMNS}
        """,
        name, text, now, created_by,
    )  # fmt: skip
    return Wording(**dict(row))


async def find_newest(conn: Connection, name: str) -> Wording | None:
    """The newest version of a text."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM consent_wording WHERE name = $1 ORDER BY version DESC LIMIT 1", name)
    return Wording(**dict(row)) if row else None


async def has_wording(conn: Connection, wording_id: int) -> bool:
    """Whether there is one."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM consent_wording WHERE id = $1)", wording_id)
    return found


async def find_wordings(conn: Connection, ids: Sequence[int]) -> list[Wording]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM consent_wording WHERE id = ANY($1::bigint[])", list(ids))
    return [Wording(**dict(row)) for row in rows]


async def list_wordings(conn: Connection, after: int | None, limit: int) -> list[Wording]:
    """Every version of every text, oldest first, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM consent_wording WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [Wording(**dict(row)) for row in rows]


async def count_wordings(conn: Connection) -> int:
    """How many versions there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM consent_wording")
    return found
