"""A process that must not outlive the one that started it.

Imported by Python children (`die_with_parent`) and by whoever starts children (`bound`); run as a script it
is the short step between fork and exec that ties any program, Python or not, to its parent. Standard library
only: the script is started by path, without site-packages.
"""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

PARENT_PIPE = "CLARION_PARENT_PIPE"
"""Environment variable `DESCRIPTOR:PARENT`: end of file on that descriptor means that process is gone."""

_PR_SET_PDEATHSIG = 1


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """Have this process receive `signum` when the supervisor that started it dies, however that one dies.

    Linux keeps the promise in the kernel; elsewhere a thread watches the pipe that the supervisor passed on.
    A process that no supervisor started is left alone. Raises OSError where the kernel refuses.
    """
    descriptor, _, parent = os.environ.pop(PARENT_PIPE, "").partition(":")
    if parent != str(os.getppid()):  # nobody's, or meant for another process on the way here
        return
    _ask_kernel(signum)
    threading.Thread(target=_watch, args=(int(descriptor), signum), name="parent", daemon=True).start()


def bound(argv: list[str], signum: int = signal.SIGKILL, parent: int | None = None) -> list[str]:
    """The command that runs `argv` such that it receives `signum` when process `parent` (default: ours) dies.

    The kernel counts the *thread* that starts the command as its parent: start it from one that lives as long
    as the process does.
    """
    runner = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    return [*runner, str(int(signum)), str(parent or os.getpid()), *argv]


def alive(pid: int) -> bool:
    """Whether there is such a process on this machine, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _ask_kernel(signum: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _watch(descriptor: int, signum: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signum)


def _reset_signals() -> None:
    """Undo what would leak into the program: an interpreter ignores SIGPIPE, a background shell SIGINT."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for signum in (
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGPIPE,
        signal.SIGXFSZ,
    ):
        signal.signal(signum, signal.SIG_DFL)


def _exec(signum: int, parent: int, argv: list[str]) -> None:
    """Tie this process to its parent and become `argv`; ends at once when the parent is gone already."""
    _reset_signals()
    _ask_kernel(signum)
    if os.getppid() != parent:
        sys.exit(f"{argv[0]}: not started, its parent {parent} is gone")
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    _exec(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
