"""Shared fixtures: a real Postgres (the one of CLARION_DATABASE_URL, or the embedded one), cloned from a template.

- `conn`: one connection in a transaction that is rolled back; enough for most tests.
- `database_url`, `pool`: a fresh clone, for tests that need several connections or commits.

Tests run in several processes, a file in one of them.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
import structlog

from core.access import SYSTEM, Actor
from core.db import Connection, Pool, open_pool, set_up_connection
from migrations.runner import migrate


def pytest_configure() -> None:
    """Errors that are logged come without the values of all variables: to write those takes seconds, within a transaction."""
    *shared, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*shared, plain])


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long bytes are no name: packed ones hold the time, and all processes are to call a test the same."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A Postgres server on which databases may be created."""
    url = os.environ.get("CLARION_DATABASE_URL")
    if url:
        yield url
        return
    from api.cli.embedded.postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory(prefix="clarion tests ") as folder:
        server = EmbeddedPostgres(Path(folder))
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    """A real broker: the one of CLARION_BROKER_URL, or the embedded Redis."""
    url = os.environ.get("CLARION_BROKER_URL")
    if url:
        yield url
        return
    from api.cli.embedded import EmbeddedRedis

    with tempfile.TemporaryDirectory(prefix="clarion tests ") as folder:
        server = EmbeddedRedis(Path(folder))
        try:
            yield server.start()
        finally:
            server.stop()


async def _execute(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database to clone."""
    name = f"clarion_template_{os.getpid()}_{secrets.token_hex(3)}"
    asyncio.run(_execute(server_url, f"CREATE DATABASE {name}"))
    asyncio.run(migrate(with_database(server_url, name)))
    yield name
    asyncio.run(_execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def clone(server_url: str, template: str) -> str:
    """A fresh database; returns its URL."""
    name = f"clarion_test_{os.getpid()}_{secrets.token_hex(4)}"
    await _execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return with_database(server_url, name)


async def drop(server_url: str, url: str) -> None:
    """Drop a clone, whoever is still connected."""
    await _execute(server_url, f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")


@pytest_asyncio.fixture(scope="session")
async def shared_database(server_url: str, template: str) -> AsyncIterator[str]:
    """One clone for all tests that roll back."""
    url = await clone(server_url, template)
    yield url
    await drop(server_url, url)


@pytest_asyncio.fixture
async def conn(shared_database: str) -> AsyncIterator[Connection]:
    """A connection whose transaction is rolled back after the test."""
    settings = {"timezone": "UTC", "jit": "off"}  # as in the product's pool
    connection = await asyncpg.connect(shared_database, server_settings=settings)
    await set_up_connection(connection)
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


@pytest_asyncio.fixture
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """A fresh database of its own."""
    url = await clone(server_url, template)
    yield url
    await drop(server_url, url)


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on a fresh database."""
    opened = await open_pool(database_url, size=10, application="tests")
    try:
        yield opened
    finally:
        opened.terminate()


@pytest.fixture
def actor() -> Actor:
    """Somebody who may do everything."""
    return SYSTEM
