"""A process that must not outlive its parent: by the kernel, by a pipe, and not at all where nobody asked."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.process import PARENT_PIPE, bound

ROOT = Path(__file__).resolve().parents[2]

# Starts its argument as a child, says the child's number, and waits to be killed.
PARENT = """
import os, subprocess, sys, time
from core.process import PARENT_PIPE, bound
theirs, ours = os.pipe()
environment = {**os.environ, PARENT_PIPE: f"{theirs}:{os.getpid()}"} if sys.argv[1] == "pipe" else None
argv = bound(sys.argv[2:]) if sys.argv[1] == "kernel" else sys.argv[2:]
child = subprocess.Popen(argv, env=environment, pass_fds=(theirs,), stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""

SLEEPER = "print('here', flush=True); import time; time.sleep(600)"

# As on a system where the kernel knows nothing of parents.
PIPE_ONLY = f"""
import core.process
core.process._ask_kernel = lambda signum: None
core.process.die_with_parent()
assert core.process.PARENT_PIPE not in core.process.os.environ
{SLEEPER}
"""


@pytest.fixture
def family() -> Iterator["list[psutil.Process]"]:
    started: list[psutil.Process] = []
    yield started
    for process in started:
        if process.is_running():
            process.kill()


def start(family: list[psutil.Process], way: str, text: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PARENT, way, sys.executable, "-c", text]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    family.append(psutil.Process(int(parent.stdout.readline())))
    return parent


@pytest.mark.parametrize(("way", "text"), [("kernel", SLEEPER), ("pipe", PIPE_ONLY)])
def test_a_child_dies_when_its_parent_is_killed(family: list[psutil.Process], way: str, text: str) -> None:
    with start(family, way, text) as parent:
        assert family[0].is_running()

        parent.kill()

    family[0].wait(30)


def test_a_process_that_no_supervisor_started_lives_on(family: list[psutil.Process]) -> None:
    text = f"from core.process import die_with_parent; die_with_parent(); {SLEEPER}"
    with start(family, "neither", text) as parent:
        parent.kill()

    with pytest.raises(psutil.TimeoutExpired):
        family[0].wait(0.5)


def test_a_pipe_meant_for_another_process_is_left_alone() -> None:
    calls = "from core.process import die_with_parent; die_with_parent()"
    text = f"import threading; {calls}; print(threading.active_count())"
    environment = {**os.environ, PARENT_PIPE: f"0:{os.getppid()}"}
    command = [sys.executable, "-c", text]

    assert subprocess.check_output(command, cwd=ROOT, env=environment) == b"1\n"


def test_what_arrives_after_its_parent_has_gone_is_not_started() -> None:
    done = subprocess.run(bound(["echo", "late"], parent=2**22), capture_output=True, check=False)

    assert done.returncode != 0
    assert done.stdout == b""
    assert b"its parent 4194304 is gone" in done.stderr


def test_a_program_starts_with_ordinary_signals() -> None:
    text = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for what it starts in the background
    try:
        command = bound([sys.executable, "-c", text])
        assert subprocess.check_output(command) == b"True\n"
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_program_that_cannot_be_run_says_so() -> None:
    done = subprocess.run(bound(["/no/such/program"]), capture_output=True, check=False)

    assert done.returncode != 0
    assert done.stderr == b"/no/such/program: No such file or directory\n"
