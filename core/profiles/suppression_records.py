"""What suppression lists keep, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from core.errors import Invalid
from core.profiles.run_records import RunError, RunState


class SuppressionKind(StrEnum):
    """What the entries of a suppression list are: addresses of a kind, or domains of email addresses."""

    EMAIL = "email"
    MOBILE = "mobile"
    PHONE = "phone"
    PUSH = "push"
    POSTAL = "postal"
    FAX = "fax"
    IN_APP = "in_app"
    OTHER = "other"
    EMAIL_DOMAIN = "email_domain"


class SuppressionScope(StrEnum):
    """Which deliveries a list applies to."""

    ALL = "all"
    NAMED = "named"  # those that name it


class EntryForm(IntEnum):
    """How an entry says what is suppressed; the number is what tables store."""

    PLAIN = 1
    SHA256 = 2  # hexadecimal, of the normalised address
    MD5 = 3
    DOMAIN = 4
    SUBDOMAINS = 5  # the domain and all below it


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionListDraft:
    """A list as somebody enters it."""

    name: str
    label: str
    kind: SuppressionKind
    scope: SuppressionScope = SuppressionScope.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionList:
    """Addresses or domains that are not written to."""

    id: int
    name: str
    label: str
    kind: SuppressionKind
    scope: SuppressionScope
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionDraft:
    """An entry as somebody enters it: an address or domain in any spelling, or a hash."""

    value: str
    form: EntryForm | None = None  # None: found out
    comment: str = ""
    origin: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionEntry:
    """One entry of a list."""

    list_id: int
    form: EntryForm
    value: str  # normalised
    comment: str
    origin: str
    expires_at: datetime | None  # from then on it does not count
    created_at: datetime
    updated_at: datetime
    created_by: str


class EntryOutcome(StrEnum):
    """What became of one row."""

    ADDED = "added"
    CHANGED = "changed"  # it was there, with another comment, origin or end
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    ABSENT = "absent"
    REPEATED = "repeated"  # a later row says something of the same entry
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryResult:
    """What became of one row, in the order of the rows; `error` of refused ones."""

    outcome: EntryOutcome
    error: Invalid | None = None


class SuppressionAction(StrEnum):
    """What a file does to a suppression list."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionOptions:
    """How a file of entries is read."""

    header: bool = True  # whether the first line names the columns; without it the first column holds the entries
    delimiter: str | None = None  # None: found in the first line
    form: EntryForm | None = None  # of entries whose row does not say; None: found out
    origin: str = ""  # of entries whose row does not say
    default_country: str | None = None  # of phone numbers without a prefix; None: the installation's

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SuppressionOptions:
        """The options as they are stored."""
        return cls(**{**data, "form": None if data["form"] is None else EntryForm(data["form"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionImport:
    """One file of entries on its way in. Counters move with each stored chunk."""

    id: int
    list_id: int
    state: RunState
    file_id: int
    rejects_file_id: int | None
    action: SuppressionAction
    options: SuppressionOptions
    bytes_total: int
    bytes_read: int
    lines_read: int
    added: int
    changed: int
    unchanged: int  # to be added and there, or to be removed and not there
    removed: int
    rejected: int
    repeated: int  # a later row of the same chunk says something of the same entry
    error: RunError | None
    fence: int = field(repr=False)
    created_by: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None

    @property
    def rows(self) -> int:
        """Rows of data so far; each is counted once."""
        return self.added + self.changed + self.unchanged + self.removed + self.rejected + self.repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionExport:
    """The entries of a list on their way out."""

    id: int
    list_id: int
    state: RunState
    file_id: int
    rows_written: int
    error: RunError | None
    fence: int = field(repr=False)
    created_by: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
