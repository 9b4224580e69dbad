"""Doing something to see what would happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.db import Connection


@asynccontextmanager
async def undone_if(dry: bool, conn: Connection) -> AsyncIterator[None]:
    """What is written within is as if it had not been, if asked for."""
    within = conn.transaction()
    await within.start()
    try:
        yield
    except BaseException:
        await within.rollback()
        raise
    await (within.rollback() if dry else within.commit())
