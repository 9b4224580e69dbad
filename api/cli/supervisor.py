"""Children kept running: started in order, restarted when they crash, stopped in reverse, never orphaned.

A child may itself be a supervisor.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Self, TextIO

from api.cli.child import STOP_SECONDS, Child, ChildError, Lines, RunningChild

__all__ = ["Child", "ChildError", "Supervisor"]

_RESERVE_SECONDS = 0.7  # for the force each child may need
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0
_STEADY_SECONDS = 10.0  # a child that ran so long starts again without much delay


class Supervisor:
    """Runs children until told to stop."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        stop_seconds: float = STOP_SECONDS,
        together: bool = False,
        prefix: bool = True,
        out: TextIO | None = None,
    ) -> None:
        """`stop_seconds` is for all children together. With `together` they are told to stop at the same time, not in turn.

        With `prefix`, each line a child prints appears on `out` (default: standard output) behind its name;
        without, children inherit our streams.
        """
        self._out = Lines(out or sys.stdout)
        self._stopping = threading.Event()
        self._stop_seconds = stop_seconds
        self._together = together
        self._deadline: float | None = None
        self._running = [RunningChild(child, out=self._out if prefix else None, stopping=self._stopping) for child in children]
        self._watchers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the children, each once the one before is ready; then keep them running in the background.

        Raises, with all children ended, when one does not come up: ChildError, or what its `prepare` raised.
        Told to stop meanwhile, it gives up without an error.
        """
        try:
            for running in self._running:
                running.start()
                if self._stopping.is_set():
                    return
                self._watch(running)
        except BaseException:
            told = self._stopping.is_set()
            self.stop()
            if not told:
                raise

    def stop(self) -> None:
        """End all children, in reverse order or together, by force once the time is over. May be called again."""
        self._stopping.set()
        self._deadline = self._deadline or time.monotonic() + self._stop_seconds
        if self._together:
            for running in self._running:
                running.tell()
        for position, running in reversed(list(enumerate(self._running))):
            at_most = time.monotonic() + running.child.stop_seconds
            reserved = _RESERVE_SECONDS * (1 if self._together else position + 1)
            running.stop(min(at_most, self._deadline - reserved))
        for watcher in self._watchers:
            watcher.join()
        self._watchers.clear()

    def run(self, started: Callable[[], None] | None = None) -> None:
        """Start, call `started`, block until SIGINT, SIGTERM or SIGHUP, stop. For the main thread only.

        Raises as start() does.
        """
        with _told_to_stop(self._stopping):
            try:
                self.start()
                if started and not self._stopping.is_set():
                    started()
                self._stopping.wait()
            finally:
                self.stop()

    def pids(self) -> dict[str, int]:
        """The present process of each child that was started."""
        return {running.child.name: running.pid for running in self._running if running.pid is not None}

    def _watch(self, running: RunningChild) -> None:
        watcher = threading.Thread(target=self._keep, args=(running,), name=f"{running.child.name} watch", daemon=True)
        watcher.start()
        self._watchers.append(watcher)

    def _keep(self, running: RunningChild) -> None:
        delay, since = _FIRST_DELAY, time.monotonic()
        while True:
            ending = running.wait()
            if self._stopping.is_set():
                return
            self._out.write(running.child.name, ending)
            if not running.child.restart:
                return
            if time.monotonic() - since > _STEADY_SECONDS:
                delay = _FIRST_DELAY
            if self._stopping.wait(delay):
                return
            delay, since = min(delay * 2, _LONGEST_DELAY), time.monotonic()
            self._restart(running)

    def _restart(self, running: RunningChild) -> None:
        try:
            running.start()
        except Exception as error:  # whatever it is, the next round tries again
            self._out.write(running.child.name, f"not restarted: {error}")
        else:
            self._out.write(running.child.name, f"restarted as process {running.pid}")


@contextmanager
def _told_to_stop(stopping: threading.Event) -> Iterator[None]:
    def stop(_signum: int, _frame: FrameType | None) -> None:
        stopping.set()

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signals.append(signal.SIGHUP)
    before = {signum: signal.signal(signum, stop) for signum in signals}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
