"""SQL on channel accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.planning.records import AccountDraft, ChannelAccount

COLUMNS = """
    id, name, label, channel, config, secret_names, secrets, version, paused_at, pause_reason, retry_at,
    failures, created_at, updated_at, created_by
"""


def _account(row: Any) -> ChannelAccount:
    values = dict(row)
    values["sealed"] = values.pop("secrets")
    values["secret_names"] = tuple(values["secret_names"])
    return ChannelAccount(**values)


async def insert_account(
    conn: Connection, draft: AccountDraft, config: Mapping[str, Any], created_by: str
) -> ChannelAccount | None:
    """The new account, still without secrets; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO channel_account (name, label, channel, config, created_by)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        draft.name, draft.label, draft.channel, dict(config), created_by,
    )  # fmt: skip
    return _account(row) if row else None


async def seal_secrets(conn: Connection, account_id: int, sealed: bytes | None, names: Sequence[str]) -> None:
    """Store the secrets of an account and which ones they are."""
    await conn.execute(
        "UPDATE channel_account SET secrets = $2, secret_names = $3 WHERE id = $1",
        account_id,
        sealed,
        list(names),
    )


async def update_account(
    conn: Connection, account_id: int, *, name: str, label: str, config: Mapping[str, Any]
) -> ChannelAccount:
    """The account with its next version. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE channel_account
           SET name = $2, label = $3, config = $4, version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        account_id, name, label, dict(config),
    )  # fmt: skip
    return _account(row)


async def delete_account(conn: Connection, account_id: int) -> None:
    """Delete an account. Raises ForeignKeyViolationError."""
    await conn.execute("DELETE FROM channel_account WHERE id = $1", account_id)


async def find_account(conn: Connection, account_id: int) -> ChannelAccount | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM channel_account WHERE id = $1", account_id)
    return _account(row) if row else None


async def find_accounts(conn: Connection, ids: Sequence[int]) -> list[ChannelAccount]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM channel_account WHERE id = ANY($1::bigint[])", list(ids))
    return [_account(row) for row in rows]


async def find_account_by_name(conn: Connection, name: str) -> ChannelAccount | None:
    """By name."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM channel_account WHERE name = $1", name)
    return _account(row) if row else None


async def lock_account(conn: Connection, account_id: int) -> ChannelAccount | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM channel_account WHERE id = $1 FOR NO KEY UPDATE", account_id)
    return _account(row) if row else None


async def list_accounts(conn: Connection, after: int | None, limit: int) -> list[ChannelAccount]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM channel_account WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [_account(row) for row in rows]


async def list_sealed(conn: Connection) -> list[ChannelAccount]:
    """Every account that has secrets, locked."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM channel_account WHERE secrets IS NOT NULL ORDER BY id FOR NO KEY UPDATE")
    return [_account(row) for row in rows]


async def count_accounts(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM channel_account")
    return found


async def pause_account(conn: Connection, account_id: int, reason: str, now: datetime) -> bool:
    """True when it was not paused before; a second reason does not replace the first."""
    found = await conn.fetchval(
        """
        UPDATE channel_account SET paused_at = $3, pause_reason = $2
         WHERE id = $1 AND paused_at IS NULL
        RETURNING id
        """,
        account_id, reason, now,
    )  # fmt: skip
    return found is not None


async def resume_account(conn: Connection, account_id: int) -> None:
    """Take the pause and the breaker's memory away."""
    await conn.execute(
        """
        UPDATE channel_account SET paused_at = NULL, pause_reason = NULL, retry_at = NULL, failures = 0
         WHERE id = $1
        """,
        account_id,
    )


async def open_breaker(conn: Connection, account_id: int, failures: int, retry_at: datetime) -> None:
    """Count a failure and say when to try again."""
    await conn.execute(
        "UPDATE channel_account SET failures = $2, retry_at = $3 WHERE id = $1",
        account_id,
        failures,
        retry_at,
    )


async def close_breaker(conn: Connection, account_id: int, asked_at: datetime) -> None:
    """Forget failures before this time; writes nothing where there were none."""
    await conn.execute(
        """
        UPDATE channel_account SET failures = 0, retry_at = NULL
         WHERE id = $1 AND (failures > 0 OR retry_at IS NOT NULL) AND (retry_at IS NULL OR retry_at <= $2)
        """,
        account_id,
        asked_at,
    )
