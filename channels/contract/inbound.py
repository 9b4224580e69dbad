"""What providers tell us later: receipts, bounces, complaints, replies. They call us, or we ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from channels.contract.io import ChannelIO
from channels.contract.outcomes import Outcome


class InboundEventKind(StrEnum):
    """Kinds of news from a provider."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    REPLIED = "replied"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRequest:
    """A provider's call to us, as received."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    """One piece of news about one message."""

    kind: InboundEventKind
    reference: str  # what `OutgoingMessage.reference` or the provider id of the outcome was
    event_id: str  # unique at the provider; a repeat is ignored
    occurred_at: datetime
    outcome: Outcome | None = None
    text: str = ""


class InboundRejected(Exception):
    """The call's signature, timestamp or replay check failed; nothing of it is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one call of `poll` found, and where the next one goes on."""

    events: Sequence[InboundEvent]
    cursor: str  # stored in the transaction that stores the events
    more: bool = False  # there is more right now: ask again at once


@runtime_checkable
class Polling(Protocol):
    """What a channel adds whose provider does not call but wants to be asked: a mailbox, a list of receipts."""

    async def poll(self, io: ChannelIO, cursor: str | None) -> Polled:
        """The news after `cursor`, or from the beginning without one; a bounded number of them at once.

        A cursor that is asked for again must give the same events or later ones: what was returned may not have been
        stored. So nothing is deleted or marked as read at the provider before it is asked for the cursor behind it. Events seen
        twice are told apart by their `event_id`.
        """
        ...
