"""A whole API for tests, on a database of its own: in this process over ASGI, and behind a real port for WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import uvicorn

from api.app import App
from api.server import address, bind, configuration
from core.access import SYSTEM, Permission, Role
from core.accounts import tokens
from core.config import Settings, load_settings
from core.db import transaction
from core.runtime import Runtime
from tests.api.gql import Gql
from tests.conftest import clone, drop


@pytest_asyncio.fixture(scope="session")
async def api_database(server_url: str, template: str) -> AsyncIterator[str]:
    """One database for all tests of the API; each makes what it needs under names of its own."""
    url = await clone(server_url, template)
    yield url
    await drop(server_url, url)


@pytest.fixture(scope="session")
def api_settings(api_database: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of that API."""
    return settings_for(api_database, tmp_path_factory.mktemp("var"))


def settings_for(database_url: str, var_dir: Path, **more: object) -> Settings:
    """Settings of a small API on a database."""
    values: dict[str, object] = {
        "database_url": database_url,
        "var_dir": var_dir,
        "listen_port": 0,
        "base_url": "http://clarion.test",
        "explorer": True,
    }
    return load_settings(**{**values, **more})


@pytest_asyncio.fixture(scope="session")
async def app(api_settings: Settings) -> AsyncIterator[App]:
    """The application, started."""
    made = App(api_settings)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@pytest_asyncio.fixture(scope="session")
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """A client that reaches the application in this process."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://clarion.test") as client:
        yield client


async def make_token(app: App, *roles: Role, scopes: list[Permission] | None = None) -> str:
    """The text of a fresh token."""
    runtime = app.runtime
    async with transaction(runtime.pool) as conn:
        _, text = await tokens.create_token(
            conn,
            SYSTEM,
            runtime.keyring,
            name="A test",
            roles=roles or [Role.ADMINISTRATION],
            scopes=scopes,
            now=runtime.clock(),
        )
    return text


@pytest_asyncio.fixture(scope="session")
async def admin_token(app: App) -> str:
    """A token that may do everything."""
    return await make_token(app)


@pytest.fixture
def gql(http: httpx.AsyncClient, admin_token: str) -> Gql:
    """An administrator."""
    return Gql(http, admin_token)


class QuietServer(uvicorn.Server):
    """Leaves the signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serving(runtime: Runtime) -> AsyncIterator[str]:
    """An API around a runtime behind a real port, in this process; its address."""
    bound = bind("127.0.0.1", 0, shared=False)
    server = QuietServer(configuration(App(runtime), runtime.settings))
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield address(bound)
    finally:
        server.should_exit = True
        await task
        bound.close()


@pytest_asyncio.fixture(scope="session")
async def served(app: App) -> AsyncIterator[str]:
    """The same API behind a real port; its address."""
    async with serving(app.runtime) as found:
        yield found
