"""Short ways to say what was told, shared by the tests of events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.access import SYSTEM
from core.datamodel.records import Choice, FieldKind
from core.db import Connection
from core.events.event_types import save_event_type
from core.events.recording import record_events
from core.events.records import EventField, EventType, EventTypeDraft, Outcome, OutcomeStatus, SentEvent
from core.profiles.identities import ProfileReference, ReferenceKind

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)

AMOUNT = EventField(name="amount", label="Amount", kind=FieldKind.DECIMAL, required=True)
PRODUCT = EventField(name="product", label="Product", kind=FieldKind.TEXT, max_length=100)
FIELDS = (
    AMOUNT,
    PRODUCT,
    EventField(name="pieces", label="Pieces", kind=FieldKind.INTEGER),
    EventField(name="gift", label="Gift", kind=FieldKind.BOOLEAN),
    EventField(name="due", label="Due", kind=FieldKind.DATE),
    EventField(name="shipped", label="Shipped", kind=FieldKind.INSTANT),
    EventField(
        name="way", label="Way", kind=FieldKind.ENUMERATION,
        choices=(Choice(name="shop", label="In the shop"), Choice(name="web", label="On the web")),
    ),
)  # fmt: skip


def draft(name: str = "purchase", *fields: EventField, **more: Any) -> EventTypeDraft:
    """A type as it is entered; without fields it is a purchase with an amount and a product."""
    return EventTypeDraft(name=name, label=name.title(), fields=fields or (AMOUNT, PRODUCT), **more)


async def save(conn: Connection, name: str = "purchase", *fields: EventField, **more: Any) -> EventType:
    """Save a type."""
    return await save_event_type(conn, SYSTEM, draft(name, *fields, **more), now=NOW)


async def add_profile(conn: Connection, external_id: str = "ann", email: str | None = None) -> int:
    """A person; the id."""
    found: int = await conn.fetchval(
        "INSERT INTO profile (external_id, email, email_key) VALUES ($1, $2::text, lower($2::text)) RETURNING id",
        external_id,
        email,
    )
    return found


def person(value: int | str) -> ProfileReference:
    """By id, email or external id."""
    if isinstance(value, int):
        return ProfileReference(ReferenceKind.ID, value)
    return ProfileReference(ReferenceKind.EMAIL if "@" in value else ReferenceKind.EXTERNAL_ID, value)


def event(key: str = "k1", who: int | str = "ann", payload: Any = None, **more: Any) -> SentEvent:
    """A purchase of today."""
    sent = {"amount": "19.90"} if payload is None else payload
    values: dict[str, Any] = {"type": "purchase", "profile": person(who), "occurred_at": NOW, "key": key, "payload": sent}
    return SentEvent(**values | more)


async def tell(conn: Connection, *sent: SentEvent, now: datetime = NOW) -> list[Outcome]:
    """Record."""
    return await record_events(conn, SYSTEM, sent, now)


def codes(outcomes: list[Outcome]) -> list[str]:
    """`stored`, `repeated`, or the code of the refusal."""
    assert [one.index for one in outcomes] == list(range(len(outcomes)))
    return [one.error.code if one.error else one.status.value for one in outcomes]


STORED, REPEATED = OutcomeStatus.STORED.value, OutcomeStatus.REPEATED.value
