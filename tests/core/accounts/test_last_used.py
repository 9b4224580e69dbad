"""The last use of a token is remembered without a write per request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from core.access import SYSTEM, Role
from core.accounts import tokens
from core.accounts.last_used import LastUsed
from core.db import Connection
from core.secrets import new_key_text, parse_keyring

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def make_token(conn: Connection) -> int:
    """A token's id."""
    token, _ = await tokens.create_token(conn, SYSTEM, parse_keyring(new_key_text(1)), name="a", roles=[Role.EXPORT], now=NOW)
    return token.id


async def test_uses_are_stored_together_once_a_minute(conn: Connection) -> None:
    one, other = await make_token(conn), await make_token(conn)
    uses = LastUsed()
    assert not uses.is_due(NOW)

    uses.note(one, NOW)
    uses.note(one, NOW + 2 * MINUTE)
    uses.note(one, NOW + MINUTE)
    uses.note(other, NOW)
    assert uses.is_due(NOW)
    await uses.flush(conn, NOW)

    assert (await tokens.get_token(conn, one)).last_used_at == NOW + 2 * MINUTE
    assert (await tokens.get_token(conn, other)).last_used_at == NOW
    uses.note(other, NOW + MINUTE)
    assert not uses.is_due(NOW + MINUTE / 2)
    assert uses.is_due(NOW + MINUTE)


async def test_time_never_goes_back(conn: Connection) -> None:
    token = await make_token(conn)
    fast, slow = LastUsed(), LastUsed()
    fast.note(token, NOW + MINUTE)
    slow.note(token, NOW)

    await fast.flush(conn, NOW)
    await slow.flush(conn, NOW)

    assert (await tokens.get_token(conn, token)).last_used_at == NOW + MINUTE


async def test_a_flush_that_fails_loses_nothing(conn: Connection, database_url: str) -> None:
    token = await make_token(conn)
    uses = LastUsed()
    uses.note(token, NOW)
    broken = await asyncpg.connect(database_url)
    await broken.close()

    with pytest.raises(asyncpg.InterfaceError):
        await uses.flush(broken, NOW)
    await uses.flush(conn, NOW)

    assert (await tokens.get_token(conn, token)).last_used_at == NOW
