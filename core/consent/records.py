"""What consent keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from channels.contract import AddressKind
from core.profiles.records import Channel

DEFAULT_CONFIRM_WITHIN = timedelta(days=7)


class ServiceMode(StrEnum):
    """Feature map 2.37."""

    NEWSLETTER = "newsletter"
    VIRAL = "viral"


class Confirmation(StrEnum):
    """Which message confirms a subscription or its end (2.38)."""

    NONE = "none"
    DEFAULT = "default"  # the one that services share
    CUSTOM = "custom"  # the service's own, by its event


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDraft:
    """A service as somebody enters it."""

    name: str
    label: str
    public_label: str = ""  # what subscribers read; empty: the label
    address_kind: AddressKind = AddressKind.EMAIL
    mode: ServiceMode = ServiceMode.NEWSLETTER
    starts_at: datetime | None = None  # nobody can subscribe before …
    ends_at: datetime | None = None  # … or from then on
    validity: timedelta | None = None  # how long a subscription lasts; None: until it is ended
    double_opt_in: bool = False
    confirm_within: timedelta = DEFAULT_CONFIRM_WITHIN  # of subscriptions that wait for it
    subscribe_confirmation: Confirmation = Confirmation.NONE
    subscribe_event: str | None = None  # of a custom one
    unsubscribe_confirmation: Confirmation = Confirmation.NONE
    unsubscribe_event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What people subscribe to."""

    id: int
    name: str
    label: str
    public_label: str
    address_kind: AddressKind
    mode: ServiceMode
    starts_at: datetime | None
    ends_at: datetime | None
    validity: timedelta | None
    double_opt_in: bool
    confirm_within: timedelta
    subscribe_confirmation: Confirmation
    subscribe_event: str | None
    unsubscribe_confirmation: Confirmation
    unsubscribe_event: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


class SubscriptionState(StrEnum):
    """How it stands between a person and a service."""

    PENDING = "pending"  # asked for, and waits for the person's confirmation
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """How it stands between a person and a service, and since when."""

    service_id: int
    profile_id: int
    state: SubscriptionState
    since: datetime
    expires_at: datetime | None
    confirm_by: datetime | None
    origin: str

    def at(self, now: datetime) -> SubscriptionState:
        """The state at a time at which the sweep may not have run yet."""
        end = {SubscriptionState.ACTIVE: self.expires_at, SubscriptionState.PENDING: self.confirm_by}.get(self.state)
        return SubscriptionState.EXPIRED if end is not None and end <= now else self.state


class EventKind(StrEnum):
    """What the history tells."""

    REQUESTED = "requested"
    SUBSCRIBED = "subscribed"
    CONFIRMED = "confirmed"
    RENEWED = "renewed"
    UNSUBSCRIBED = "unsubscribed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionEvent:
    """One line of the history."""

    id: int
    profile_id: int
    service_id: int
    kind: EventKind
    state: SubscriptionState  # afterwards
    first_time: bool  # the person had never been subscribed before (2.39)
    happened_at: datetime
    expires_at: datetime | None
    origin: str
    actor: str


class Outcome(StrEnum):
    """What became of one row of a call. Those from `REPEATED` on are refusals, which change nothing."""

    REQUESTED = "requested"  # waits for confirmation
    SUBSCRIBED = "subscribed"
    CONFIRMED = "confirmed"
    RENEWED = "renewed"
    UNSUBSCRIBED = "unsubscribed"
    RECORDED = "recorded"  # a decision
    UNCHANGED = "unchanged"
    LATE = "late"  # recorded, but something newer counts
    REPEATED = "repeated"  # named before in the same call
    PROFILE_NOT_FOUND = "profile_not_found"
    SERVICE_NOT_FOUND = "service_not_found"
    PURPOSE_NOT_FOUND = "purpose_not_found"
    SERVICE_NOT_OPEN = "service_not_open"
    EXPIRY_IN_PAST = "expiry_in_past"
    NOT_PENDING = "not_pending"


REFUSED = frozenset(list(Outcome)[list(Outcome).index(Outcome.REPEATED) :])
CHANGED = frozenset(list(Outcome)[: list(Outcome).index(Outcome.UNCHANGED)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody is to be subscribed to something; `expires_at` None: as the service says.

    `origin` and `happened_at` are those of this wish alone; None: of the act by which all are told. The time is not to come.
    """

    service_id: int
    profile_id: int
    expires_at: datetime | None = None
    origin: str | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of one wish."""

    service_id: int
    profile_id: int
    outcome: Outcome
    first_time: bool = False
    confirmation: Confirmation = Confirmation.NONE  # the message that is due by the service's settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Where a decision comes from. `proof` is personal: address, browser, form.

    `by_person`: they did it themselves, by a form, a link or a word to somebody, and nobody decided it about them. What a file
    says never is.
    """

    origin: str = ""
    by_person: bool = False
    happened_at: datetime | None = None  # None: now
    wording_id: int | None = None
    proof: Mapping[str, Any] | None = field(default=None, repr=False)


UNKNOWN = Act()
"""Nothing is known of it but when it was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """What happened to a service's subscriptions on one day."""

    day: date
    requested: int
    subscribed: int  # confirmed ones too
    unsubscribed: int
    expired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeDraft:
    """A purpose as somebody enters it."""

    name: str
    label: str
    needs_consent: bool = True  # False: allowed until it is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What personal data is used for (2.50)."""

    id: int
    name: str
    label: str
    needs_consent: bool
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What people were shown when they decided: one version of a text, for good."""

    id: int
    name: str
    version: int
    text: str
    created_at: datetime
    created_by: str


class Decision(StrEnum):
    """What a person said."""

    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # granted before
    REQUESTED = "requested"  # a subscription, which is not confirmed yet


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentEntry:
    """One line of the ledger, about a channel, a purpose or a service. `proof` is personal."""

    id: int
    profile_id: int
    channel: Channel | None
    purpose_id: int | None
    service_id: int | None
    decision: Decision
    wording_id: int | None
    origin: str
    proof: Mapping[str, Any] | None = field(repr=False)
    actor: str
    by_person: bool | None  # their own act; None: entered before that was kept
    happened_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one person says to one purpose."""

    purpose_id: int
    profile_id: int
    granted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What became of one choice."""

    purpose_id: int
    profile_id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeState:
    """A purpose, and what a person said to it; None: nothing yet."""

    purpose: Purpose
    decision: Decision | None
    since: datetime | None
    wording_id: int | None

    @property
    def allowed(self) -> bool:
        """Whether the data may be used for it."""
        return self.decision is Decision.GRANTED if self.purpose.needs_consent else self.decision in (None, Decision.GRANTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """A service, and how it stands; None: never subscribed."""

    service: Service
    subscription: Subscription | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """All that a person agreed to and refused."""

    profile_id: int
    opted_out: Mapping[Channel, bool]
    purposes: Sequence[PurposeState]
    services: Sequence[ServiceState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where what is stored is not what the ledger says."""

    profile_id: int
    subject: str  # "channel:email", "purpose:3", "service:7"
    stored: str
    derived: str
