"""Where the processes of one tree leave their counts, so that any API process, or the port of the workers, tells for all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import start_http_server

from core.config import Settings
from core.errors import Conflict
from core.metrics import FOLDER, Counts
from core.process import alive


@contextmanager
def counting(settings: Settings) -> Iterator[None]:
    """A folder for the counts of the children that are started in the block; that of an outer supervisor where there is one."""
    if FOLDER in os.environ:
        yield
        return
    home = settings.var_dir / "metrics"
    _clear(home)
    folder = home / str(os.getpid())
    folder.mkdir(parents=True)
    os.environ[FOLDER] = str(folder.resolve())
    try:
        yield
    finally:
        del os.environ[FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def telling(settings: Settings) -> Iterator[None]:
    """`/metrics` on a port of its own while the block runs, where the settings name one. Raises Conflict (PORT_TAKEN)."""
    if settings.metrics_port == 0:
        yield
        return
    try:
        server, _ = start_http_server(settings.metrics_port, settings.listen_host, Counts(Path(os.environ[FOLDER])))
    except OSError as error:
        raise Conflict(
            f"the workers cannot tell their metrics on {settings.listen_host}:{settings.metrics_port}: {error.strerror}",
            code="PORT_TAKEN",
            hint="Set CLARION_METRICS_PORT to a free port, or to 0.",
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _clear(home: Path) -> None:
    """Remove what supervisors left that were killed."""
    for left in home.glob("*"):
        with suppress(ValueError):
            if not alive(int(left.name)):
                shutil.rmtree(left, ignore_errors=True)
