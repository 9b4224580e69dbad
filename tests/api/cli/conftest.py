"""Fixtures for tests that start real processes and look whether they are gone afterwards."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from api.cli.demo.stage import _execute as execute
from api.cli.demo.stage import with_database
from api.cli.embedded.place import remove_socket_directory, socket_directory

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534

Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A directory for an installation's files whose path is awkward on purpose."""
    directory = tmp_path / "it's a long way to a path with spaces and ümlauts" / "var"
    yield directory
    for name in ("postgres", "redis"):  # a killed server cannot take its sockets along
        remove_socket_directory(socket_directory(directory, name))


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings as of somebody who has set none; returns a folder, which is also where files of the installation go."""
    for name in [one for one in os.environ if one.startswith("CLARION_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def empty_database(server_url: str) -> Iterator[str]:
    """A database without any tables."""
    name = f"clarion_empty_{secrets.token_hex(4)}"
    asyncio.run(execute(server_url, f"CREATE DATABASE {name}"))
    yield with_database(server_url, name)
    asyncio.run(execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """What the tests start hears every signal, even where the tests run under nohup or in a shell's background."""
    ignored = [number for number in (signal.SIGHUP, signal.SIGINT) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    """Start a Python program that can import the project; what still runs when the test ends is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str, *arguments: object, **more: object) -> "subprocess.Popen[str]":
        command = [str(more.pop("executable", sys.executable)), "-c", text, *map(str, arguments)]
        process: subprocess.Popen[str] = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
        )  # type: ignore[call-overload]
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def gone() -> Callable[[list[psutil.Process]], list[psutil.Process]]:
    """Wait until processes have ended; returns those that have not after half a minute."""

    def wait(processes: list[psutil.Process]) -> list[psutil.Process]:
        _, left = psutil.wait_procs(processes, timeout=30)
        return [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    return wait


@pytest.fixture
def users_folder() -> Iterator[Path]:
    """A directory of an ordinary user's own, not below one that is private to root."""
    with tempfile.TemporaryDirectory(prefix="a user's ") as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


@pytest.fixture
def ordinary_user(users_folder: Path) -> dict[str, object]:
    """What `script` and subprocess need to run Python with our packages as somebody who is not root."""
    if os.geteuid() != 0:
        pytest.skip("this is an ordinary user already: every other test shows the same")
    packages = sysconfig.get_path("purelib")
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        more: dict[str, object] = {
            "executable": python,
            "user": NOBODY,
            "group": NOBODY,
            "extra_groups": [],
            "env": {"PYTHONPATH": packages, "PATH": os.defpath, "TMPDIR": str(users_folder)},
        }
        probe = "import sys, api.cli.embedded; sys.exit(sys.version_info < (3, 11))"
        with suppress(OSError):
            if subprocess.run([python, "-c", probe], cwd=ROOT, capture_output=True, **more).returncode == 0:  # type: ignore[call-overload]
                return more
    pytest.skip("an ordinary user may not enter the directory of this project or of its Python")
