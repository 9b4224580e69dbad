"""What became of a message. Outcomes are values; the platform, not the plugin, decides what follows."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct


class OutcomeKind(StrEnum):
    """The classes of outcome. The platform maps each to retry, pause, quarantine, fail over or alert."""

    ACCEPTED = "accepted"  # the provider took the message
    TRANSIENT = "transient"  # not now; try again
    RATE_LIMITED = "rate_limited"  # too fast for this account or this domain
    INVALID_ADDRESS = "invalid_address"  # the address does not exist
    SUPPRESSED = "suppressed"  # the provider refuses to write to this address
    CONTENT_REJECTED = "content_rejected"  # this message was refused for what it says, or for our reputation
    TOO_LARGE = "too_large"
    ACCOUNT_ERROR = "account_error"  # credentials or configuration; pauses the account
    PROVIDER_DOWN = "provider_down"  # nothing can be sent; opens the breaker
    UNKNOWN = "unknown"  # handed over, and the answer was lost


class FailureReason(IntEnum):
    """Nature of failure (feature map 6.47, A.3); the number is what tables store."""

    NOT_DEFINED = 0
    USER_UNKNOWN = 1
    INVALID_DOMAIN = 2
    UNREACHABLE = 3
    ACCOUNT_DISABLED = 4
    MAILBOX_FULL = 5
    NOT_CONNECTED = 6
    DENYLISTED_ADDRESS = 8
    QUARANTINED_ADDRESS = 9
    ADDRESS_NOT_SPECIFIED = 10
    DUPLICATE = 11
    CONTROL_GROUP = 12
    EXCLUDED_BY_RULE = 13
    EXCLUDED_BY_PRESSURE = 14
    TEXT_TOO_LONG = 15
    CHARACTER_NOT_SUPPORTED = 16
    EXPIRED = 17
    DELIVERY_CANCELED = 18
    ERROR_IGNORED = 19
    REFUSED = 20
    RENDERING_FAILED = 21
    PROFILE_DELETED = 22
    LEFT_AUDIENCE = 23
    SUPPRESSED_ADDRESS = 28
    ERASED = 29  # the address is that of somebody who was erased, and has not opted in again
    GLOBAL_HOLDOUT = 30


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """The class of an outcome with what the provider said."""

    kind: OutcomeKind
    reason: FailureReason = FailureReason.NOT_DEFINED
    provider_id: str | None = None
    code: str | None = None  # the provider's own code, such as "550 5.1.1"
    text: str = ""  # the provider's words, shortened
    retry_after: float | None = None  # seconds, where the provider says so
    scope: str | None = None  # of RATE_LIMITED: "account" or "domain"


ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED)
