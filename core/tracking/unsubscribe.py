"""Leave: the consent and the event in one transaction, or neither. Again and again does no harm.

What is left is what the delivery names: its service, else its purpose. Where it names neither, or the recipient asks for it,
the whole channel.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import asyncpg

from core.access import Actor
from core.channel_registry import ChannelRegistry
from core.clock import Clock
from core.consent.leaving import leave_service, withdraw_purpose
from core.consent.opt_outs import opt_out
from core.consent.records import Act
from core.db import Connection, Pool
from core.delivery.records import RecipientKind
from core.errors import Unavailable
from core.log import get_logger
from core.tracking.append import append
from core.tracking.hits import was_stored
from core.tracking.lines import TRY_SECONDS, cut_after
from core.tracking.machines import FreshRules
from core.tracking.offers import Offer, Offers
from core.tracking.records import Hit
from core.tracking.sent import SentMessages
from core.tracking.store import event_rows

PAUSE_SECONDS = 0.2

_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)  # TimeoutError is an OSError

RECIPIENT = Actor(name="recipient", permissions=frozenset(), label="A recipient, by their own link")

_log = get_logger(__name__)


class Unsubscriptions:
    """Takes people out. One per process."""

    def __init__(self, pool: Pool, sent: SentMessages, registry: ChannelRegistry, clock: Clock, *, wait_seconds: float):
        self._pool = pool
        self._sent = sent
        self._offers = Offers(sent, registry)
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._rules = FreshRules()

    async def offer(self, delivery_id: int) -> Offer | None:
        """What the page of a delivery offers to leave; None while the database is away: the page can do without."""
        try:
            async with self._pool.acquire(timeout=TRY_SECONDS) as conn:
                with cut_after(conn, TRY_SECONDS):
                    return await self._offers.get(conn, delivery_id)
        except _AWAY as error:
            _log.warning("an unsubscribe page does without its service", error=repr(error))
            return None

    async def act(self, hit: Hit, *, whole_channel: bool = False) -> None:
        """Let the recipient leave what the delivery offers, or its whole channel, and store the event. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_seconds
        again = False
        while True:
            try:
                async with self._pool.acquire(timeout=TRY_SECONDS) as conn:
                    with cut_after(conn, TRY_SECONDS):
                        await self._try(conn, hit, whole_channel=whole_channel, again=again)
                return
            except _AWAY as error:
                again = True
                _log.warning("somebody waits to be unsubscribed", error=repr(error))
                if loop.time() + PAUSE_SECONDS >= until:
                    raise _unavailable() from error
                await asyncio.sleep(PAUSE_SECONDS)

    async def _try(self, conn: Connection, hit: Hit, *, whole_channel: bool, again: bool) -> None:
        if again and await was_stored(conn, hit):
            return
        async with conn.transaction():
            await event_rows.secure(conn, for_session=False)
            now = self._clock()
            if hit.recipient_kind == RecipientKind.PROFILE:  # a test profile or a trap has no consent to withdraw
                await _leave(conn, hit, await self._offers.get(conn, hit.delivery_id), whole_channel, now)
            book = await self._rules.get(conn, asyncio.get_running_loop().time())
            await append(conn, [hit], book, self._sent, now)


async def _leave(conn: Connection, hit: Hit, offer: Offer, whole_channel: bool, now: datetime) -> None:
    """Somebody who is no longer there is not among those who change, and that is all."""
    proof = {"delivery_id": hit.delivery_id, "user_agent": hit.user_agent}
    act = Act(origin="unsubscribe link", proof=proof, by_person=True)
    if offer.service_id is not None and not whole_channel:
        await leave_service(conn, RECIPIENT, hit.recipient_id, offer.service_id, act, now=now)
    elif offer.purpose_id is not None and not whole_channel:
        await withdraw_purpose(conn, RECIPIENT, hit.recipient_id, offer.purpose_id, act, now=now)
    else:
        await opt_out(conn, RECIPIENT, [hit.recipient_id], offer.channel, act, now=now)


def _unavailable() -> Unavailable:
    return Unavailable("this could not be stored in time", code="NOT_STORED", hint="Try again in a few seconds.")
