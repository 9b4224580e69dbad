"""What services, purposes and preferences are given."""

from __future__ import annotations

from datetime import datetime, timedelta

import strawberry

from api.errors import camel
from api.graphql.consent.types import Confirmation, OptOutChannel, ServiceMode
from api.graphql.nodes import optional_id
from api.graphql.profiles.types import AddressKind
from api.graphql.scalars import JSON, json_object
from api.graphql.team_fields import TEAM_VALUES
from channels.contract import AddressKind as AddressKindEnum
from core.consent import records
from core.errors import Invalid

# What a decision brings along stands in the input's `source`.
IN_SOURCE = {name: f"source.{camel(name)}" for name in ("origin", "happened_at", "wording_id", "proof")}


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
            wording_id=optional_id("ConsentWording", self.wording_id, IN_SOURCE["wording_id"]),
            proof=None if self.proof is None else json_object(self.proof, "source.proof"),
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


@strawberry.input(one_of=True, description="Whose preferences: by id, or by the person's own link.")
class PersonInput:
    """One of three."""

    profile_id: strawberry.Maybe[strawberry.ID]
    token: strawberry.Maybe[str]  # what stands behind /u/ in the person's unsubscribe link
    opt_in_id: strawberry.Maybe[str]


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


@strawberry.input
class ConfirmSubscriptionInput:
    """The second step of a double opt-in."""

    person: PersonInput
    service_id: strawberry.ID
    source: ConsentSourceInput | None = None
