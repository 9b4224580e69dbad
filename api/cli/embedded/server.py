"""What both embedded servers share: one owner at a time, start, stop, and the child for a supervisor."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from api.cli.child import Child, RunningChild
from api.cli.embedded.place import EmbeddedError, OwnerLock, remove_socket_directory, socket_directory

_OTHER_OWNER_SECONDS = 30.0
_LOG_LIMIT = 10_000_000  # bytes
_POLL_SECONDS = 0.05


class EmbeddedServer(ABC):
    """A server below one directory, run by at most one process at a time."""

    name: ClassVar[str]
    setting: ClassVar[str]  # names a server of the operator's own instead

    def __init__(self, var: Path) -> None:
        self.var = var.absolute()
        self.data = self.var / self.name
        self.sockets = socket_directory(self.var, self.name)
        self.log = self.var / "log" / f"{self.name}.log"
        self._lock = OwnerLock(self.var / f"{self.name}.lock")
        self._sockets_are_ours = False
        self._running: RunningChild | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the server answers while this process runs it."""

    @abstractmethod
    def child(self) -> Child:
        """The server as a child: a supervisor then does what start() and stop() do. Raises EmbeddedError."""

    @abstractmethod
    def answers(self, url: str) -> bool:
        """Whether a server accepts connections there."""

    @abstractmethod
    def prepare_files(self, stopping: threading.Event) -> None:
        """End what an earlier run left, and make files and sockets ready for a start."""

    @property
    def pid(self) -> int | None:
        """The server's process if start() started it here, else None."""
        return self._running.pid if self._running else None

    def start(self) -> str:
        """Start the server; returns its URL once it answers there. Raises EmbeddedError or ChildError.

        Where another living process runs it already, that one's URL is returned and stop() leaves it alone.
        """
        if self._running is not None:
            return self.url
        other = self._become_owner(threading.Event(), share=True)
        if other is not None:
            return other
        try:
            self._running = RunningChild(self.child())
            self._running.start()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server if this process started it; what was committed stays."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()
        self.cleanup()

    def prepare(self, stopping: threading.Event) -> None:
        """Become the owner and make all ready for a start. Raises EmbeddedError."""
        self._become_owner(stopping, share=False)
        with self._explained():
            self.log.parent.mkdir(exist_ok=True)
            if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
                self.log.replace(self.log.with_suffix(".log.1"))
            self.prepare_files(stopping)
            self._sockets_are_ours = True

    def ready(self) -> bool:
        """Whether it accepts connections; if so, other processes may find it."""
        if not self.answers(self.url):
            return False
        self._lock.publish(self.url)
        return True

    def cleanup(self) -> None:
        """Leave nothing outside `var` and let the next process take the server."""
        if self._sockets_are_ours:
            remove_socket_directory(self.sockets)
            self._sockets_are_ours = False
        self._lock.release()

    def _become_owner(self, stopping: threading.Event, *, share: bool) -> str | None:
        """Own the server (None); or, with `share`, return the URL of the one that another process runs."""
        with self._explained():
            self.var.mkdir(parents=True, exist_ok=True)
            deadline = time.monotonic() + _OTHER_OWNER_SECONDS
            while not self._lock.acquire():
                url = self._lock.read() if share else None
                if url is not None and self.answers(url):
                    return url
                if stopping.is_set() or time.monotonic() > deadline:
                    raise EmbeddedError(f"another process runs {self.name} in {self.var}: stop it, or set {self.setting}")
                stopping.wait(_POLL_SECONDS)
        return None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise EmbeddedError(
                f"{error}; {self.var} belongs to another user: run as that one, or set {self.setting}"
            ) from error
