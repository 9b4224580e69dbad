"""Signs of life: a process renews its leases while it lives; when it stops to, others take its rows over."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from core.delivery.store import leases
from core.log import get_logger
from core.runtime import Runtime

log = get_logger(__name__)


class LeaseKeeper:
    """Renews all leases of this process a few times per lease time."""

    def __init__(self, runtime: Runtime):
        self._runtime = runtime
        self._life = timedelta(seconds=runtime.settings.lease_seconds)
        self._held: set[int] = set()
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

    @property
    def held(self) -> frozenset[int]:
        """The leases renewed from time to time."""
        return frozenset(self._held)

    def hold(self, lease_id: int) -> None:
        """Renew this lease from now on."""
        self._held.add(lease_id)

    def drop(self, lease_id: int) -> None:
        """Renew it no more: if ending it fails, it runs out by itself and its rows are taken over."""
        self._held.discard(lease_id)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._life.total_seconds() / 4)
            if not self._held:
                continue
            try:
                async with self._runtime.pool.acquire() as conn:
                    await leases.renew(conn, list(self._held), self.expiry(self._runtime.clock()))
            except Exception as error:  # the next round tries again; were this task to end, every lease would run out
                log.warning("leases not renewed", error=repr(error))
