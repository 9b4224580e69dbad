"""One API process as a supervisor sees it: started, found, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of the test; what still runs at its end is killed."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        with process:
            if process.poll() is None:
                process.kill()


def server(database_url: str | None, var_dir: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
    environment |= {"CLARION_VAR_DIR": str(var_dir), "CLARION_LOG_FORMAT": "json"}
    if database_url is not None:
        environment["CLARION_DATABASE_URL"] = database_url
    return subprocess.Popen(
        [sys.executable, "-m", "api.server", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def first_line(process: subprocess.Popen[str]) -> str:
    """What it says first."""
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    assert line, process.stderr.read() if process.stderr else ""
    return line.strip()


async def test_it_takes_a_free_port_says_which_and_ends_on_sigterm(
    database_url: str, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    process = server(database_url, tmp_path, "--port", "0")
    started.append(process)

    said = await first_line(process)
    assert said.startswith("Clarion API listening on http://127.0.0.1:")
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(said.split()[-1] + "/ready")).json() == {"status": "ok"}

    process.send_signal(signal.SIGTERM)
    _, complaints = await asyncio.to_thread(process.communicate, None, 15)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in complaints


async def test_two_share_a_port_when_they_are_told_to(
    database_url: str, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        port = str(reserved.getsockname()[1])
        for _ in range(2):
            started.append(server(database_url, tmp_path, "--port", port, "--shared"))

        said = {await first_line(process) for process in started}

    assert said == {f"Clarion API listening on http://127.0.0.1:{port}"}


@pytest.mark.parametrize("taken", [True, False])
async def test_what_keeps_it_from_starting_is_said_in_a_sentence(
    taken: bool, database_url: str, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        # Either the port is taken, or nobody answers where the database should be.
        url = database_url if taken else "postgresql://nobody@127.0.0.1:1/nothing"
        process = server(url, tmp_path, "--port", str(port if taken else 0))
        started.append(process)
        _, complaints = await asyncio.to_thread(process.communicate, None, 30)

    assert process.returncode != 0
    assert ("CLARION_LISTEN_PORT" if taken else "database does not answer") in complaints
    assert "Traceback" not in complaints


async def test_without_a_database_it_says_what_to_set(tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    process = server(None, tmp_path, "--port", "0")
    started.append(process)

    _, complaints = await asyncio.to_thread(process.communicate, None, 30)

    assert process.returncode != 0
    assert "clarion up" in complaints
    assert "Traceback" not in complaints
