"""Connections: a process that freezes in the middle of a transaction stops nobody else."""

import asyncio
from contextlib import suppress

import pytest
from asyncpg import InterfaceError, PostgresError

from core import db
from core.db import open_pool, transaction
from core.outbox import take

LOCK = "SELECT pg_advisory_xact_lock(1)"


async def test_a_transaction_whose_client_fell_silent_lets_go_of_its_locks(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "ASLEEP_SECONDS", 0.3)
    frozen = await open_pool(database_url, size=1, application="frozen")
    awake = await open_pool(database_url, size=1, application="awake")
    try:
        with suppress(PostgresError, InterfaceError, ConnectionError):  # however the driver tells of it
            async with transaction(frozen) as silent:
                await silent.execute(LOCK)
                async with transaction(awake) as conn:
                    await asyncio.wait_for(conn.execute(LOCK), 30)
                with pytest.raises((PostgresError, InterfaceError, ConnectionError)):
                    await silent.execute("SELECT 1")

        assert await frozen.fetchval("SELECT 1") == 1
    finally:
        frozen.terminate()
        awake.terminate()


async def test_a_relay_that_waits_for_the_broker_keeps_its_transaction(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "ASLEEP_SECONDS", 0.1)
    pool = await open_pool(database_url, size=1, application="patient")
    try:
        async with transaction(pool) as conn:
            await take(conn, 1, silence=20)
            await asyncio.sleep(0.4)
            assert await conn.fetchval("SELECT 1") == 1
        assert await pool.fetchval("SHOW idle_in_transaction_session_timeout") == "100ms"
    finally:
        pool.terminate()
