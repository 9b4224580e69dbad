"""Where an embedded server lives: its owner's lock, its sockets, and what an earlier run left there."""

import fcntl
import hashlib
import os
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_SOCKET_PATH_LIMIT = 100  # the kernel's is 107 bytes, macOS's 103
_POLL_SECONDS = 0.02
_LONGEST_SOCKET_NAME = len("/.s.PGSQL.65535.lock")


class EmbeddedError(Exception):
    """An embedded server cannot run here; the message says why and what to do."""


class OwnerLock:
    """Held by the process that runs a server while it lives; the file tells others the server's URL."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock unless another living process has it."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        self._descriptor = descriptor
        return True

    def publish(self, url: str) -> None:
        """Tell other processes where the server answers."""
        assert self._descriptor is not None, "only the owner publishes"
        os.pwrite(self._descriptor, url.encode(), 0)

    def read(self) -> str | None:
        """The URL that the owner published; None while there is none."""
        try:
            return self._path.read_text() or None
        except FileNotFoundError:
            return None

    def release(self) -> None:
        """Let the next process take the server."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def make_socket_directory(var: Path, name: str, owner: int | None = None, group: int = -1) -> Path:
    """Create, or empty and reuse, the private directory for the sockets of server `name` below `var`.

    Its path is short, because a socket's path may have 107 bytes only while `var` may be anywhere. Raises
    EmbeddedError where somebody else's directory stands in the way.
    """
    directory = socket_directory(var, name)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        _check_private(directory, owner)
        _empty(directory)
    if owner is not None and os.geteuid() == 0:
        os.chown(directory, owner, group)
    return directory


def socket_directory(var: Path, name: str) -> Path:
    """The path of that directory: the same for every process of this user that means the same `var`."""
    digest = hashlib.sha256(os.fsencode(var.resolve())).hexdigest()[:12]
    leaf = f"clarion-{os.geteuid()}-{digest}-{name}"
    for base in (Path(tempfile.gettempdir()), Path("/tmp")):
        directory = base / leaf
        if len(os.fsencode(directory)) + _LONGEST_SOCKET_NAME <= _SOCKET_PATH_LIMIT:
            return directory
    raise AssertionError("a path below /tmp is short enough")


def remove_socket_directory(directory: Path) -> None:
    """Remove the directory and whatever the server left in it."""
    shutil.rmtree(directory, ignore_errors=True)


def _check_private(directory: Path, owner: int | None) -> None:
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), owner} or found.st_mode & 0o077:
        raise EmbeddedError(
            f"{directory} exists and is not a private directory of this user; remove it, or set TMPDIR to another directory"
        )


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        entry.unlink()


def processes_in(directory: Path, program: str) -> list[int]:
    """Living processes of `program` whose working directory is `directory`.

    Only Linux can tell; elsewhere none.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = (entry / "cwd").samefile(directory)
            if inside and (entry / "exe").readlink().name.removesuffix(" (deleted)") == program:
                found.append(int(entry.name))
        except OSError:
            continue  # gone meanwhile, or not ours to look at
    return found


def end_processes(
    directory: Path,
    program: str,
    steps: Iterable[tuple[signal.Signals, float]],
    stopping: threading.Event,
    *,
    leader: int | None = None,
) -> None:
    """End what an earlier run left behind: send each signal in turn and give it its seconds.

    Only processes are touched that run `program` in `directory`; signals go to the `leader` alone while it
    lives, which then ends the others. Raises EmbeddedError, also once `stopping`.
    """
    left = processes_in(directory, program)
    for signum, seconds in steps:
        led = leader in left and signum != signal.SIGKILL
        for pid in left:
            if pid == leader or not led:
                _signal(pid, signum)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline and not stopping.wait(_POLL_SECONDS):
            left = processes_in(directory, program)
    if left:
        raise EmbeddedError(f"{program} of an earlier run still works in {directory}: processes {left}")


def _signal(pid: int, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)
