"""What the rows of this room mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from msgspec import Struct

from channels.contract import FailureReason
from core.content.records import TrackingMode


class DeliveryState(IntEnum):
    """Feature map A.1; the number is what the table stores.

    Nothing enters 12, 13, 15, 21, 25 and 87 yet: they are kept for targeting in steps, approvals and failures as a whole.
    """

    EDITION = 0
    TARGET_PREP_PENDING = 11
    TARGET_SELECTION = 12
    TARGET_ARBITRATION = 13
    TARGET_READY = 15
    MESSAGE_PREP_PENDING = 21
    MESSAGE_PREPARATION = 22
    MESSAGE_READY = 25
    PREPARATION_ERROR = 37
    READY = 45
    START_PENDING = 51
    STARTED = 55
    RETRY_PENDING = 61
    RETRY_IN_PROGRESS = 62
    PAUSED = 75
    CANCELLED = 85
    FAILED = 87
    FINISHED = 95


class LedgerState(IntEnum):
    """The closed set of states of one recipient in one delivery."""

    EXCLUDED = 0
    PENDING = 1
    CLAIMED = 2
    HANDED_OVER = 3
    ACCEPTED = 4
    FAILED = 5
    UNKNOWN = 6
    WITHDRAWN = 7
    EXPIRED = 8
    CANCELLED = 9


class RecipientKind(IntEnum):
    """What `recipient_id` names."""

    PROFILE = 1
    DEVICE = 2
    TEST_PROFILE = 3
    TRAP = 4
    EVENT = 5


class LogLevel(StrEnum):
    """Feature map 5.13: warnings do not block, errors do."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRun:
    """What happens to a delivery."""

    delivery_id: int
    state: DeliveryState
    versions: Mapping[str, int] | None
    prepare_id: int
    prepare_from: int | None
    prepare_to: int | None
    prepared_at: datetime | None
    contact_at: datetime | None
    deadline: datetime | None
    confirmed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    pause_reason: str | None
    error: Mapping[str, Any] | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One line of the preparation and sending log."""

    id: int
    delivery_id: int
    at: datetime
    level: LogLevel
    code: str
    message: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One recipient of one delivery."""

    delivery_id: int
    recipient_kind: RecipientKind
    recipient_id: int
    occurrence: int
    program_id: int | None
    state: LedgerState
    reason: FailureReason
    attempt: int
    after_hand_over: bool
    due_at: datetime
    settled_at: datetime | None
    address: str | None
    values: Mapping[str, Any] | None
    provider_id: str | None
    answer: str | None
    segment_code: str | None = None
    logged: Mapping[str, Any] | None = None  # the fields that the delivery's sending log keeps, as they were


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessage:
    """What one recipient gets, to be looked at; without a language there is nothing to be shown."""

    row: LedgerRow
    language: str | None = None
    subject: str | None = None
    html: str | None = None
    text: str | None = None
    failure: str | None = None  # why it cannot be rendered for this recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """How many ledger rows are in one state for one reason."""

    state: LedgerState
    reason: FailureReason
    after_hand_over: bool
    n: int


class Span(StrEnum):
    """By which pieces of time send dates are counted."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCount:
    """How many people are to get a message in a piece of time."""

    at: datetime  # its beginning
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCounts:
    """The equation's columns."""

    targeted: int = 0
    excluded: int = 0
    pending: int = 0
    accepted: int = 0
    failed: int = 0
    unknown: int = 0
    withdrawn: int = 0
    expired: int = 0
    cancelled: int = 0
    failed_after_hand_over: int = 0
    by_reason: tuple[CountRow, ...] = ()

    @property
    def sent(self) -> int:
        """The denominator of rates: accepted and failed after hand-over (feature map 6.43)."""
        return self.accepted + self.failed_after_hand_over


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProgram:
    """A row of `program`: all a rendering depends on besides the recipient."""

    id: int
    delivery_id: int
    variant: int
    channel: str
    config: Mapping[str, Any]
    content: Mapping[str, Any]
    fields: tuple[str, ...]
    token_key_id: int
    base_url: str
    engine_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLink:
    """A link that readers of a delivery see; its number is the same in all variants."""

    number: int
    url: str  # as authored
    label: str | None
    category: str | None
    mode: TrackingMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramVariant:
    """A program as a preparation needs it: whose it is, and what its rows must carry."""

    id: int
    channel: str
    language: str
    fields: tuple[str, ...]
    dynamic: Mapping[str, tuple[str, ...]]  # conditions of the variants, by dynamic content
    columns: tuple[str, ...] = ()  # of the audience


class ClaimedRow(Struct, frozen=True, kw_only=True, gc=False):
    """A ledger row under a lease, ready to render."""

    recipient_kind: int
    recipient_id: int
    occurrence: int
    attempt: int
    program_id: int
    address: str
    address_key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why somebody did, or did not, get a delivery."""

    targeted: bool
    row: LedgerRow | None
    summary: str  # one sentence for a person
