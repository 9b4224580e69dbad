"""The real parts of the demo, in a folder that is thrown away: servers, API, workers, a mail sink."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from pydantic import SecretStr

from api.cli.addresses import check_database_url, free_port
from api.cli.child import Child
from api.cli.embedded.place import OwnerLock, remove_socket_directory, socket_directory
from api.cli.installation import Installation, plan
from api.cli.supervisor import Supervisor
from core.accounts.tokens import first_admin_token
from core.clock import system_clock
from core.config import Settings, load_settings
from core.db import transaction
from core.errors import Invalid
from core.public_urls import PURPOSE
from core.runtime import open_runtime
from core.secrets import load_keyring, new_key_text
from render_ext import TokenKey

HOST = "127.0.0.1"
STOP_SECONDS = 9.0
REMOVAL_TRIES = 30
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LISTENING = re.compile(r"listening on \S+:(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the story is played on."""

    url: str
    token: str
    sink_port: int
    mails: Path  # what the sink caught
    folder: Path
    keys: Mapping[int, TokenKey]  # to read Message-IDs, which only their maker can


@contextmanager
def stage(base: Path) -> Iterator[Stage]:
    """Start everything below `base`; whatever happens, nothing is left running. The folder goes too, unless an error
    makes its logs worth reading. Raises ChildError, EmbeddedError, Invalid."""
    folder, lock = _new_folder(base)
    keep = False
    handlers = {number: signal.getsignal(number) for number in _INTERRUPTIONS}
    try:
        with _database() as url:
            installation = plan(_settings(folder, url))
            sink = _sink(folder)
            with Supervisor(_children(installation, folder, sink), stop_seconds=STOP_SECONDS), _ending_undisturbed():
                yield _open(installation.settings, folder, sink)
    except Exception:
        keep = True
        raise
    finally:
        lock.release()
        if not keep:
            remove(folder)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _ending_undisturbed() -> Iterator[None]:
    """From the end of the block on, Ctrl-C waits until everything is stopped."""
    try:
        yield
    finally:
        for number in _INTERRUPTIONS:
            signal.signal(number, signal.SIG_IGN)


def remove(folder: Path) -> None:
    """Delete the folder of a demo that has ended."""
    for name in ("postgres", "redis"):  # a killed server cannot take its sockets along
        remove_socket_directory(socket_directory(folder, name))
    for _ in range(REMOVAL_TRIES):  # what was killed in the middle of a start may still be writing
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _new_folder(base: Path) -> tuple[Path, OwnerLock]:
    """A fresh folder; those of demos that were killed or failed are removed on the way."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        for left in base.glob("run-*"):
            lock = OwnerLock(left / "owner")
            if lock.acquire():
                remove(left)
                lock.release()
        return _make_folder(base.resolve(), secrets.token_hex(4))
    except OSError as error:
        raise Invalid(
            f"the demo cannot write to {base}: {error.strerror}", code="NOT_WRITABLE",
            hint="Set CLARION_VAR_DIR to a folder of yours.",
        ) from error  # fmt: skip


def _make_folder(base: Path, name: str) -> tuple[Path, OwnerLock]:
    new, folder = base / f".new-{name}", base / f"run-{name}"
    (new / "log").mkdir(parents=True)
    lock = OwnerLock(new / "owner")
    lock.acquire()
    new.rename(folder)  # seen by other demos only now that it is locked
    return folder, lock


@contextmanager
def _database() -> Iterator[str | None]:
    """None for the embedded server; with a server in the settings, a database of our own on it."""
    server = load_settings().database_url
    if server is None:
        yield None
        return
    check_database_url(server)
    name = f"clarion_demo_{secrets.token_hex(4)}"
    try:
        asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    except (OSError, asyncpg.PostgresError) as error:
        raise Invalid(
            f"the demo cannot make a database of its own on the server of CLARION_DATABASE_URL: {error}",
            code="NO_DATABASE", hint="Give its role the right CREATEDB, or unset the URL to use the embedded server.",
        ) from error  # fmt: skip
    try:
        yield with_database(server, name)
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in ("dbname", "database")]
    return parts._replace(path=f"/{name}", query=urlencode(query)).geturl()


async def _execute(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url, target_session_attrs="primary")
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


def _settings(folder: Path, database_url: str | None) -> Settings:
    port = free_port(HOST)
    # Queues have the same names everywhere: on a broker of the settings the demo and an installation would take each
    # other's wake-ups. Without a URL it gets an embedded one.
    return load_settings(
        database_url=database_url, broker_url=None, var_dir=folder,
        listen_host=HOST, listen_port=port, base_url=f"http://{HOST}:{port}",
        api_processes=1, secret_keys=new_key_text(1), allow_private_egress=True, log_level="WARNING", log_format="json",
        default_country="US", page_size_max=500,
    )  # fmt: skip


def _children(installation: Installation, folder: Path, sink: Child) -> list[Child]:
    """The process tree of `clarion up`, and the sink; what they say goes to files."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
    environment = foreign | _variables(installation.settings)
    api = installation.api()
    worker = replace(installation.worker_master(), prepare=api[0].prepare)  # needs no API, so the two start side by side
    ours = [replace(child, env=environment, log=folder / "log" / f"{child.name}.log") for child in (worker, *api)]
    return [*installation.embedded, ours[0], sink, *ours[1:]]


def _variables(settings: Settings) -> dict[str, str]:
    """Settings as the environment spells them."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    plain = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()}
    return {f"CLARION_{name.upper()}": str(value) for name, value in plain.items() if value is not None}


def _sink(folder: Path) -> Child:
    log = folder / "log" / "sink.log"
    return Child(
        name="sink",
        argv=[sys.executable, "-m", "api.cli.sink", "--port", "0", "--directory", str(folder / "mails")],
        log=log,
        ready=lambda: _port(log) is not None,
    )


def _port(log: Path) -> int | None:
    found = _LISTENING.search(log.read_text()) if log.exists() else None
    return None if found is None else int(found[1])


def _open(settings: Settings, folder: Path, sink: Child) -> Stage:
    assert sink.log is not None
    port = _port(sink.log)
    assert port is not None
    keyring = load_keyring(settings)
    return Stage(
        url=settings.base_url,
        token=asyncio.run(_first_token(settings)),
        sink_port=port,
        mails=folder / "mails",
        folder=folder,
        keys={key_id: TokenKey(key_id, secret) for key_id, secret in keyring.derive_all(PURPOSE).items()},
    )


async def _first_token(settings: Settings) -> str:
    """What `clarion up` prints on its first start."""
    async with open_runtime(settings, "demo") as runtime, transaction(runtime.pool) as conn:
        made = await first_admin_token(conn, runtime.keyring, system_clock())
    assert made is not None, "the database is new"
    return made[1]
