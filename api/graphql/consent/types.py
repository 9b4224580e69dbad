"""GraphQL types of services, subscriptions, purposes, wordings and the ledger."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import strawberry

from api.context import Info
from api.graphql.connections import Connection, ForwardPage, Listing, requested_page
from api.graphql.consent.loaders import load_purposes, load_services, load_subscriber_counts, load_wordings
from api.graphql.leaf import field, leaf
from api.graphql.nodes import Node, global_id, link, record_of
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.types import AddressKind, Profile
from api.graphql.rows.linked import LinkedConnection, linked_field
from api.graphql.scalars import JSON, Long
from api.graphql.team_fields import team_fields_field
from core.consent import records, subscriptions
from core.errors import Invalid
from core.ids import to_global_id
from core.profiles.records import Channel
from core.profiles.team_rows import Extended

ServiceMode = strawberry.enum(records.ServiceMode, name="ServiceMode", description="Feature map 2.37.")


Confirmation = strawberry.enum(
    records.Confirmation, name="Confirmation", description="Which message confirms a subscription or its end."
)


SubscriptionState = strawberry.enum(
    records.SubscriptionState,
    name="SubscriptionState",
    description="How it stands between a person and a service. PENDING waits for the person's confirmation.",
)


SubscriptionEventKind = strawberry.enum(records.EventKind, name="SubscriptionEventKind", description="What the history tells.")


ConsentOutcome = strawberry.enum(
    records.Outcome,
    name="ConsentOutcome",
    description="What became of one item. LATE is recorded, but something newer counts; from REPEATED on nothing was done.",
)


ConsentDecision = strawberry.enum(records.Decision, name="ConsentDecision", description="What a person said.")


OptOutChannel = strawberry.enum(Channel, name="OptOutChannel", description="What one can opt out of.")


@strawberry.type(description="What happened to a service's subscriptions on one day.")
class SubscriptionDay:
    """A day of the evolution."""

    day: date
    requested: int
    subscribed: int = strawberry.field(description="Confirmed ones too.")
    unsubscribed: int
    expired: int


@strawberry.type(description="How it stands between a person and a service, and since when.")
class ServiceSubscription:
    """A subscription."""

    service: Service | None = link(load_services, lambda row: row.service_id)
    profile: Profile | None = link(load_profiles, lambda row: row.profile_id)
    state: SubscriptionState  # type: ignore[valid-type]
    since: datetime
    expires_at: datetime | None
    origin: str


@strawberry.type(description="What people subscribe to.")
class Service(Node):
    """A service."""

    is_type_of = record_of(records.Service)

    id: strawberry.ID = global_id("Service")
    name: str
    label: str
    public_label: str = strawberry.field(description="What subscribers read; empty: the label.")
    address_kind: AddressKind  # type: ignore[valid-type]
    mode: ServiceMode  # type: ignore[valid-type]
    starts_at: datetime | None = strawberry.field(description="Nobody can subscribe before.")
    ends_at: datetime | None = strawberry.field(description="Nobody can subscribe from then on.")
    validity_days: float | None = leaf(
        lambda row: _in(row.validity, timedelta(days=1)), description="How long a subscription lasts; null: until it is ended."
    )
    double_opt_in: bool = strawberry.field(description="Whether people have to confirm.")
    confirm_within_hours: float = leaf(lambda row: _in(row.confirm_within, timedelta(hours=1)))
    subscribe_confirmation: Confirmation  # type: ignore[valid-type]
    subscribe_event: str | None
    unsubscribe_confirmation: Confirmation  # type: ignore[valid-type]
    unsubscribe_event: str | None
    team_fields = team_fields_field(Extended.SERVICE)
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str
    linked: LinkedConnection = linked_field("service")
    subscriber_count: Long = link(load_subscriber_counts, lambda row: row.id, description="How many are subscribed now.")

    @field(Connection[ServiceSubscription])
    async def subscribers(
        root: strawberry.Parent[Any], info: Info, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Who is subscribed now, in the order of profiles."""
        service: records.Service = root
        page, now = requested_page(info, first, after), info.context.now
        async with info.context.lease.use() as conn:
            rows = await subscriptions.list_subscribers(conn, service.id, page, now=now)

        async def count() -> int:
            number: int = await info.context.loader(load_subscriber_counts).load(service.id)
            return number

        return Listing(rows, count, lambda row: row.profile_id, page.after)

    @field(list[SubscriptionDay])
    async def evolution(
        root: strawberry.Parent[Any], info: Info, start: datetime, end: datetime, time_zone: str = "UTC"
    ) -> Any:
        """What happened on each day on which anything did, from a time to before another."""
        service: records.Service = root
        try:
            zone = ZoneInfo(time_zone)
        except (ValueError, OSError, KeyError):
            raise Invalid(f"{time_zone[:80]!r} is no time zone", code="BAD_TIME_ZONE", path="timeZone") from None
        async with info.context.lease.use() as conn:
            return await subscriptions.evolution(conn, service.id, start, end, zone)


def _in(length: timedelta | None, unit: timedelta) -> float | None:
    return None if length is None else length / unit


@strawberry.type(description="One line of the history of subscriptions. It is only ever added to.")
class SubscriptionEvent:
    """A line."""

    id: strawberry.ID = global_id("SubscriptionEvent")
    service: Service | None = link(load_services, lambda row: row.service_id)
    kind: SubscriptionEventKind  # type: ignore[valid-type]
    state: SubscriptionState = strawberry.field(description="Afterwards.")  # type: ignore[valid-type]
    first_time: bool = strawberry.field(description="The person had never been subscribed before.")
    happened_at: datetime
    expires_at: datetime | None
    origin: str
    actor: str


