"""A process's runtime on a fresh database, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from core.config import load_settings
from core.db import Connection, Pool
from core.egress import GuardedIO
from core.files import Files
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from tests.core.profiles.house import Times


@pytest.fixture
def times() -> Times:
    """A clock that stands until it is moved."""
    return Times(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))


@pytest_asyncio.fixture
async def runtime(pool: Pool, database_url: str, tmp_path: Path, times: Times) -> Runtime:
    """What jobs are given."""
    settings = load_settings(database_url=database_url, var_dir=tmp_path, default_country="FR")
    return Runtime(
        settings=settings,
        pool=pool,
        keyring=parse_keyring(new_key_text(1)),
        files=Files(tmp_path / "files"),
        io=GuardedIO.from_settings(settings),
        clock=times,
    )


@pytest_asyncio.fixture
async def db(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on the fresh database; what it writes is committed at once."""
    async with pool.acquire() as connection:
        yield connection
