"""What the quarantine keeps, and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from channels.contract import AddressKind, FailureReason


class QuarantineStatus(StrEnum):
    """Feature map A.9. Only quarantined and denylisted addresses are not written to."""

    UNKNOWN = "unknown"  # nothing is said either way; errors count
    ERRONEOUS = "erroneous"  # some soft errors, not enough
    VALID = "valid"  # corrected by hand: errors so far are forgotten, later ones count
    DENYLISTED = "denylisted"  # the person complained or answered STOP
    QUARANTINE = "quarantine"
    ALLOWLISTED = "allowlisted"  # no error puts it in, soft or hard; the person's own refusal does


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """What is known against an address, whoever owns it (2.51, 2.52)."""

    address_kind: str
    address_key: str
    status: QuarantineStatus
    reason: FailureReason
    error_count: int
    first_error_at: datetime | None
    last_error_at: datetime | None  # the last significant one
    error_text: str
    last_delivery_id: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Which entries are meant; None: whatever it is. What is given must hold together."""

    kind: AddressKind | None = None
    address: str | None = None  # in any spelling
    prefix: str | None = None  # of an address, in any spelling
    statuses: Sequence[QuarantineStatus] | None = None
    reasons: Sequence[FailureReason] | None = None
    text: str | None = None  # stands in what the provider said, capitals or not
    changed_from: datetime | None = None
    changed_before: datetime | None = None


class Correction(StrEnum):
    """What a bulk correction makes of entries (2.64)."""

    SET_VALID = "set_valid"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What one call of a correction did, and how many entries are left for the next."""

    corrected: int
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineSettings:
    """When errors put an address in, and when time lets it out (2.58-2.60)."""

    soft_errors: int  # so many significant ones quarantine
    between_soft_errors: timedelta  # at least, of two that are significant
    forget_soft_after: timedelta  # without another
    release_full_after: timedelta  # the same where the last one was a full mailbox
    version: int
    changed_by: str | None
    changed_at: datetime | None