@strawberry.type(description="A person's history, newest first. It is not counted.")
class SubscriptionEventConnection(ForwardPage[SubscriptionEvent]):
    """A page of the history."""


@strawberry.type(description="What personal data is used for.")
class Purpose(Node):
    """A purpose."""

    is_type_of = record_of(records.Purpose)

    id: strawberry.ID = global_id("Purpose")
    name: str
    label: str
    needs_consent: bool = strawberry.field(description="Whether people have to agree; else it is allowed until they refuse.")
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@strawberry.type(description="What people were shown when they decided: one version of a text, for good.")
class ConsentWording(Node):
    """A version of a wording."""

    is_type_of = record_of(records.Wording)

    id: strawberry.ID = global_id("ConsentWording")
    name: str
    version: int
    text: str
    created_at: datetime
    created_by: str


@strawberry.type(description="One line of the ledger, about a channel, a purpose or a service. It is only ever added to.")
class ConsentEntry:
    """A line."""

    id: strawberry.ID = global_id("ConsentEntry")
    channel: OptOutChannel | None  # type: ignore[valid-type]
    purpose: Purpose | None = link(load_purposes, lambda row: row.purpose_id)
    service: Service | None = link(load_services, lambda row: row.service_id)
    decision: ConsentDecision  # type: ignore[valid-type]
    wording: ConsentWording | None = link(load_wordings, lambda row: row.wording_id, description="What the person was shown.")
    origin: str
    proof: JSON | None = strawberry.field(description="Personal: address, browser, form, …")
    actor: str
    by_person: bool | None = strawberry.field(
        description="Whether it was the person's own act; null: entered before that was kept."
    )
    happened_at: datetime = strawberry.field(description="When it is said to have happened.")
    recorded_at: datetime


@strawberry.type(description="A person's entries, newest first. They are not counted.")
class ConsentEntryConnection(ForwardPage[ConsentEntry]):
    """A page of the ledger."""


@strawberry.type(description="What became of one person in a call for many.")
class SubscriptionResult:
    """A row's result."""

    profile_id: strawberry.ID = strawberry.field(description="As it was given.")
    outcome: ConsentOutcome  # type: ignore[valid-type]
    first_time: bool = strawberry.field(description="The person had never been subscribed before.")
    confirmation: Confirmation = strawberry.field(description="The message that is due.")  # type: ignore[valid-type]


@strawberry.type(description="What became of one person in a call for many.")
class DecisionResult:
    """A row's result."""

    profile_id: strawberry.ID = strawberry.field(description="As it was given.")
    outcome: ConsentOutcome  # type: ignore[valid-type]


@strawberry.type(description="One channel that a person may refuse.")
class ChannelPreference:
    """A flag."""

    channel: OptOutChannel  # type: ignore[valid-type]
    opted_out: bool


@strawberry.type(description="A purpose, and what a person said to it.")
class PurposePreference:
    """A purpose as a preference page needs it."""

    purpose_id: strawberry.ID = leaf(lambda row: to_global_id("Purpose", row.purpose.id))
    name: str = leaf(lambda row: row.purpose.name)
    label: str = leaf(lambda row: row.purpose.label)
    needs_consent: bool = leaf(lambda row: row.purpose.needs_consent)
    decision: ConsentDecision | None = strawberry.field(description="Null: nothing yet.")  # type: ignore[valid-type]
    since: datetime | None
    wording: ConsentWording | None = link(load_wordings, lambda row: row.wording_id, description="What the person was shown.")
    allowed: bool = strawberry.field(description="Whether the data may be used for it.")


@strawberry.type(description="A service, and how it stands with a person.")
class ServicePreference:
    """A service as a preference page needs it."""

    service_id: strawberry.ID = leaf(lambda row: to_global_id("Service", row.service.id))
    name: str = leaf(lambda row: row.service.name)
    label: str = leaf(lambda row: row.service.public_label or row.service.label, description="The public one, if there is one.")
    address_kind: AddressKind = leaf(lambda row: row.service.address_kind)  # type: ignore[valid-type]
    double_opt_in: bool = leaf(lambda row: row.service.double_opt_in)
    state: SubscriptionState | None = leaf(  # type: ignore[valid-type]
        lambda row: row.subscription and row.subscription.state, description="Now; null: never subscribed."
    )
    since: datetime | None = leaf(lambda row: row.subscription and row.subscription.since)
    expires_at: datetime | None = leaf(lambda row: row.subscription and row.subscription.expires_at)


@strawberry.type(description="All that a person agreed to and refused. It says nothing else about the person.")
class Preferences:
    """What a preference page shows."""

    channels: list[ChannelPreference] = leaf(lambda row: [_Flag(*one) for one in row.opted_out.items()])
    purposes: list[PurposePreference]
    services: list[ServicePreference]


class _Flag:
    """A channel and whether it is refused."""

    __slots__ = ("channel", "opted_out")

    def __init__(self, channel: Channel, opted_out: bool):
        self.channel = channel
        self.opted_out = opted_out


@strawberry.type(description="What became of one item: a channel, a purpose or a service.")
class PreferenceResult:
    """An item's result."""

    channel: OptOutChannel | None  # type: ignore[valid-type]
    purpose_id: strawberry.ID | None = leaf(lambda row: _optional("Purpose", row.purpose_id))
    service_id: strawberry.ID | None = leaf(lambda row: _optional("Service", row.service_id))
    outcome: ConsentOutcome  # type: ignore[valid-type]


def _optional(kind: str, key: int | None) -> str | None:
    return None if key is None else to_global_id(kind, key)
