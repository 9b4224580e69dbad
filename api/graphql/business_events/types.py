"""GraphQL types of business events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.errors import public_path
from api.graphql.connections import ForwardPage
from api.graphql.datamodel.types import DataChoice, DataChoiceInput, FieldKind
from api.graphql.leaf import leaf
from api.graphql.scalars import JSON, json_object
from core.datamodel.records import Choice
from core.events import records
from core.ids import from_global_id, to_global_id
from core.profiles.identities import ProfileReference, ReferenceKind

UnknownFields = strawberry.enum(
    records.UnknownFields,
    name="UnknownEventFields",
    description="What becomes of an event whose payload has a field that its type does not have.",
)
OutcomeStatus = strawberry.enum(
    records.OutcomeStatus, name="EventOutcomeStatus", description="What became of an event that was told."
)


@strawberry.type(description="A field of a payload.")
class EventField:
    """A field."""

    name: str
    label: str
    description: str
    category: str | None = strawberry.field(description="The heading under which editors of questions show it.")
    kind: FieldKind  # type: ignore[valid-type]
    max_length: int | None = strawberry.field(description="Characters, of a text.")
    choices: list[DataChoice] = strawberry.field(description="Its authorised values; none: all are.")
    required: bool
    personal: bool
    sensitive: bool


@strawberry.type(description="A type of events that other systems may tell.")
class EventType:
    """A type."""

    name: str
    label: str
    description: str
    fields: list[EventField]
    unknown_fields: UnknownFields  # type: ignore[valid-type]
    retention_days: int | None = strawberry.field(description="Null: its events are kept for ever.")
    version: int = strawberry.field(description="Grows with every change.")
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


@strawberry.type(description="What a person did, as another system told it.")
class BusinessEvent:
    """An event."""

    type: str = strawberry.field(description="The name of its type.")
    occurred_at: datetime
    received_at: datetime
    key: str = strawberry.field(description="The teller's own; no other event of the type has it.")
    payload: JSON = strawberry.field(description="By the names of the type's fields. Decimals are texts, as exact as told.")
    profile_id: strawberry.ID = leaf(lambda event: to_global_id("Profile", event.profile_id))


@strawberry.type(description="Events of a person, the newest first. They are not counted.")
class BusinessEventConnection(ForwardPage[BusinessEvent]):
    """A page of events."""


@strawberry.type(description="What became of one event of a call.")
class EventOutcome:
    """An outcome."""

    index: int = strawberry.field(description="Its place in the call, from 0.")
    status: OutcomeStatus  # type: ignore[valid-type]
    code: str | None = leaf(lambda outcome: outcome.error and outcome.error.code, description="Of a rejected event.")
    message: str | None = leaf(lambda outcome: outcome.error and outcome.error.message)
    path: str | None = leaf(lambda outcome: outcome.error and public_path(outcome.error.path))
    hint: str | None = leaf(lambda outcome: outcome.error and outcome.error.hint)


@strawberry.input(description="A field of a payload as it shall be.")
class EventFieldInput:
    """A field."""

    name: str
    label: str
    kind: FieldKind  # type: ignore[valid-type]
    description: str = ""
    category: str | None = strawberry.field(default=None, description="The heading under which editors of questions show it.")
    max_length: int | None = strawberry.field(default=None, description="Characters, of a text: 255 if left out.")
    choices: list[DataChoiceInput] = strawberry.field(default_factory=list)
    required: bool = False
    personal: bool = False
    sensitive: bool = False

    def field(self) -> records.EventField:
        """The field."""
        return records.EventField(
            name=self.name, label=self.label, kind=self.kind, description=self.description, max_length=self.max_length,
            choices=tuple(Choice(name=one.name, label=one.label) for one in self.choices), required=self.required,
            personal=self.personal, sensitive=self.sensitive, category=self.category,
        )  # fmt: skip


@strawberry.input(description="A type as it shall be: it takes the place of the one of its name.")
class SaveEventTypeInput:
    """Input of saveEventType."""

    name: str
    label: str
    description: str = ""
    fields: list[EventFieldInput] = strawberry.field(
        description="All of them. A field that is left out is hidden, with the values that events have in it."
    )
    unknown_fields: UnknownFields = records.UnknownFields.REFUSE  # type: ignore[valid-type]
    retention_days: int | None = strawberry.field(default=None, description="Null: events are kept for ever.")
    expected_version: int | None = strawberry.field(default=None, description="As it was read; 0: there is none yet.")

    def draft(self) -> records.EventTypeDraft:
        """The type."""
        return records.EventTypeDraft(
            name=self.name, label=self.label, description=self.description,
            fields=tuple(one.field() for one in self.fields), unknown_fields=self.unknown_fields,
            retention_days=self.retention_days,
        )  # fmt: skip


@strawberry.input(one_of=True, description="A profile, by one of what others know it by.")
class ProfileReferenceInput:
    """One of what a profile is known by."""

    id: strawberry.Maybe[strawberry.ID]
    external_id: strawberry.Maybe[str]
    email: strawberry.Maybe[str] = strawberry.field(description="In any spelling. It must belong to one profile alone.")

    def reference(self, path: str) -> ProfileReference:
        """Raises Invalid (BAD_ID)."""
        if self.id is not None:
            return ProfileReference(ReferenceKind.ID, from_global_id("Profile", self.id.value, path))
        if self.external_id is not None:
            return ProfileReference(ReferenceKind.EXTERNAL_ID, self.external_id.value)
        assert self.email is not None
        return ProfileReference(ReferenceKind.EMAIL, self.email.value)


@strawberry.input(description="An event that is told.")
class RecordEventInput:
    """An event."""

    type: str
    profile: ProfileReferenceInput
    occurred_at: datetime
    key: str = strawberry.field(description="Your own name for it: sent again under the same key it is stored once.")
    payload: JSON | None = strawberry.field(default=None, description="An object with values of the type's fields.")

    def sent(self, place: int) -> records.SentEvent:
        """Raises Invalid (BAD_ID, NOT_AN_OBJECT)."""
        payload: Any = {} if self.payload is None else json_object(self.payload, f"events.{place}.payload")
        return records.SentEvent(
            type=self.type, profile=self.profile.reference(f"events.{place}.profile.id"), occurred_at=self.occurred_at,
            key=self.key, payload=payload,
        )  # fmt: skip
