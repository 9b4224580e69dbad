"""Writes of business events: parse, call one operation, return its records."""

from __future__ import annotations

from collections import Counter
from typing import Any

import strawberry

from api.context import Info
from api.graphql.business_events.types import EventOutcome, EventType, RecordEventInput, SaveEventTypeInput
from api.graphql.mutations import mutation
from core.content.uses import find_contents_without_events
from core.datamodel.uses import refuse
from core.db import Connection
from core.delivery.uses import find_deliveries_without_events
from core.events import event_types
from core.events.recording import record_events
from core.events.records import OutcomeStatus
from core.privacy.uses import find_namespaces_without_events
from core.targeting.uses import find_questions_without_events


@strawberry.type
class BusinessEventsMutation:
    """Types of events, and events."""

    @mutation(event_type=EventType)
    async def save_event_type(self, info: Info, input: SaveEventTypeInput) -> Any:
        """Make a type of events, or change it, at once. As long as there are events, a field keeps its kind; what audiences
        and contents ask about stays, and what privacy namespaces name."""
        context = info.context
        saved = await event_types.save_event_type(
            context.conn, context.actor, input.draft(), now=context.now, expected_version=input.expected_version
        )
        await _check_unused(context.conn, saved.name)
        return saved

    @mutation(removed=EventType)
    async def remove_event_type(self, info: Info, name: str, confirm: str) -> Any:
        """Remove a type of events with all its events, for good. `confirm` repeats its name."""
        removed = await event_types.remove_event_type(info.context.conn, info.context.actor, name, confirm=confirm)
        await _check_unused(info.context.conn, name)
        return removed

    @mutation(outcomes=list[EventOutcome], stored=int, repeated=int, rejected=int)
    async def record_events(self, info: Info, events: list[RecordEventInput]) -> Any:
        """Tell what people did. Each event is stored, or rejected with its reason; sending the same again does no harm."""
        context = info.context
        sent = [one.sent(place) for place, one in enumerate(events)]
        outcomes = await record_events(context.conn, context.actor, sent, context.now)
        counts = Counter(one.status for one in outcomes)
        return {"outcomes": outcomes, **{status.value: counts[status] for status in OutcomeStatus}}


async def _check_unused(conn: Connection, event_type: str) -> None:
    """Raises Conflict (FIELD_IN_USE) where somebody asks about what is there no longer."""
    refuse(
        [
            *await find_questions_without_events(conn, event_type),
            *await find_contents_without_events(conn, event_type),
            *await find_deliveries_without_events(conn, event_type),
            *await find_namespaces_without_events(conn, event_type),
        ]
    )
