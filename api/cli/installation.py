"""What an installation consists of here: which servers are embedded, and the processes of API and workers."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg

from api.cli.addresses import check_database_url, reachable, with_address
from api.cli.child import Child, ChildError
from api.cli.embedded import EmbeddedPostgres, EmbeddedRedis
from api.cli.troubles import database_trouble
from core.config import Settings
from core.errors import Conflict, Unavailable
from migrations.runner import migrate_now

WORKER_STOP_SECONDS = 6.0  # a nested supervisor must be done before the outer one loses patience
API_STOP_SECONDS = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Settings with every URL known, and the embedded servers that have to run for them."""

    settings: Settings
    embedded: tuple[Child, ...]

    def environment(self) -> dict[str, str]:
        """The environment of a child process: ours, with the URLs of the embedded servers."""
        urls = {
            "CLARION_DATABASE_URL": self.settings.database_url,
            "CLARION_BROKER_URL": self.settings.broker_url,
            "CLARION_LISTEN_PORT": str(self.settings.listen_port),
            "CLARION_BASE_URL": self.settings.base_url,
            "CLARION_ALLOW_PRIVATE_EGRESS": str(self.settings.allow_private_egress),
            "CLARION_LOG_FORMAT": self._log_format(),
        }
        return {**os.environ, **{name: value for name, value in urls.items() if value is not None}}

    def _log_format(self) -> str:
        """A child writes to a pipe of ours; what counts is where its lines end up."""
        wanted = self.settings.log_format
        return "console" if wanted == "auto" and sys.stdout.isatty() else wanted

    def api(self) -> list[Child]:
        """The API processes; the first one brings the schema up to date before it starts."""
        settings = self.settings
        shared = ["--shared"] if settings.api_processes > 1 else []
        url = str(settings.database_url)

        def bring_up_to_date(stopping: threading.Event) -> None:
            try:
                migrate_now(url)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise ChildError(f"the database cannot be used: {error}. Check CLARION_DATABASE_URL.") from error

        return [
            Child(
                name=f"api-{number}" if settings.api_processes > 1 else "api",
                argv=[sys.executable, "-m", "api.server", *shared],
                env=self.environment(),
                prepare=bring_up_to_date,
                ready=lambda: _listens(settings.listen_host, settings.listen_port),
                stop_seconds=API_STOP_SECONDS,
            )
            for number in range(1, settings.api_processes + 1)
        ]

    def worker_master(self) -> Child:
        """`clarion worker` as one child."""
        return Child(
            name="worker",
            argv=[sys.executable, "-m", "api.cli.main", "worker"],
            env=self.environment(),
            stop_seconds=WORKER_STOP_SECONDS + 1,
        )

    def workers(self) -> list[Child]:
        """The processes below `clarion worker`."""
        names = [f"worker-{number}" for number in range(1, self.settings.worker_processes + 1)]
        processes = [
            Child(name=name, argv=[sys.executable, "-m", "core.workers.process"], env=self.environment()) for name in names
        ]
        relay = Child(name="relay", argv=[sys.executable, "-m", "core.workers.relay"], env=self.environment())
        return [*processes, relay]


def plan(settings: Settings) -> Installation:
    """Use the servers of the settings, and embedded ones where a URL is missing.

    With an embedded database this is a development installation: channels may then reach this machine.
    """
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    settings = with_address(settings)
    embedded: list[Child] = []
    if settings.database_url is None:
        postgres = EmbeddedPostgres(settings.var_dir)
        embedded.append(postgres.child())
        settings = _with_embedded_database(settings, postgres.url)
    else:
        check_database_url(settings.database_url)
    if settings.broker_url is None:
        redis = EmbeddedRedis(settings.var_dir)
        embedded.append(redis.child())
        settings = settings.model_copy(update={"broker_url": redis.url})
    return Installation(settings=settings, embedded=tuple(embedded))


def _with_embedded_database(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": url, "allow_private_egress": True})


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """The settings that `clarion up` runs with, and a database: that of the settings, or the embedded one, shared with it.

    What the block meets on a database's socket becomes Unavailable (DATABASE_AWAY); trouble with a file keeps its name.
    """
    try:
        with _embedded_unless_set(settings) as concrete:
            yield concrete
    except OSError as error:
        if error.filename is not None:
            raise
        message, hint = database_trouble(error)
        raise Unavailable(message, code="DATABASE_AWAY", hint=hint) from error


@contextmanager
def _embedded_unless_set(settings: Settings) -> Iterator[Settings]:
    if settings.database_url is not None:
        check_database_url(settings.database_url)
        yield settings
        return
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    server = EmbeddedPostgres(settings.var_dir)
    try:
        yield _with_embedded_database(settings, server.start())
    finally:
        server.stop()


def check_port(settings: Settings) -> None:
    """Raises Conflict (PORT_TAKEN) when something listens there already."""
    host, port = settings.listen_host, settings.listen_port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"the API cannot listen on {host}:{port}: {error.strerror}",
                code="PORT_TAKEN",
                hint="Set CLARION_LISTEN_PORT to a free port; 0 takes any.",
            ) from None


def _listens(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((reachable(host), port)) == 0
