"""What the floor does on a schedule."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import islice

from core import blobs, files, idempotency
from core.db import transaction
from core.log import get_logger
from core.runtime import Runtime

log = get_logger(__name__)

PORTION = 500  # files marked or looked for at once


async def sweep(runtime: Runtime) -> None:
    """Forget what nobody asks for any more: stored answers of requests, one-time addresses, files with their bytes, blobs."""
    now = runtime.clock()
    async with transaction(runtime.pool) as conn:
        await idempotency.forget_old(conn, now)
        await files.forget_tickets(conn, now)
        await blobs.forget_unused(conn, now)
    await _mark_removed(runtime, now)
    await _remove_unwanted(runtime, now)


async def _mark_removed(runtime: Runtime, now: datetime) -> None:
    kept = timedelta(days=runtime.settings.file_retention_days)
    while True:
        async with transaction(runtime.pool) as conn:
            marked = await files.mark_removed(conn, now, kept, PORTION)
        if marked < PORTION:
            return


async def _remove_unwanted(runtime: Runtime, now: datetime) -> None:
    """Remove the bytes of marked files, and old ones that no row knows: of interrupted uploads, of lost transactions."""
    listing = iter((await asyncio.to_thread(runtime.files.listing, now - files.STRAY_LIFE)).items())
    while portion := dict(islice(listing, PORTION)):
        async with runtime.pool.acquire() as conn:
            unwanted = await files.find_unwanted(conn, portion)
        for name, error in await asyncio.to_thread(runtime.files.remove, unwanted):
            log.warning("a file cannot be removed", file=name, error=repr(error))
