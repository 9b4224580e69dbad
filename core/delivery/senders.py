"""Open ways to providers, kept by a process from batch to batch: one per channel account and version."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from channels.contract import Limits, Sender
from core.channel_io import AccountIO
from core.channel_registry import ChannelRegistry
from core.delivery.pace import Pace
from core.planning import channel_accounts
from core.planning.records import ChannelAccount
from core.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount:
    """A channel account in use by this process."""

    version: int
    sender: Sender
    io: AccountIO
    limits: Limits
    pace: Pace | None  # this process's share of the rate; None: no bound
    connections: int  # this process's share
    all_connections: int  # of all processes together


class Senders:
    """Opens senders when first needed and closes them with the process."""

    def __init__(self, runtime: Runtime, registry: ChannelRegistry):
        self._runtime = runtime
        self._registry = registry
        self._open: dict[int, OpenAccount] = {}
        self._lock = asyncio.Lock()

    async def get(self, account: ChannelAccount) -> OpenAccount:
        """The account, opened; one that changed is opened anew."""
        async with self._lock:
            before = self._open.get(account.id)
            if before is not None and before.version == account.version:
                return before
            fresh = self._open_account(account)
            self._open[account.id] = fresh
            if before is not None:
                await before.sender.close()
            return fresh

    def _open_account(self, account: ChannelAccount) -> OpenAccount:
        config = channel_accounts.open_config(account, self._runtime.keyring)
        channel = self._registry.make(account.channel, config)
        limits = self._registry.manifest(account.channel).limits.of_account(account.config)
        io = channel_accounts.io_of(account, config, self._runtime.io)
        total = max(1, min(int(account.config.get("connections") or limits.concurrency), 10 * limits.concurrency))
        share = max(1, total // self._runtime.settings.worker_processes)
        return OpenAccount(
            version=account.version,
            sender=channel.open(io, connections=share),
            io=io,
            limits=limits,
            pace=self._pace(limits),
            connections=share,
            all_connections=total,
        )

    def _pace(self, limits: Limits) -> Pace | None:
        return Pace(limits.rate / self._runtime.settings.worker_processes, limits.burst) if limits.rate else None

    async def close(self) -> None:
        """Close all of them."""
        opened = list(self._open.values())
        self._open.clear()
        await asyncio.gather(*(account.sender.close() for account in opened), return_exceptions=True)
