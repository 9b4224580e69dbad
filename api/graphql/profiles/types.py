"""GraphQL types of people. What a profile has is derived from the one table of fields, so a field is added there alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import strawberry

from api.context import Info
from api.graphql.business_events.loaders import EventPage, cursor_of, load_events, read_cursor
from api.graphql.business_events.types import BusinessEventConnection
from api.graphql.connections import ForwardPage, Listing, requested_page
from api.graphql.leaf import field, leaf
from api.graphql.nodes import Node, global_id, record_of
from api.graphql.profiles.app_types import AppSubscription, load_devices_of
from api.graphql.profiles.loaders import load_aliases, load_quarantine
from api.graphql.profiles.visitor_types import Visitor, load_visitors_of
from api.graphql.reporting.figures import figures
from api.graphql.rows.linked import linked_field
from api.graphql.scalars import JSON
from api.graphql.targeting.of_person import memberships
from api.graphql.team_fields import TEAM_VALUES, plain_team_value, team_fields_field
from channels.contract import AddressKind as AddressKindEnum
from channels.contract import FailureReason as FailureReasonEnum
from core.ids import to_global_id
from core.profiles import quarantine, quarantine_records, records
from core.profiles.fields import FIELDS, SETTABLE, Field, FieldType
from core.profiles.postal import postal_lines
from core.profiles.team_rows import Extended

Gender = strawberry.enum(records.Gender, name="Gender", description="Feature map 2.01.")
EmailFormat = strawberry.enum(records.EmailFormat, name="EmailFormat", description="What a person wants emails in.")
AddressKind = strawberry.enum(AddressKindEnum, name="AddressKind", description="What a recipient is reached by.")
FailureReason = strawberry.enum(
    FailureReasonEnum, name="FailureReason", description="Nature of a failure, or reason of an exclusion."
)
QuarantineStatus = strawberry.enum(
    quarantine_records.QuarantineStatus,
    name="QuarantineStatus",
    description="Only quarantined and denylisted addresses are not written to. No error, soft or hard, puts an allowlisted one "
    "in; its owner's complaint or STOP does. Valid: corrected by hand, errors so far are forgotten.",
)

_SCALARS: Mapping[FieldType, Any] = {
    FieldType.DATE: date,
    FieldType.BOOLEAN: bool,
    FieldType.NUMBER: float,
    FieldType.INTEGER: int,
    FieldType.INSTANT: datetime,
}
_ENUMERATIONS: Mapping[Any, Any] = {records.Gender: Gender, records.EmailFormat: EmailFormat}


def field_kind(one: Field) -> Any:
    """The GraphQL type of a field's values."""
    return _ENUMERATIONS[one.values] if one.values is not None else _SCALARS.get(one.type, str)


def label_of(one: Field) -> str | None:
    """The label, where it says more than the name."""
    return one.label if one.label.lower() != one.name.replace("_", " ") else None


def _read(one: Field) -> Any:
    """How a field is read off the record."""
    name = one.name
    if one.type is FieldType.UUID:
        return leaf(
            lambda profile: None if (value := getattr(profile, name)) is None else str(value), description=label_of(one)
        )
    return strawberry.field(description=label_of(one))


@field(int | None)
async def _age(root: strawberry.Parent[Any], info: Info) -> int | None:
    """Whole years today (UTC)."""
    profile: records.Profile = root
    return profile.age(info.context.now.date())


@strawberry.type(description="What is known against an address, whoever owns it.")
class QuarantineEntry:
    """An entry of the quarantine."""

    address_kind: AddressKind = leaf(lambda entry: AddressKindEnum(entry.address_kind))  # type: ignore[valid-type]
    address: str = leaf(lambda entry: entry.address_key, description="Normalised.")
    status: QuarantineStatus  # type: ignore[valid-type]
    reason: FailureReason  # type: ignore[valid-type]
    error_count: int = strawberry.field(description="Significant ones.")
    first_error_at: datetime | None
    last_error_at: datetime | None
    error_text: str
    last_delivery_id: strawberry.ID | None = leaf(
        lambda entry: None if entry.last_delivery_id is None else to_global_id("Delivery", entry.last_delivery_id),
        description="The delivery that met the last error.",
    )
    created_at: datetime
    updated_at: datetime

    @field(list[str])
    async def audit_references(root: strawberry.Parent[Any], info: Info) -> list[str]:
        """The `objectIds` under which the audit log has what was done to it by hand; see the query of this name."""
        entry: quarantine_records.QuarantineEntry = root
        return quarantine.audit_references(info.context.runtime.keyring, entry.address_kind, entry.address_key)


@field(list[QuarantineEntry])
async def _quarantine(root: strawberry.Parent[Any], info: Info) -> Any:
    """What is known against its email, numbers, fax, postal address and devices; most have nothing."""
    profile: records.Profile = root
    return await info.context.loader(load_quarantine).load(profile.id)


@field(list[strawberry.ID])
async def _merged_ids(root: strawberry.Parent[Any], info: Info) -> Any:
    """Profiles that are merged into this one: asked for by any of these ids, it is this one that answers."""
    profile: records.Profile = root
    return [to_global_id("Profile", one) for one in await info.context.loader(load_aliases).load(profile.id)]


