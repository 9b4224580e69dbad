"""One API process: `python -m api.server`. `clarion api` and `clarion up` start as many as the settings say.

Several processes share a port (SO_REUSEPORT); the one that starts them chooses it. With port 0 a free one is taken.
"""

from __future__ import annotations

import argparse
import gc
import socket
import sys
from collections.abc import Sequence

import uvicorn

from api.app import App
from core.config import Settings, load_settings
from core.errors import ClarionError
from core.log import set_up_logging
from core.process import die_with_parent

BACKLOG = 2048
STOP_SECONDS = 5  # for running requests to come to an end
PING_SECONDS = 20.0
PONG_SECONDS = 90.0  # longer than a slow client is given, so that it hears why


def bind(host: str, port: int, *, shared: bool) -> socket.socket:
    """A listening socket. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind((host, port))
        opened.set_inheritable(True)
    except BaseException:
        opened.close()
        raise
    return opened


def address(bound: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def configuration(app: App, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.graphql_max_bytes,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        ws_per_message_deflate=False,
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks where a request came from
        log_config=None,
        log_level="warning",
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )


class Server(uvicorn.Server):
    """Says where it listens, once it does."""

    def __init__(self, config: uvicorn.Config, where: str):
        super().__init__(config)
        self.where = where

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what is loaded by now stays: no full collection has to look at it again while requests wait
        if self.started and not self.should_exit:
            print(f"Clarion API listening on {self.where}", flush=True)


def serve(settings: Settings, *, shared: bool) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    try:
        bound = bind(settings.listen_host, settings.listen_port, shared=shared)
    except OSError as error:
        place = f"{settings.listen_host}:{settings.listen_port}"
        print(f"cannot listen on {place}: {error.strerror}. Set CLARION_LISTEN_PORT to a free port.", file=sys.stderr)
        return 1
    with bound:
        server = Server(configuration(App(settings), settings), address(bound))
        server.run(sockets=[bound])
    return 0 if server.started else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the process."""
    die_with_parent()
    parser = argparse.ArgumentParser(prog="python -m api.server", description="One Clarion API process.")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--shared", action="store_true", help="share the port with other processes")
    given = parser.parse_args(arguments)
    overrides = {"listen_host": given.host, "listen_port": given.port}
    try:
        settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
        set_up_logging(settings.log_level, settings.log_format, "api")
        return serve(settings, shared=given.shared)
    except ClarionError as error:
        print(f"{error.message}. {error.hint or ''}".strip(), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
