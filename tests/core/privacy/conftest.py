"""An engine on a fresh database, with the memory channel, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from core.config import load_settings
from core.db import Connection, Pool
from core.delivery.engine import Engine, open_engine
from core.egress import GuardedIO
from core.files import Files
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from tests.core.delivery.people import Times


@pytest.fixture
def times() -> Times:
    """A clock that the test moves."""
    return Times(datetime(2026, 3, 1, 9, 0, tzinfo=UTC))


@pytest_asyncio.fixture
async def runtime(pool: Pool, database_url: str, tmp_path: Path, times: Times) -> Runtime:
    """A process's runtime."""
    settings = load_settings(
        database_url=database_url,
        var_dir=tmp_path,
        allow_private_egress=True,
        worker_processes=1,
        send_batch_size=50,
    )
    return Runtime(
        settings=settings,
        pool=pool,
        keyring=parse_keyring(new_key_text(1)),
        files=Files(tmp_path / "files"),
        io=GuardedIO.from_settings(settings),
        clock=times,
        worker_id="worker-a",
    )


@pytest_asyncio.fixture
async def engine(runtime: Runtime) -> AsyncIterator[Engine]:
    """The delivery room's engine."""
    opened = open_engine(runtime)
    try:
        yield opened
    finally:
        await opened.close()


@pytest_asyncio.fixture
async def db(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on the fresh database; what it writes is committed at once."""
    async with pool.acquire() as connection:
        yield connection
