"""What profiles keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from channels.contract import FailureReason


class Gender(IntEnum):
    """Feature map 2.01."""

    UNKNOWN = 0
    MALE = 1
    FEMALE = 2


class EmailFormat(IntEnum):
    """What a person wants emails in (2.02)."""

    UNKNOWN = 0
    TEXT = 1
    HTML = 2


class Channel(StrEnum):
    """What one can opt out of (2.06)."""

    ALL = "all"
    EMAIL = "email"
    MOBILE = "mobile"
    PHONE = "phone"
    FAX = "fax"
    POSTAL = "postal"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A person. `email_key` is the form in which addresses are compared; `email` keeps the person's spelling."""

    id: int
    external_id: str | None
    crypted_id: str | None
    opt_in_id: UUID | None
    email: str | None
    email_key: str | None
    email_domain: str | None
    first_name: str | None
    middle_name: str | None
    last_name: str | None
    salutation: str | None
    gender: Gender
    birth_date: date | None
    thumbnail_url: str | None
    mobile_phone: str | None
    phone: str | None
    fax: str | None
    address_line1: str | None
    address_line2: str | None
    address_line3: str | None
    address_line4: str | None
    zip_code: str | None
    city: str | None
    state: str | None
    country: str | None
    address_defined: bool
    latitude: float | None
    longitude: float | None
    email_format: EmailFormat
    language: str | None
    time_zone: str | None  # None: the delivery's
    opt_out: bool
    opt_out_email: bool
    opt_out_mobile: bool
    opt_out_phone: bool
    opt_out_fax: bool
    opt_out_postal: bool
    opt_out_push: bool
    created_at: datetime
    updated_at: datetime

    def age(self, on: date) -> int | None:
        """Whole years on a day."""
        born = self.birth_date
        if born is None:
            return None
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


class QuarantineStatus(StrEnum):
    """Feature map A.9. Quarantined and denylisted addresses are not written to; allowlisted ones are never put in."""

    UNKNOWN = "unknown"
    ERRONEOUS = "erroneous"
    VALID = "valid"
    DENYLISTED = "denylisted"
    QUARANTINE = "quarantine"
    ALLOWLISTED = "allowlisted"


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


class MatchKey(StrEnum):
    """How a row of a file finds its profile."""

    EXTERNAL_ID = "external_id"
    CRYPTED_ID = "crypted_id"
    EMAIL = "email"  # not unique: the oldest match is taken, the others are reported


class EmptyCells(StrEnum):
    """What an empty cell says about a profile that exists."""

    KEEP = "keep"  # nothing
    CLEAR = "clear"  # that the value is gone


class UnknownColumns(StrEnum):
    """What to do with a column that is no field."""

    REFUSE = "refuse"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a file is read."""

    delimiter: str | None = None  # None: found in the header
    mapping: Mapping[str, str | None] | None = None  # header → field, None: leave the column out
    empty: EmptyCells = EmptyCells.KEEP
    unknown_columns: UnknownColumns = UnknownColumns.REFUSE
    lift_opt_outs: bool = False  # whether "false" in a file may take back what a person asked for
    unescape_formulas: bool = True  # take off the ' that an export puts before what a spreadsheet would compute
    default_country: str | None = None  # of phone numbers without a prefix; None: the installation's

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ImportOptions:
        """The options as they are stored."""
        return cls(
            **{
                **data,
                "empty": EmptyCells(data["empty"]),
                "unknown_columns": UnknownColumns(data["unknown_columns"]),
            }
        )


class RunState(StrEnum):
    """The life of an import or export: waiting → ready → running → finished, failed or cancelled."""

    WAITING = "waiting"  # for the file
    READY = "ready"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """Why a run failed, in the terms of the error tree."""

    code: str
    message: str
    path: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRun:
    """One file on its way in. Counters move with each stored chunk."""

    id: int
    state: RunState
    file_id: int
    rejects_file_id: int | None
    match_key: MatchKey
    options: ImportOptions
    bytes_total: int
    bytes_read: int
    lines_read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    repeated: int  # a later row of the same chunk has the same key, and won
    ambiguous: int  # of the updated and unchanged: more profiles than one had the email
    error: RunError | None
    fence: int = field(repr=False)  # grows whenever another worker takes over
    created_by: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None

    @property
    def rows(self) -> int:
        """Rows of data so far; each is counted once."""
        return self.inserted + self.updated + self.unchanged + self.rejected + self.repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRun:
    """Profiles on their way out."""

    id: int
    state: RunState
    file_id: int
    audience_id: int | None
    expression: Any  # the JSON spelling
    columns: tuple[str, ...]
    rows_total: int | None
    rows_written: int
    error: RunError | None
    fence: int = field(repr=False)
    created_by: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
