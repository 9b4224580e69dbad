"""What this room keeps per process that answers the public: the writer, the reader of sent messages, the tail."""

from __future__ import annotations

from dataclasses import dataclass

from core.channel_registry import ChannelRegistry
from core.db import transaction
from core.delivery.programs import Programs
from core.log import get_logger
from core.public_urls import PublicUrls
from core.runtime import Runtime
from core.tracking.hits import HitRecorder
from core.tracking.partitions import ensure_partitions
from core.tracking.sent import SentMessages
from core.tracking.stream import Tail
from core.tracking.unsubscribe import Unsubscriptions

_KEY = "tracking"
_SENT_KEY = "tracking.sent"
_log = get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Tracking:
    """One per process that answers the public. Keeps up to four connections of the pool."""

    urls: PublicUrls
    sent: SentMessages
    recorder: HitRecorder
    unsubscriptions: Unsubscriptions
    tail: Tail

    async def close(self) -> None:
        """Commit what waits and let go of every connection."""
        await self.recorder.close()
        await self.sent.close()
        await self.tail.stop()


async def open_tracking(runtime: Runtime) -> Tracking:
    """Make the process's tracking and leave it with the runtime."""
    registry = ChannelRegistry.load()
    urls = PublicUrls(runtime.settings, runtime.keyring)
    wait = runtime.settings.hit_wait_seconds
    sent = _make_sent(runtime, registry, urls)
    tracking = Tracking(
        urls=urls,
        sent=sent,
        recorder=HitRecorder(runtime.pool, sent, runtime.clock, wait_seconds=wait),
        unsubscriptions=Unsubscriptions(runtime.pool, sent, registry, runtime.clock, wait_seconds=wait),
        tail=Tail(runtime.pool),
    )
    await _make_partitions(runtime)
    await tracking.tail.start()
    runtime.resources[_KEY] = tracking
    return tracking


def tracking_of(runtime: Runtime) -> Tracking:
    """The tracking that the door opened."""
    tracking = runtime.resources[_KEY]
    assert isinstance(tracking, Tracking)
    return tracking


def sent_messages_of(runtime: Runtime) -> SentMessages:
    """The reader of sent messages of a process that may have no public pages. It keeps no connection of its own."""
    found = runtime.resources.get(_SENT_KEY)
    if found is None:
        urls = PublicUrls(runtime.settings, runtime.keyring)
        found = runtime.resources[_SENT_KEY] = _make_sent(runtime, ChannelRegistry.load(), urls)
    assert isinstance(found, SentMessages)
    return found


def _make_sent(runtime: Runtime, registry: ChannelRegistry, urls: PublicUrls) -> SentMessages:
    programs = Programs(registry, urls, sends=False)
    return SentMessages(runtime.pool, programs, urls, wait_seconds=runtime.settings.hit_wait_seconds)


async def _make_partitions(runtime: Runtime) -> None:
    try:
        async with transaction(runtime.pool) as conn:
            await ensure_partitions(conn, runtime.clock())
    except Exception as error:  # the default partition serves until a schedule makes the month
        _log.warning("the months of tracking events could not be looked after", error=repr(error))