@field(list[AppSubscription])
async def _app_subscriptions(root: strawberry.Parent[Any], info: Info) -> Any:
    """The person's devices that apps may send to, the 100 newest of them, the newest first."""
    profile: records.Profile = root
    return await info.context.loader(load_devices_of).load(profile.id)


@field(list[Visitor])
async def _visitors(root: strawberry.Parent[Any], info: Info) -> Any:
    """What is known of the person as a visitor of forms and pages, the 100 newest, the newest first."""
    profile: records.Profile = root
    return await info.context.loader(load_visitors_of).load(profile.id)


def shown_value(name: str, value: Any) -> Any:
    """The value of a field of ours or of the team, as JSON has it; enumerations by name."""
    one = FIELDS.get(name)
    if one is not None and one.values is not None and value is not None:
        return one.values(value).name
    return plain_team_value(value)


@field(BusinessEventConnection)
async def _events(
    root: strawberry.Parent[Any],
    info: Info,
    types: list[str] | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Any:
    """What the person did, as other systems told it: events of the named types, or of all, the newest first."""
    profile: records.Profile = root
    size = requested_page(info, first, None).first
    started = None if after is None else read_cursor(after)
    asked = EventPage(profile.id, size, started, None if types is None else tuple(types))
    return Listing(await info.context.loader(load_events).load(asked), None, cursor_of, started)


def _profile_type() -> Any:
    shown = [one for one in FIELDS.values() if one.name != "id"]
    kinds = {one.name: field_kind(one) if one.required else field_kind(one) | None for one in shown}
    body = {one.name: _read(one) for one in shown} | {
        "id": global_id("Profile"),
        "postal_lines": leaf(lambda profile: list(postal_lines(profile)), description="The postal address, up to six lines."),
        "age": _age,
        "team_fields": team_fields_field(Extended.PROFILE),
        "merged_ids": _merged_ids,
        "quarantine": _quarantine,
        "app_subscriptions": _app_subscriptions,
        "visitors": _visitors,
        "events": _events,
        "figures": figures,
        "memberships": memberships,
        "linked": linked_field("profile"),
        "is_type_of": record_of(records.Profile),
        "__doc__": "A person.",
        "__annotations__": {"id": strawberry.ID, **kinds, "postal_lines": list[str]},
        "__module__": __name__,
    }
    return strawberry.type(type("Profile", (Node,), body), description="A person.")


def settable_kinds() -> dict[str, Any]:
    """The types of the fields that clients may send, the team's in one."""
    kinds: dict[str, Any] = {one.name: strawberry.Maybe[field_kind(one) | None] for one in SETTABLE.values()}  # type: ignore[misc]
    return kinds | {"team_fields": strawberry.Maybe[JSON | None]}  # type: ignore[misc]


def _input_type(name: str, description: str, first: Mapping[str, Any]) -> Any:
    kinds = settable_kinds()
    told = strawberry.field(description=TEAM_VALUES)
    body = {"__annotations__": {**first, **kinds}, "__module__": __name__, "__doc__": description, "team_fields": told}
    return strawberry.input(type(name, (), body), description=description)


Profile = _profile_type()
CreateProfileInput = _input_type("CreateProfileInput", "A new profile; every field may be left out.", {})
UpdateProfileInput = _input_type(
    "UpdateProfileInput", "What is to change; fields left out stay, null clears.", {"id": strawberry.ID}
)


def values_of(sent: Any) -> dict[str, Any]:
    """The fields that a client sent."""
    given = ((name, getattr(sent, name)) for name in SETTABLE)
    return {name: some.value for name, some in given if some is not None}


@strawberry.input(one_of=True, description="What a profile is looked up by, besides its id.")
class ProfileKeyInput:
    """One of the unique fields."""

    external_id: strawberry.Maybe[str]
    crypted_id: strawberry.Maybe[str]
    opt_in_id: strawberry.Maybe[str]


@strawberry.type(description="Profiles found by a search. They are not counted.")
class ProfileSearchConnection(ForwardPage[Profile]):  # type: ignore[valid-type]
    """A page of a search."""


@strawberry.type(description="Quarantined addresses. They are not counted.")
class QuarantineConnection(ForwardPage[QuarantineEntry]):
    """A page of the quarantine."""


@strawberry.input
class QuarantineInput:
    """Addresses of one kind, in any spelling."""

    address_kind: AddressKind = AddressKindEnum.EMAIL  # type: ignore[valid-type]
    addresses: list[str]
    status: QuarantineStatus = quarantine_records.QuarantineStatus.QUARANTINE  # type: ignore[valid-type]
    reason: FailureReason = FailureReasonEnum.NOT_DEFINED  # type: ignore[valid-type]
    text: str = strawberry.field(default="", description="Why, in words.")


@strawberry.input
class ReleaseQuarantineInput:
    """Addresses of one kind, in any spelling."""

    address_kind: AddressKind = AddressKindEnum.EMAIL  # type: ignore[valid-type]
    addresses: list[str]
