"""What jobs of the data model are given: a runtime on a fresh database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from core.config import load_settings
from core.db import Connection, Pool
from core.egress import GuardedIO
from core.files import Files
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from tests.core.datamodel.model import NOW


@pytest_asyncio.fixture
async def runtime(pool: Pool, database_url: str, tmp_path: Path) -> Runtime:
    """One process's."""
    settings = load_settings(database_url=database_url, var_dir=tmp_path)
    return Runtime(
        settings=settings,
        pool=pool,
        keyring=parse_keyring(new_key_text(1)),
        files=Files(tmp_path / "files"),
        io=GuardedIO.from_settings(settings),
        clock=lambda: NOW,
    )


@pytest_asyncio.fixture
async def db(pool: Pool) -> AsyncIterator[Connection]:
    """A connection on the fresh database; what it writes is committed at once."""
    async with pool.acquire() as connection:
        yield connection
