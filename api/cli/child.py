"""One child process: what it is and how it is started, watched and ended.

It is tied to this process by the kernel (core/process.py), so it ends even when this process is killed with
SIGKILL.
"""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from api.cli.spawner import spawn

STOP_SECONDS = 10.0
_KILL_SECONDS = 0.5  # between the second signal and SIGKILL
_POLL_SECONDS = 0.05
_LAST_WORDS = 10  # lines


class ChildError(Exception):
    """A child could not be started; the message carries its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One program to keep running.

    `prepare` runs before every start, also before a restart, and `cleanup` once after the last stop. `ready`
    is asked until it says yes; the next child starts only then. `env` is the whole environment (default:
    ours). What the child prints goes to the file `log`, or else to the supervisor's own output.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    prepare: Callable[[threading.Event], None] | None = None  # the event: we are stopping, give up
    ready: Callable[[], bool] | None = None
    ready_seconds: float = 60.0
    cleanup: Callable[[], None] | None = None
    log: Path | None = None
    restart: bool = True
    stop_signal: signal.Signals = signal.SIGTERM
    kill_signal: signal.Signals = signal.SIGKILL  # after stop_seconds; SIGKILL follows in any case
    stop_seconds: float = STOP_SECONDS
    death_signal: signal.Signals = signal.SIGKILL  # what it gets when this process dies


class Lines:
    """One stream to which several children print whole lines; what it does not take is dropped."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, name: str, text: str) -> None:
        """Print one line behind the name of who says it."""
        with suppress(OSError, ValueError):  # nobody reads it any more, and a child must not block on that
            self._out.write(f"{name} | {text}\n")
            self._out.flush()


class RunningChild:
    """A child with its present process; usable alone, without a supervisor."""

    def __init__(self, child: Child, *, out: Lines | None = None, stopping: threading.Event | None = None) -> None:
        """With `out`, what the child prints appears there behind its name; else it inherits our streams."""
        self.child = child
        self._out = out
        self._stopping = stopping or threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._reader: threading.Thread | None = None
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._lock = threading.Lock()
        self._told = False  # the present process, to end
        self._clean = False

    @property
    def pid(self) -> int | None:
        """The process id, None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Prepare, start and wait until ready. Raises ChildError, and whatever `prepare` raises."""
        with self._lock:
            if self._stopping.is_set():
                return
            if self.child.prepare:
                self.child.prepare(self._stopping)
            self._spawn()
        self._wait_ready()

    def wait(self) -> str:
        """Wait until the present process has ended; returns how, with its last words."""
        assert self._process is not None, "start() first"
        self._process.wait()
        self._sweep()
        return self._ending()

    def tell(self) -> None:
        """Ask the process to end, without waiting for it."""
        self._stopping.set()
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._tell(self._process)

    def stop(self, deadline: float | None = None) -> None:
        """End the process by `deadline` (monotonic; default: in `stop_seconds`), if need be by force."""
        self._stopping.set()
        with self._lock:
            self._end(deadline or time.monotonic() + self.child.stop_seconds)
            self._close_pipe()
            if self.child.cleanup and not self._clean:
                self.child.cleanup()
            self._clean = True

    def _spawn(self) -> None:
        self._close_pipe()
        child = self.child
        log = child.log.open("ab") if child.log else None
        output = log or (subprocess.PIPE if self._out else None)
        try:
            self._process, self._pipe = spawn(child.argv, env=child.env, output=output, death_signal=child.death_signal)
        except OSError as error:
            raise ChildError(f"{child.name}: {error}") from error
        else:
            self._told = False
        finally:
            if log:
                log.close()
        if self._process.stdout is not None:
            self._reader = threading.Thread(target=self._forward, args=(self._process.stdout,), daemon=True)
            self._reader.start()

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self.child.ready_seconds
        while not self._stopping.is_set():
            if self._process.poll() is not None:
                raise ChildError(f"{self.child.name} was not ready yet and {self._ending()}")
            if self.child.ready is None or self.child.ready():
                return
            if time.monotonic() > deadline:
                raise ChildError(f"{self.child.name} was not ready after {self.child.ready_seconds:.0f} s")
            self._stopping.wait(_POLL_SECONDS)

    def _ending(self) -> str:
        assert self._process is not None
        if self._reader:
            self._reader.join(_KILL_SECONDS)
        status = self._process.returncode
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return "\n".join([how, *(self._last_words or _tail(self.child.log))])

    def _end(self, deadline: float) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        self._tell(process)
        if not _ended(process, deadline):
            process.send_signal(self.child.kill_signal)
            _ended(process, deadline + _KILL_SECONDS)
        self._sweep()
        process.wait()

    def _tell(self, process: subprocess.Popen[bytes]) -> None:
        """Send the stop signal, once: to some programs a second one means that they must not finish what they do."""
        if not self._told:
            process.send_signal(self.child.stop_signal)
        self._told = True

    def _sweep(self) -> None:
        """Kill what is left of the process and of those it started in its own group."""
        assert self._process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _forward(self, stream: IO[bytes]) -> None:
        assert self._out is not None
        with stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip("\r\n")
                self._last_words.append(line)
                self._out.write(self.child.name, line)


def _ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Whether it ends by then."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))
        return True
    return False


def _tail(log: Path | None) -> list[str]:
    if log is None or not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        return file.read().decode(errors="replace").splitlines()[-_LAST_WORDS:]
