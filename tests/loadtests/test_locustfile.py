"""The locust mix against a real installation, for a few seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from graphql import build_schema, parse, validate

from api.cli.demo.stage import Stage, stage
from api.graphql.schema import SDL_FILE
from loadtests.operations import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = (
    "GraphQL list profiles",
    "GraphQL search profiles",
    "GraphQL count an audience",
    "GraphQL preview",
    "GraphQL delivery report",
    "GraphQL create a profile",
    "GraphQL update a profile",
    "open",
    "click",
    "mirror page",
    "unsubscribe page",
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The processes of `clarion up`, with its first token."""
    with stage(tmp_path_factory.mktemp("load test")) as made:
        yield made


def locust(at: Stage, token: str, seconds: int) -> subprocess.Popen[str]:
    """Start the mix."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary",
            "-u", "12", "-r", "12", "-t", f"{seconds}s", "--host", at.url,
        ],
        cwd=ROOT, env={**os.environ, "CLARION_TOKEN": token}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_the_mix_runs_without_an_error(running: Stage) -> None:
    """Everything is asked for at least once, with real tokens, and nothing fails."""
    with locust(running, running.token, 6) as process:
        said, _ = process.communicate()
    assert process.returncode == 0, said
    for name in EVERYTHING:
        assert name in said
    assert "0(0.00%)" in said


def test_errors_fail_it(running: Stage) -> None:
    """The API is killed while people click; it comes back, and still that is not as it should be."""
    with locust(running, running.token, 6) as process:
        assert process.stdout is not None
        before = []
        for line in process.stdout:
            before.append(line)
            if "All users spawned" in line:
                break
        (api,) = [one for one in psutil.Process().children(recursive=True) if "api.server" in one.cmdline()]
        api.kill()
        said, _ = process.communicate()
    assert process.returncode == 1, [*before, said]


def test_a_wrong_token_fails_it(running: Stage) -> None:
    """It is told before the clock starts."""
    with locust(running, "clarion_1_wrong", 3) as process:
        said, _ = process.communicate()
    assert process.returncode == 1
    assert "the scene cannot be set: this is not a valid token" in said


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_fit_the_schema(name: str) -> None:
    """Fields, arguments and types."""
    schema = build_schema(SDL_FILE.read_text(encoding="utf-8"))
    assert validate(schema, parse(OPERATIONS[name])) == []
