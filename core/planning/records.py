"""What planning keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

DEFAULT_DURATION = timedelta(days=3, hours=12)  # feature map B: default delivery duration


class UnknownPolicy(StrEnum):
    """What becomes of messages whose provider answer was lost."""

    PARK = "park"  # wait for a receipt, a bounce or an operator
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDraft:
    """A channel account as somebody enters it; `config` holds secrets too."""

    name: str
    label: str
    channel: str
    config: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAccount:
    """An account at a provider. Secrets are sealed; `channel_accounts.open_config` opens them."""

    id: int
    name: str
    label: str
    channel: str
    config: Mapping[str, Any]  # complete, without secrets
    secret_names: tuple[str, ...]  # which secrets are set
    sealed: bytes | None = field(repr=False)
    version: int
    paused_at: datetime | None
    pause_reason: str | None
    retry_at: datetime | None  # the breaker is open until then
    failures: int  # in a row
    created_at: datetime
    updated_at: datetime
    created_by: str

    @property
    def short_code(self) -> str | None:
        """What messages to phones are sent from, where the channel has such a setting."""
        found = self.config.get("short_code")
        return found if isinstance(found, str) and found else None

    def is_open(self, now: datetime) -> bool:
        """Whether messages may be sent through it."""
        return self.paused_at is None and (self.retry_at is None or self.retry_at <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignDraft:
    """A campaign as somebody enters it."""

    name: str
    label: str
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Deliveries that belong together."""

    id: int
    name: str
    label: str
    starts_on: date | None
    ends_on: date | None
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDraft:
    """A delivery as somebody enters it."""

    name: str
    label: str
    channel_account_id: int
    audience_id: int
    content_id: int
    campaign_id: int | None = None
    contact_at: datetime | None = None  # None: as soon as it is confirmed
    duration: timedelta = DEFAULT_DURATION  # how long retries go on after the start
    unknown_policy: UnknownPolicy = UnknownPolicy.PARK
    suppression_list_ids: tuple[int, ...] = ()  # besides the lists that apply to all
    service_id: int | None = None  # only its subscribers get it
    purpose_id: int | None = None  # only who agreed to it, or did not refuse it, gets it
    ignores_holdout: bool = False  # it goes to people who are held back from all others: service messages
    time_zone: str = "UTC"  # of the days in what it asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One content to one audience over one account, as planned."""

    id: int
    name: str
    label: str
    campaign_id: int | None
    channel_account_id: int
    audience_id: int
    content_id: int
    contact_at: datetime | None
    duration: timedelta
    unknown_policy: UnknownPolicy
    suppression_list_ids: tuple[int, ...]  # in their order
    service_id: int | None
    purpose_id: int | None
    ignores_holdout: bool
    time_zone: str
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A delivery that uses something."""

    delivery_id: int
    name: str
