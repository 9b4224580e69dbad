"""A plugin that is no part of Clarion: installed from its own distribution, found, and conforming."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).resolve().parent / "sample_channel"

DISCOVER = """
from core.channel_registry import ChannelRegistry
registry = ChannelRegistry.load()
print(*sorted(registry.names()))
print(registry.manifest("pager").label, len(registry.problems))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the sample."""
    source = tmp_path_factory.mktemp("source") / "sample_channel"
    shutil.copytree(SAMPLE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    run([*pip, "--no-deps", "--no-build-isolation", "--target", str(target), str(source)])
    return target


def run(command: list[str], path: Path | None = None) -> str:
    """The output of a command that succeeds; `path` is put before everything else that Python imports."""
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = f"{path}{os.pathsep}{ROOT}"
    done = subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_found_beside_our_own(installed: Path) -> None:
    names, about = run([sys.executable, "-c", DISCOVER], installed).splitlines()
    assert {"email", "memory", "pager"} <= set(names.split())
    assert about == "Pager 0"


def test_without_it_nobody_knows_it() -> None:
    discover = "from core.channel_registry import ChannelRegistry as R; print(*R.load().names())"
    assert "pager" not in run([sys.executable, "-c", discover]).split()


def test_it_passes_the_conformance_suite(installed: Path) -> None:
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    # Away from our own configuration and fixtures, as its author would run it.
    tests = installed / "tests"
    shutil.copytree(SAMPLE / "tests", tests, dirs_exist_ok=True)
    output = run([*pytest_, "-c", os.devnull, "--rootdir", str(tests), str(tests)], installed)
    assert " passed" in output
    assert "failed" not in output
