"""Signs of life: a process renews its leases while it lives; when it stops to, others take its rows over."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import asyncpg

from core.delivery.store import leases
from core.log import get_logger
from core.runtime import Runtime

log = get_logger(__name__)


class LeaseKeeper:
    """Renews all leases of this process a few times per lease time."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._life = timedelta(seconds=runtime.settings.lease_seconds)
        self._task: asyncio.Task[None] | None = None

    def expiry(self, now: datetime) -> datetime:
        """Until when a lease taken now lives without another sign."""
        return now + self._life

    def start(self) -> None:
        """Begin to renew."""
        self._task = asyncio.create_task(self._run(), name="lease-keeper")

    async def close(self) -> None:
        """Stop to renew."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._life.total_seconds() / 4)
            try:
                async with self._runtime.pool.acquire() as conn:
                    await leases.renew(conn, self._runtime.worker_id, self.expiry(self._runtime.clock()))
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.warning("leases not renewed", error=str(error))
