"""`python -m api.cli.sink --port 2525 --directory var/sink`: a sink without the rest of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from api.cli.sink.server import Sink, run_sink


def _say(sink: Sink) -> None:
    print(f"listening on {sink.host}:{sink.port}", flush=True)


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m api.cli.sink", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2525, help="0: any free one")
    parser.add_argument("--directory", type=Path, help="where messages are kept; without: only counted")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds by which final answers come late")
    parser.add_argument("--delay-every", type=int, default=10, help="… every how many messages")
    given = parser.parse_args()
    run_sink(
        given.host,
        given.port,
        given.directory,
        delay=given.delay,
        delay_every=given.delay_every,
        ready=_say,
    )


if __name__ == "__main__":
    main()
