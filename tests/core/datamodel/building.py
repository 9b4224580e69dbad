"""Builds that stand still in the middle, and what they leave, for the tests of what is built."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.datamodel.builder import build_all
from core.datamodel.records import FieldKind
from core.datamodel.store import builds as store
from core.db import Connection, Pool, transaction
from core.runtime import Runtime
from tests.core.datamodel.model import (
    dataset,
    field,
    indexed,
    link,
    point,
    publish_draft,
    unique,
)


async def indexes(conn: Connection, table: str = "x_purchase") -> list[str]:
    """What the indexes of a team's table are of, without its primary key; those that are not whole are marked."""
    rows = await conn.fetch(
        r"""
        SELECT CASE WHEN i.indisvalid THEN '' ELSE 'broken ' END || CASE WHEN i.indisunique THEN 'unique ' ELSE '' END
               || substring(pg_get_indexdef(i.indexrelid) FROM '\((.*)\)$') AS said
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = to_regclass($1) AND c.relname LIKE 'x\_1\_%' ORDER BY 1
        """,
        table,
    )
    return [row["said"] for row in rows]


async def shop(conn: Connection) -> None:
    """Purchases of profiles with a code, a key and an index, published."""
    await dataset(conn, "purchase", field("code", max_length=30), field("amount", FieldKind.DECIMAL))
    await point(conn, link())
    await unique(conn, "by_code", "code")
    await indexed(conn, "by_place", "code", "customer", "created_at")
    await publish_draft(conn)


@asynccontextmanager
async def in_the_middle(runtime: Runtime) -> AsyncIterator[asyncio.Task[None]]:
    """While an index of purchases is built: it waits for a transaction that has written, which ends with the block."""
    async with transaction(runtime.pool) as writer:
        await writer.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        await writer.execute("INSERT INTO x_purchase DEFAULT VALUES")
        building = asyncio.create_task(build_all(runtime))
        await begun(runtime.pool)
        yield building
    await building


async def begun(pool: Pool) -> None:
    """Until an index is being built, and is not whole."""
    unfinished = "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = 'x_purchase'::regclass AND NOT indisvalid)"
    for _ in range(600):
        if await pool.fetchval(unfinished):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no index was begun")


async def free(conn: Connection) -> bool:
    """Whether nobody builds."""
    async with conn.transaction():
        return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", store.BUILDER_LOCK))


async def until_free(conn: Connection) -> None:
    """Until the server has let go of a builder's session."""
    for _ in range(200):
        if await free(conn):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("somebody builds still")
