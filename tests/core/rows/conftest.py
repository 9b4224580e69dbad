"""The shop: published and built once, and cloned for those who commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from core.config import load_settings
from core.datamodel.builder import build_all
from core.db import Connection, Pool, open_pool, set_up_connection
from core.egress import GuardedIO
from core.files import Files
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from tests.conftest import clone, drop
from tests.core.datamodel.model import NOW
from tests.core.rows.shop import publish_shop


@pytest_asyncio.fixture(scope="session")
async def shop_url(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A database with the shop, to which nobody is connected."""
    url = await clone(server_url, template)
    var: Path = tmp_path_factory.mktemp("shop")
    settings = load_settings(database_url=url, var_dir=var)
    pool = await open_pool(url, size=2, application="test")
    runtime = Runtime(
        settings=settings, pool=pool, keyring=parse_keyring(new_key_text(1)), files=Files(var / "files"),
        io=GuardedIO.from_settings(settings), clock=lambda: NOW,
    )  # fmt: skip
    async with pool.acquire() as conn:
        await publish_shop(conn)
    await build_all(runtime)
    await pool.close()
    yield url
    await drop(server_url, url)


@pytest_asyncio.fixture
async def shop(shop_url: str) -> AsyncIterator[Connection]:
    """A connection in a transaction that is rolled back."""
    conn = await asyncpg.connect(shop_url, server_settings={"timezone": "UTC"})
    await set_up_connection(conn)
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield conn
    finally:
        await transaction.rollback()
        await conn.close()


@pytest_asyncio.fixture
async def shop_pool(server_url: str, shop_url: str) -> AsyncIterator[Pool]:
    """A shop of one's own, for those who commit."""
    url = await clone(server_url, urlsplit(shop_url).path.lstrip("/"))
    pool = await open_pool(url, size=5, application="test")
    yield pool
    pool.terminate()
    await drop(server_url, url)
