"""`python -m api.cli.sink [HOST:]PORT [DIRECTORY]`: a sink without the rest of the command line.

Without a directory, messages are counted and thrown away.
"""

from __future__ import annotations

import sys
from pathlib import Path

from api.cli.sink.server import Sink, run_sink


def _say(sink: Sink) -> None:
    print(f"listening on {sink.host}:{sink.port}", flush=True)


def main(arguments: list[str]) -> None:
    """Run with the arguments of the module docstring."""
    host, _, port = (arguments[0] if arguments else "2525").rpartition(":")
    directory = Path(arguments[1]) if len(arguments) > 1 else None
    run_sink(host or "127.0.0.1", int(port), directory, ready=_say)


if __name__ == "__main__":
    main(sys.argv[1:])
