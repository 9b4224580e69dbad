"""A database, a broker and workers for a benchmark, in a folder that is thrown away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.cli.embedded import EmbeddedPostgres, EmbeddedRedis
from api.cli.supervisor import Child, Supervisor
from core.config import Settings, load_settings
from core.secrets import new_key_text
from migrations.runner import migrate_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a benchmark works on."""

    settings: Settings
    environment: dict[str, str]

    @contextmanager
    def workers(self) -> Iterator[Supervisor]:
        """Worker processes and a relay, until the block ends."""
        children = [
            Child(
                name=f"worker-{number}",
                argv=[sys.executable, "-m", "core.workers.process"],
                env=self.environment,
            )
            for number in range(self.settings.worker_processes)
        ]
        relay = Child(name="relay", argv=[sys.executable, "-m", "core.workers.relay"], env=self.environment)
        with Supervisor([*children, relay]) as supervisor:
            yield supervisor

    @contextmanager
    def serving(self, module: str, *arguments: str) -> Iterator[int]:
        """A server process that takes `--port`, until the block ends; gives the port. Raises SystemExit."""
        port = free_port()
        command = [sys.executable, "-m", module, *arguments, "--port", str(port)]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while not listens(port):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"{module} does not start")
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def stage(**settings: object) -> Iterator[Stage]:
    """Embedded servers with an empty, migrated database."""
    with tempfile.TemporaryDirectory(prefix="clarion-bench-") as folder:
        var = Path(folder)
        postgres, redis = EmbeddedPostgres(var), EmbeddedRedis(var)
        try:
            url, broker = postgres.start(), redis.start()
            migrate_now(url)
            values = {
                "database_url": url,
                "broker_url": broker,
                "var_dir": var,
                "secret_keys": new_key_text(1),
                "allow_private_egress": True,
                "log_level": "WARNING",
                **settings,
            }
            environment = {f"CLARION_{name.upper()}": str(value) for name, value in values.items()}
            yield Stage(settings=load_settings(**values), environment={**os.environ, **environment})
        finally:
            redis.stop()
            postgres.stop()
