"""Connections to Postgres: one pool per process and loop, transactions opened at the doors. No statements on tables of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from core.db_errors import hide_values

hide_values()

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
Pool: TypeAlias = asyncpg.Pool

ASLEEP_SECONDS = 5
"""After which the server ends a transaction whose client asks nothing: a process that froze with locks stops nobody else."""

# A part we depend on is away: what was to be done stays to be done. OSError is also how a socket or a disk says so,
# InternalClientError how the driver tells of a connection that was cut off between two statements.
TRY_LATER = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # somebody else was in the way
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
    OSError,
)

_decode = msgspec.json.decode


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def set_up_connection(conn: asyncpg.Connection) -> None:
    """Give a fresh connection the codecs every statement relies on: jsonb to and from plain Python values."""
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=_encode, decoder=_decode, format="text")


async def open_pool(url: str, *, size: int, application: str) -> Pool:
    """Open a pool. `url` may name several hosts; the one that accepts writes is taken. Times are UTC.

    A transaction whose client falls silent is ended by the server: see ASLEEP_SECONDS.
    """
    return await asyncpg.create_pool(
        url,
        min_size=min(2, size),
        max_size=size,
        init=set_up_connection,
        connect=_connect,
        target_session_attrs="primary",
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "jit": "off",
            "idle_in_transaction_session_timeout": f"{ASLEEP_SECONDS}s",
        },
    )


async def connect(url: str) -> asyncpg.Connection:
    """A connection of its own, without codecs, to the host that accepts writes. Raises ConnectionError."""
    return await _connect(url, target_session_attrs="primary")


async def _connect(*args: Any, **options: Any) -> asyncpg.Connection:
    """Connect. Whatever is in the way counts as a lost connection: a socket file that is gone, a name that is not known."""
    try:
        return await asyncpg.connect(*args, **options)
    except OSError as error:
        raise ConnectionError(*error.args) from error


async def allow_silence(conn: Connection, seconds: float) -> None:
    """Let this transaction ask nothing for longer than ASLEEP_SECONDS: its client waits for somebody else meanwhile."""
    await conn.execute("SELECT set_config('idle_in_transaction_session_timeout', $1, true)", f"{seconds * 1000:.0f}ms")


async def has_table(conn: Connection, name: str) -> bool:
    """Whether there is a table of this name by now.

    Asked of the catalogue itself: within a transaction to_regclass() goes on saying no to what it has said no to before.
    """
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace)", name
    )
    return found


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One connection in one transaction; commits at the end, rolls back on an error."""
    async with pool.acquire() as conn, conn.transaction():
        yield conn
