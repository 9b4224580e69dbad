"""`clarion sink`: a catch-all SMTP server for development."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.sink import Sink, run_sink
from core.errors import Conflict


def sink(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 2525,
    directory: Annotated[Path, typer.Option(help="Where the messages are kept.")] = Path("var/sink"),
    discard: Annotated[bool, typer.Option("--discard", help="Keep nothing.")] = False,
    delay: Annotated[float, typer.Option(min=0, help="Seconds by which final answers come late …")] = 0.0,
    delay_every: Annotated[int, typer.Option(min=1, help="… every how many messages.")] = 1,
) -> None:
    """Catch every message and keep it in files. Point a channel account at it; nothing leaves this machine."""
    try:
        run_sink(host, port, directory, discard=discard, delay=delay, delay_every=delay_every, ready=_say)
    except OSError as error:
        raise Conflict(
            f"the sink cannot listen: {error.strerror}",
            code="PORT_TAKEN",
            hint="Pass another --port; 0 takes any.",
        ) from None


def _say(sink: Sink) -> None:
    print(f"Sink listening on {sink.host}:{sink.port}", flush=True)
