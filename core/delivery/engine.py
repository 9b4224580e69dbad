"""What this room keeps per process: compiled programs, open senders, the signs of life."""

from __future__ import annotations

from dataclasses import dataclass

from core.channel_registry import ChannelRegistry
from core.delivery.lease_keeper import LeaseKeeper
from core.delivery.prepare import Preparation
from core.delivery.programs import Programs
from core.delivery.send import Sending
from core.public_urls import PublicUrls
from core.runtime import Runtime

_KEY = "delivery"


@dataclass(slots=True, kw_only=True)
class Engine:
    """One per process that prepares and sends."""

    registry: ChannelRegistry
    programs: Programs
    preparation: Preparation
    sending: Sending
    keeper: LeaseKeeper

    async def close(self) -> None:
        """Let go of everything."""
        await self.sending.close()
        await self.keeper.close()


def open_engine(runtime: Runtime) -> Engine:
    """Make the process's engine and leave it with the runtime."""
    registry = ChannelRegistry.load()
    programs = Programs(registry, PublicUrls(runtime.settings, runtime.keyring))
    keeper = LeaseKeeper(runtime)
    engine = Engine(
        registry=registry,
        programs=programs,
        preparation=Preparation(runtime.pool, programs, registry, runtime.keyring, runtime.clock),
        sending=Sending(runtime, registry, programs, keeper),
        keeper=keeper,
    )
    keeper.start()
    runtime.resources[_KEY] = engine
    return engine


def engine_of(runtime: Runtime) -> Engine:
    """The engine that the door opened."""
    engine = runtime.resources[_KEY]
    assert isinstance(engine, Engine)
    return engine
