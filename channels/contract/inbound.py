"""What providers tell us later: receipts, bounces, complaints, replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
