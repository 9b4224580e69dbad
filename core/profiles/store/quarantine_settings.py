"""SQL on the one row of the quarantine's settings, and on refusals of short codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.quarantine_records import QuarantineSettings

COLUMNS = "soft_errors, between_soft_errors, forget_soft_after, release_full_after, version, changed_by, changed_at"


def _settings(row: Any) -> QuarantineSettings:
    return QuarantineSettings(**dict(row))


async def get_settings(conn: Connection) -> QuarantineSettings:
    """As they are now."""
    return _settings(await conn.fetchrow(f"SELECT {COLUMNS} FROM quarantine_settings"))


async def lock_settings(conn: Connection) -> QuarantineSettings:
    """As they are now, held against other changes until the transaction ends; who only reads does not wait."""
    return _settings(await conn.fetchrow(f"SELECT {COLUMNS} FROM quarantine_settings FOR NO KEY UPDATE"))


async def update_settings(conn: Connection, settings: QuarantineSettings, changed_by: str, now: datetime) -> QuarantineSettings:
    """Write the next version of locked settings."""
    row = await conn.fetchrow(
        f"""
        UPDATE quarantine_settings
           SET soft_errors = $1, between_soft_errors = $2, forget_soft_after = $3, release_full_after = $4,
               version = version + 1, changed_by = $5, changed_at = $6
        RETURNING {COLUMNS}
        """,
        settings.soft_errors, settings.between_soft_errors, settings.forget_soft_after, settings.release_full_after,
        changed_by, now,
    )  # fmt: skip
    return _settings(row)


async def put_stops(conn: Connection, short_code: str, keys: Sequence[str], now: datetime) -> list[str]:
    """These phones want nothing more from a short code; the keys of those that had not said so before."""
    rows = await conn.fetch(
        """
        INSERT INTO short_code_stop (short_code, address_key, stopped_at)
        SELECT $1, key, $3 FROM (SELECT DISTINCT unnest($2::text[]) AS key ORDER BY 1) k
        ON CONFLICT (short_code, address_key) DO NOTHING
        RETURNING address_key
        """,
        short_code, keys, now,
    )  # fmt: skip
    return sorted(row["address_key"] for row in rows)


async def lift_stops(conn: Connection, short_code: str, keys: Sequence[str]) -> list[str]:
    """These phones may be written to from the short code again; the keys of those that had refused."""
    rows = await conn.fetch(
        "DELETE FROM short_code_stop WHERE short_code = $1 AND address_key = ANY($2::text[]) RETURNING address_key",
        short_code, keys,
    )  # fmt: skip
    return sorted(row["address_key"] for row in rows)


async def list_stops(conn: Connection, key: str) -> list[str]:
    """The short codes that a phone refuses."""
    rows = await conn.fetch("SELECT short_code FROM short_code_stop WHERE address_key = $1 ORDER BY 1", key)
    return [row["short_code"] for row in rows]
