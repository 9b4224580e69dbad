"""SQL on tokens."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import asyncpg

from core.access import Permission, Role
from core.accounts.records import StoredToken, TokenRecord
from core.db import Connection

COLUMNS = "id, name, roles, scopes, created_at, created_by, expires_at, revoked_at, last_used_at"
FIRST_TOKEN_LOCK = 0x636C_6172_0001  # an advisory lock's number, any that nothing else takes


def _token(row: asyncpg.Record) -> TokenRecord:
    """Roles and scopes that this version does not know are left out: they allow nothing."""
    scopes = row["scopes"]
    return TokenRecord(
        id=row["id"],
        name=row["name"],
        roles=frozenset(Role(role) for role in row["roles"] if role in set(Role)),
        scopes=None if scopes is None else frozenset(Permission(one) for one in scopes if one in set(Permission)),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )


async def insert_token(
    conn: Connection,
    *,
    name: str,
    token_hash: bytes,
    key_id: int,
    roles: Collection[Role],
    scopes: Collection[Permission] | None,
    expires_at: datetime | None,
    created_by: str,
    now: datetime,
) -> TokenRecord:
    """A new token."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO api_token (name, token_hash, key_id, roles, scopes, expires_at, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING {COLUMNS}
        """,
        name, token_hash, key_id, sorted(roles), None if scopes is None else sorted(scopes), expires_at,
        created_by, now,
    )  # fmt: skip
    return _token(row)


async def find_stored(conn: Connection, token_id: int) -> StoredToken | None:
    """The token with its hash."""
    row = await conn.fetchrow(f"SELECT {COLUMNS}, key_id, token_hash FROM api_token WHERE id = $1", token_id)
    if row is None:
        return None
    return StoredToken(record=_token(row), key_id=row["key_id"], token_hash=row["token_hash"])


async def find_token(conn: Connection, token_id: int) -> TokenRecord | None:
    """By id."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM api_token WHERE id = $1", token_id)
    return _token(row) if row else None


async def revoke_token(conn: Connection, token_id: int, now: datetime) -> TokenRecord | None:
    """The revoked token; None when it was revoked before or does not exist."""
    row = await conn.fetchrow(
        f"UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING {COLUMNS}",
        token_id,
        now,
    )
    return _token(row) if row else None


async def list_tokens(conn: Connection, after: int | None, limit: int) -> list[TokenRecord]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM api_token WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2",
        after,
        limit,
    )
    return [_token(row) for row in rows]


async def count_tokens(conn: Connection) -> int:
    """How many there are, revoked ones included."""
    found: int = await conn.fetchval("SELECT count(*) FROM api_token")
    return found


async def count_live_by_key(conn: Connection, now: datetime) -> dict[int, int]:
    """How many open the door now, by the id of the master key that checks them."""
    rows = await conn.fetch(
        """
        SELECT key_id, count(*) AS tokens FROM api_token
         WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
         GROUP BY key_id
        """,
        now,
    )
    return {row["key_id"]: row["tokens"] for row in rows}


async def lock_first_token(conn: Connection) -> None:
    """Let one transaction at a time look whether there is a token at all."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", FIRST_TOKEN_LOCK)


async def note_uses(conn: Connection, uses: Mapping[int, datetime]) -> None:
    """Move `last_used_at` forward, never back; in the order of ids, so that flushes do not deadlock."""
    await conn.execute(
        """
        WITH used AS (
            SELECT t.id, u.at
              FROM unnest($1::bigint[], $2::timestamptz[]) AS u (id, at)
              JOIN api_token t ON t.id = u.id AND (t.last_used_at IS NULL OR t.last_used_at < u.at)
             ORDER BY t.id FOR NO KEY UPDATE OF t
        )
        UPDATE api_token t SET last_used_at = u.at FROM used u WHERE t.id = u.id
        """,
        list(uses.keys()),
        list(uses.values()),
    )
