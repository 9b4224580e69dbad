"""Connections that must not keep anybody waiting: given back for sure, and cut when the other side falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from core.db import Connection, Pool

TRY_SECONDS = 4.0  # what usually takes milliseconds and takes longer than this is tried over another connection


async def give_back(pool: Pool, conn: Connection, *, broken: bool) -> None:
    """Return a connection; a broken one is cut first. Never fails."""
    if broken:
        cut(conn)
    with suppress(Exception):
        await pool.release(conn)


def cut(conn: Connection) -> None:
    """End a connection at once; whatever waits on it fails. Never fails."""
    with suppress(Exception):  # the pool takes a connection back by itself when it sees it break
        conn.terminate()


@contextmanager
def cut_after(conn: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection when the block takes longer than that.

    Cancelling would not do: a cancelled transaction is rolled back first, and a server that is silent does not answer that
    either.
    """
    timer = asyncio.get_running_loop().call_later(seconds, cut, conn)
    try:
        yield
    finally:
        timer.cancel()
