"""A whole installation for a flow: `clarion up` in a folder of its own, on free ports, watched from outside."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil

from core.config import Settings, load_settings
from core.db import Connection, set_up_connection
from core.jobs import Queue
from core.secrets import new_key_text
from core.workers.broker import make_broker

PATIENCE = 4


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True, kw_only=True)
class House:
    """A running installation."""

    process: subprocess.Popen[bytes]
    settings: Settings
    environment: dict[str, str]
    output: Path
    token: str = ""

    def find(self, pattern: str) -> list[psutil.Process]:
        """Living processes of this house whose command line matches."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if re.search(pattern, " ".join(process.cmdline())) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def all_pids(self) -> list[psutil.Process]:
        """Every process below."""
        return psutil.Process(self.process.pid).children(recursive=True)

    async def connect(self) -> Connection:
        """A connection to the house's database, as soon as it takes one."""
        return await connect(str(self.settings.database_url))


def deadline_of(seconds: float) -> float:
    """Until when to wait, by the clock of `time.monotonic`, for what takes so long where nobody else is at work: nothing is
    measured here, and a machine may be busy."""
    return time.monotonic() + seconds * PATIENCE


async def connect(url: str, seconds: float = 30) -> Connection:
    """Connect, waiting for a server that is just coming back."""
    deadline = deadline_of(seconds)
    while True:
        try:
            conn = await asyncpg.connect(url, timeout=5)
            await set_up_connection(conn)
            return conn
        except (OSError, asyncpg.PostgresError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something to become true; the test fails with `what` when it does not."""
    deadline = deadline_of(seconds)
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def house(folder: Path, **settings: object) -> AsyncIterator[House]:
    """`clarion up` in `folder`; ended with SIGTERM, and nothing of it may be left afterwards.

    With `database_url=None` it runs the embedded database; else it gets an empty one on the server of CLARION_DATABASE_URL, if
    that is set.
    """
    if "database_url" in settings:
        async with _house(folder, settings) as made:
            yield made
        return
    async with empty_database() as url, _house(folder, {**settings, "database_url": url}) as made:
        yield made


@asynccontextmanager
async def empty_database() -> AsyncIterator[str | None]:
    """A database for a house or for several in turn: its URL, or None for the embedded one in the house's folder."""
    server_url = os.environ.get("CLARION_DATABASE_URL")
    if server_url is None:
        yield None
        return
    url = await make_database(server_url)
    try:
        yield url
    finally:
        await drop_database(server_url, url)


@asynccontextmanager
async def _house(folder: Path, settings: dict[str, object]) -> AsyncIterator[House]:
    empty_broker()
    port = free_port()
    values: dict[str, object] = {
        "var_dir": folder / "var",
        "listen_port": port,
        "base_url": f"http://127.0.0.1:{port}",
        "secret_keys": new_key_text(1),
        "allow_private_egress": True,
        "log_format": "json",
        "worker_processes": 2,
        **settings,
    }
    environment = {**os.environ, **{f"CLARION_{name.upper()}": str(value) for name, value in values.items()}}
    for name, value in settings.items():
        if value is None:
            environment.pop(f"CLARION_{name.upper()}", None)
    output = folder / "up.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", "up"],
            env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    made = House(process=process, settings=load_settings(**values), environment=environment, output=output)
    try:
        await _ready(made, port)
        yield made
    finally:
        await _end(made)


async def _ready(made: House, port: int) -> None:
    deadline = deadline_of(60)
    while True:
        assert made.process.poll() is None, f"clarion up ended: {made.output.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"clarion up is not ready: {made.output.read_text()[-3000:]}"
        text = made.output.read_text(errors="replace")
        if "Ctrl-C stops everything" in text:
            token = re.search(r"clarion_\d+_[\w-]+", text)
            made.token = token[0] if token is not None else ""  # none where the database has one already
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        await asyncio.sleep(0.1)
    if made.settings.database_url is None:
        url = _find_url(made)
        made.settings = load_settings(**{**made.settings.model_dump(), "database_url": url})


def _find_url(made: House) -> str:
    """The embedded database's URL, from the environment that the worker was started with."""
    for process in made.find(r"core\.workers\.(process|relay)|api\.server"):
        url = process.environ().get("CLARION_DATABASE_URL")
        if url:
            return url
    raise AssertionError("no child of `clarion up` knows the database")


async def _end(made: House) -> None:
    below = made.all_pids() if made.process.poll() is None else []
    if made.process.poll() is None:
        made.process.send_signal(signal.SIGTERM)
    try:
        await asyncio.to_thread(made.process.wait, 60)  # it takes ten seconds at most where a core is free for it
    except subprocess.TimeoutExpired:
        made.process.kill()
        raise
    left = [process for process in below if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        process.kill()
    assert not left, f"orphans: {left}"


async def make_database(server_url: str) -> str:
    """An empty database of its own on a server; returns its URL."""
    name = f"clarion_flow_{os.getpid()}_{secrets.token_hex(4)}"
    conn = await asyncpg.connect(server_url)
    await conn.execute(f"CREATE DATABASE {name}")
    await conn.close()
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


async def drop_database(server_url: str, url: str) -> None:
    """Drop what `make_database` made."""
    conn = await asyncpg.connect(server_url)
    await conn.execute(f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")
    await conn.close()


def empty_broker() -> None:
    """Take every waiting message out of the broker of CLARION_BROKER_URL: houses run one after the other and share it."""
    url = os.environ.get("CLARION_BROKER_URL")
    if url is None:
        return
    broker = make_broker(url)
    for queue in Queue:
        broker.declare_queue(queue.value)
        broker.flush(queue.value)
    broker.close()
