"""What a process hands to its jobs and requests: settings, pool, keys, clock, files, the way out."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from core.clock import Clock, system_clock
from core.config import Settings
from core.db import Pool, open_pool
from core.egress import GuardedIO
from core.errors import Invalid, Unavailable
from core.files import Files
from core.ids import random_name
from core.secrets import Keyring, load_keyring

PATIENCE_SECONDS = 20.0  # for a database that is just starting


@dataclass(slots=True, kw_only=True)
class Runtime:
    """One per process. Opened at a door, closed with it."""

    settings: Settings
    pool: Pool
    keyring: Keyring
    files: Files
    io: GuardedIO
    clock: Clock = system_clock
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # set when the process must end: finish at a safe point
    worker_id: str = ""
    resources: dict[str, Any] = field(default_factory=dict)  # what rooms keep per process, such as open senders


def database_url(settings: Settings) -> str:
    """The database of the settings. Raises Invalid (NO_DATABASE_URL)."""
    if settings.database_url is None:
        raise Invalid(
            "CLARION_DATABASE_URL is not set",
            code="NO_DATABASE_URL",
            hint="Start everything with `clarion up`, which runs an embedded PostgreSQL, or set the URL.",
        )
    return settings.database_url


@asynccontextmanager
async def open_runtime(settings: Settings, process: str) -> AsyncIterator[Runtime]:
    """A runtime for the life of a process; its pool belongs to the running loop."""
    pool = await _open_when_ready(settings, process)
    try:
        yield Runtime(
            settings=settings,
            pool=pool,
            keyring=load_keyring(settings),
            files=Files(settings.var_dir / "files"),
            io=GuardedIO.from_settings(settings),
            worker_id=f"{socket.gethostname()}:{os.getpid()}:{random_name(6)}",
        )
    finally:
        pool.terminate()


async def _open_when_ready(settings: Settings, process: str) -> Pool:
    """Open the pool; a server that is just starting is waited for. Raises Unavailable (DATABASE_AWAY)."""
    url, until = database_url(settings), asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        try:
            return await open_pool(url, size=settings.database_pool_size, application=f"clarion {process}")
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
            if asyncio.get_running_loop().time() > until:
                raise Unavailable(
                    f"the database does not answer: {error}",
                    code="DATABASE_AWAY",
                    hint="Check CLARION_DATABASE_URL and that the server runs.",
                ) from error
            await asyncio.sleep(0.2)
