"""Leave: the consent and the event in one transaction, or neither. Again and again does no harm."""

from __future__ import annotations

import asyncio
from datetime import datetime

import asyncpg

from channels.contract import AddressKind
from core.access import Actor
from core.channel_registry import ChannelRegistry
from core.clock import Clock
from core.consent.opt_outs import opt_out
from core.consent.records import Act
from core.db import Connection, Pool
from core.delivery.records import RecipientKind
from core.errors import Unavailable
from core.log import get_logger
from core.profiles.records import Channel
from core.tracking.append import append
from core.tracking.hits import was_stored
from core.tracking.lines import TRY_SECONDS, cut_after
from core.tracking.machines import FreshRules
from core.tracking.records import Hit
from core.tracking.sent import SentMessages
from core.tracking.store import event_rows

PAUSE_SECONDS = 0.2

RECIPIENT = Actor(name="recipient", permissions=frozenset(), label="A recipient, by their own link")

_log = get_logger(__name__)


class Unsubscriptions:
    """Takes people out. One per process."""

    def __init__(self, pool: Pool, sent: SentMessages, registry: ChannelRegistry, clock: Clock, *, wait_seconds: float):
        self._pool = pool
        self._sent = sent
        self._registry = registry
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._rules = FreshRules()

    async def act(self, hit: Hit) -> None:
        """Opt the recipient out of the delivery's channel and store the event. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_seconds
        again = False
        while True:
            try:
                async with self._pool.acquire(timeout=TRY_SECONDS) as conn:
                    with cut_after(conn, TRY_SECONDS):
                        await self._try(conn, hit, again=again)
                return
            except (
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ) as error:  # TimeoutError is an OSError
                again = True
                _log.warning("somebody waits to be unsubscribed", error=repr(error))
                if loop.time() + PAUSE_SECONDS >= until:
                    raise _unavailable() from error
                await asyncio.sleep(PAUSE_SECONDS)

    async def _try(self, conn: Connection, hit: Hit, *, again: bool) -> None:
        if again and await was_stored(conn, hit):
            return
        async with conn.transaction():
            await unsubscribe(conn, hit, self._sent, self._registry, self._rules, self._clock)


async def unsubscribe(
    conn: Connection, hit: Hit, sent: SentMessages, registry: ChannelRegistry, rules: FreshRules, clock: Clock
) -> None:
    """Opt out and append the event; commit at once."""
    await event_rows.secure(conn, for_session=False)
    now = clock()
    await _opt_out(conn, hit, sent, registry, now)
    book = await rules.get(conn, asyncio.get_running_loop().time())
    await append(conn, [hit], book, sent, now)


async def _opt_out(conn: Connection, hit: Hit, sent: SentMessages, registry: ChannelRegistry, now: datetime) -> None:
    if hit.recipient_kind != RecipientKind.PROFILE:
        return  # a test profile or a trap has no consent to withdraw
    channel = await sent.channel(conn, hit.delivery_id)
    kind = AddressKind.EMAIL if channel is None else registry.manifest(channel).address_kind
    # Somebody who is no longer there is not among those who change, and that is all.
    act = Act(origin="unsubscribe link", proof={"delivery_id": hit.delivery_id, "user_agent": hit.user_agent})
    await opt_out(conn, RECIPIENT, [hit.recipient_id], Channel(kind.value), act, now=now)


def _unavailable() -> Unavailable:
    return Unavailable("this could not be stored in time", code="NOT_STORED", hint="Try again in a few seconds.")
