"""Open ways to providers, kept by a process from batch to batch: one per channel account and version."""

from __future__ import annotations

import asyncio

from channels.contract import Sender
from core.channel_registry import ChannelRegistry
from core.delivery.pace import Pace
from core.planning import channel_accounts
from core.planning.records import ChannelAccount
from core.runtime import Runtime


class Senders:
    """Opens senders when first needed and closes them with the process."""

    def __init__(self, runtime: Runtime, registry: ChannelRegistry):
        self._runtime = runtime
        self._registry = registry
        self._open: dict[int, tuple[int, Sender]] = {}
        self._paces: dict[int, tuple[int, Pace]] = {}
        self._lock = asyncio.Lock()

    def connections_of(self, account: ChannelAccount) -> tuple[int, int]:
        """(this process's share, all processes together) of the account's connections."""
        limit = self._registry.manifest(account.channel).limits.concurrency
        total = max(1, min(int(account.config.get("connections") or limit), 10 * limit))
        return max(1, total // self._runtime.settings.worker_processes), total

    def pace_of(self, account: ChannelAccount) -> Pace | None:
        """This process's share of the channel's rate, or of the account's where it sets a lower one. None: no bound."""
        limits = self._registry.manifest(account.channel).limits
        bounds = [float(one) for one in (limits.rate, account.config.get("rate")) if one]
        if not bounds:
            return None
        version, pace = self._paces.get(account.id, (0, None))
        if pace is None or version != account.version:
            pace = Pace(min(bounds) / self._runtime.settings.worker_processes, limits.burst)
            self._paces[account.id] = (account.version, pace)
        return pace

    async def get(self, account: ChannelAccount) -> Sender:
        """The sender of an account; a changed account gets a fresh one."""
        async with self._lock:
            version, sender = self._open.get(account.id, (0, None))
            if sender is not None and version == account.version:
                return sender
            config = channel_accounts.open_config(account, self._runtime.keyring)
            channel = self._registry.make(account.channel, config)
            share, _ = self.connections_of(account)
            fresh = channel.open(self._runtime.io, connections=share)
            self._open[account.id] = (account.version, fresh)
            if sender is not None:
                await sender.close()
            return fresh

    async def close(self) -> None:
        """Close all of them."""
        senders = [sender for _, sender in self._open.values()]
        self._open.clear()
        await asyncio.gather(*(sender.close() for sender in senders), return_exceptions=True)
