"""What business events keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.datamodel.records import DataField
from core.errors import ClarionError
from core.profiles.identities import ProfileReference


class UnknownFields(StrEnum):
    """What to do with an event whose payload has a field that its type does not have."""

    REFUSE = "refuse"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventField(DataField):
    """A field of a payload."""

    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTypeDraft:
    """What people say of a type."""

    name: str
    label: str
    description: str = ""
    fields: tuple[EventField, ...] = ()
    unknown_fields: UnknownFields = UnknownFields.REFUSE
    retention_days: int | None = None  # None: events are kept for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType(EventTypeDraft):
    """A kind of event that may be told."""

    id: int
    version: int  # grows with every change
    created_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime

    def find(self, name: str) -> EventField | None:
        """The field of a name."""
        return next((one for one in self.fields if one.name == name), None)


@dataclass(frozen=True, slots=True)
class EventTypes:
    """All types, by name. Known by its identity."""

    by_name: Mapping[str, EventType]

    def find(self, name: str) -> EventType | None:
        """The type of a name."""
        return self.by_name.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEvent:
    """An event as it is told. `occurred_at` is aware, or its text in ISO 8601 with Z or an offset."""

    type: str
    profile: ProfileReference
    occurred_at: datetime | str
    key: str  # the teller's own: another event of the type never has the same
    payload: Mapping[str, Any]


class OutcomeStatus(StrEnum):
    """What became of an event that was told."""

    STORED = "stored"
    REPEATED = "repeated"  # it was there already, with the same content
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one event of a call."""

    index: int  # its place in the call, from 0
    status: OutcomeStatus
    error: ClarionError | None = None  # why it was rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessEvent:
    """An event as it is stored."""

    id: int
    type: str
    profile_id: int
    occurred_at: datetime
    received_at: datetime
    key: str
    payload: Mapping[str, Any]  # plain data: decimals, days and instants as texts


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """How many events a person has, and when the last was."""

    number: int
    last_at: datetime | None


NO_EVENTS = EventCount(number=0, last_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChange:
    """What one call stored: who has new events, of which types."""

    position: int
    at: datetime
    events: int
    type_ids: tuple[int, ...]
    profile_ids: tuple[int, ...]
