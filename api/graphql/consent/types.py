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
from api.graphql.nodes import Node, global_id, link, optional_id, record_of
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.types import AddressKind, Profile
from api.graphql.rows.linked import LinkedConnection, linked_field
from api.graphql.scalars import JSON, Long, json_object
from api.graphql.team_fields import TEAM_VALUES, team_fields_field
from channels.contract import AddressKind as AddressKindEnum
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


@strawberry.input(description="Where a decision comes from, and how it can be proved.")
class ConsentSourceInput:
    """Goes into the ledger with each decision."""

    origin: str = ""
    happened_at: datetime | None = strawberry.field(default=None, description="When it happened, if not now.")
    wording_id: strawberry.ID | None = strawberry.field(default=None, description="What the person was shown.")
    proof: JSON | None = strawberry.field(default=None, description="An object. Personal: address, browser, form, …")
    by_person: bool = strawberry.field(
        default=False,
        description="Whether the person did it: a form, a call, no list. Whoever was erased is written to again only after such"
        " an act. By the person's own link it always is.",
    )

    def act(self) -> records.Act:
        """Raises Invalid (BAD_ID, WRONG_TYPE)."""
        return records.Act(
            origin=self.origin,
            happened_at=self.happened_at,
            wording_id=optional_id("ConsentWording", self.wording_id, "wording_id"),
            proof=None if self.proof is None else json_object(self.proof, "proof"),
            by_person=self.by_person,
        )


def act_of(source: ConsentSourceInput | None) -> records.Act:
    """What is known of a decision."""
    return records.UNKNOWN if source is None else source.act()


@strawberry.input(description="A new service. The name is its handle: a-z, 0-9, _ and -.")
class CreateServiceInput:
    """Input of createService."""

    name: str
    label: str
    public_label: str = ""
    address_kind: AddressKind = AddressKindEnum.EMAIL  # type: ignore[valid-type]
    mode: ServiceMode = records.ServiceMode.NEWSLETTER  # type: ignore[valid-type]
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    validity_days: float | None = None
    double_opt_in: bool = False
    confirm_within_hours: float = 168
    subscribe_confirmation: Confirmation = records.Confirmation.NONE  # type: ignore[valid-type]
    subscribe_event: str | None = None
    unsubscribe_confirmation: Confirmation = records.Confirmation.NONE  # type: ignore[valid-type]
    unsubscribe_event: str | None = None
    team_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=TEAM_VALUES)


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateServiceInput:
    """Input of updateService."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    public_label: strawberry.Maybe[str]
    address_kind: strawberry.Maybe[AddressKind]  # type: ignore[valid-type]
    mode: strawberry.Maybe[ServiceMode]  # type: ignore[valid-type]
    starts_at: strawberry.Maybe[datetime | None]
    ends_at: strawberry.Maybe[datetime | None]
    validity_days: strawberry.Maybe[float | None]
    double_opt_in: strawberry.Maybe[bool]
    confirm_within_hours: strawberry.Maybe[float]
    subscribe_confirmation: strawberry.Maybe[Confirmation]  # type: ignore[valid-type]
    subscribe_event: strawberry.Maybe[str | None]
    unsubscribe_confirmation: strawberry.Maybe[Confirmation]  # type: ignore[valid-type]
    unsubscribe_event: strawberry.Maybe[str | None]
    team_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=TEAM_VALUES)


def days(number: float | None, path: str, unit: timedelta = timedelta(days=1)) -> timedelta | None:
    """Raises Invalid (BAD_VALIDITY) for what no length of time can hold."""
    try:
        return None if number is None else number * unit
    except (OverflowError, ValueError):
        raise Invalid("this is no length of time", code="BAD_VALIDITY", path=path, hint="Give at most 100 years.") from None


@strawberry.input(description="A new purpose. The name is its handle: a-z, 0-9, _ and -.")
class CreatePurposeInput:
    """Input of createPurpose."""

    name: str
    label: str
    needs_consent: bool = True


@strawberry.input(description="What is to change; fields left out stay.")
class UpdatePurposeInput:
    """Input of updatePurpose."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    needs_consent: strawberry.Maybe[bool]


@strawberry.input
class AddConsentWordingInput:
    """A text as people are shown it. The same text again is the version that there is."""

    name: str
    text: str


@strawberry.input
class SubscribeProfilesInput:
    """Many people to one service."""

    service_id: strawberry.ID
    profile_ids: list[strawberry.ID]
    expires_at: datetime | None = strawberry.field(default=None, description="When it ends; null: as the service says.")
    confirmed: bool = strawberry.field(default=False, description="Whether they confirmed, where the service asks for that.")
    source: ConsentSourceInput | None = None


@strawberry.input
class UnsubscribeProfilesInput:
    """Many people from one service."""

    service_id: strawberry.ID
    profile_ids: list[strawberry.ID]
    source: ConsentSourceInput | None = None


@strawberry.input
class DecidePurposeInput:
    """What many people said to one purpose."""

    purpose_id: strawberry.ID
    profile_ids: list[strawberry.ID]
    granted: bool
    source: ConsentSourceInput | None = None


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


@strawberry.input(one_of=True, description="Whose preferences: by id, or by the person's own link.")
class PersonInput:
    """One of three."""

    profile_id: strawberry.Maybe[strawberry.ID]
    token: strawberry.Maybe[str]  # what stands behind /u/ in the person's unsubscribe link
    opt_in_id: strawberry.Maybe[str]


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


@strawberry.input
class ChannelPreferenceInput:
    """A flag to set or to lift."""

    channel: OptOutChannel  # type: ignore[valid-type]
    opted_out: bool


@strawberry.input
class PurposePreferenceInput:
    """What the person says to a purpose."""

    purpose_id: strawberry.ID
    granted: bool


@strawberry.input
class ServicePreferenceInput:
    """Whether the person wants a service."""

    service_id: strawberry.ID
    subscribed: bool


@strawberry.input(description="What is to be set; what is not named stays.")
class SetPreferencesInput:
    """Input of setPreferences."""

    person: PersonInput
    channels: list[ChannelPreferenceInput] = strawberry.field(default_factory=list)
    purposes: list[PurposePreferenceInput] = strawberry.field(default_factory=list)
    services: list[ServicePreferenceInput] = strawberry.field(default_factory=list)
    source: ConsentSourceInput | None = None
    dry_run: bool = strawberry.field(
        default=False, description="Tell what would become of each, and how the person would stand; nothing is stored."
    )


@strawberry.type(description="What became of one item: a channel, a purpose or a service.")
class PreferenceResult:
    """An item's result."""

    channel: OptOutChannel | None  # type: ignore[valid-type]
    purpose_id: strawberry.ID | None = leaf(lambda row: _optional("Purpose", row.purpose_id))
    service_id: strawberry.ID | None = leaf(lambda row: _optional("Service", row.service_id))
    outcome: ConsentOutcome  # type: ignore[valid-type]


def _optional(kind: str, key: int | None) -> str | None:
    return None if key is None else to_global_id(kind, key)


@strawberry.input
class ConfirmSubscriptionInput:
    """The second step of a double opt-in."""

    person: PersonInput
    service_id: strawberry.ID
    source: ConsentSourceInput | None = None
