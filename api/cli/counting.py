"""Where the processes of one tree leave their counts, so that any API process, or the port of the workers, tells for all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import start_http_server

from core.config import Settings
from core.errors import Conflict
from core.metrics import FOLDER, Counts


@contextmanager
def counting(settings: Settings) -> Iterator[None]:
    """A folder for the counts of the children that are started in the block; that of an outer supervisor where there is one."""
    if FOLDER in os.environ:
        yield
        return
    home = settings.var_dir / "metrics"
    home.mkdir(parents=True, exist_ok=True)
    _clear(home)
    folder = Path(tempfile.mkdtemp(dir=home)).resolve()
    with _held(folder):
        os.environ[FOLDER] = str(folder)
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
    """Remove what supervisors left that were killed: nobody holds it any more."""
    for left in home.glob("*"):
        with suppress(OSError), _held(left):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder while the block runs; the kernel lets go of it for a process that dies. Raises OSError if it is held."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
