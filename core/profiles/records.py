"""What profiles keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import msgspec

from channels.contract import AddressKind, FailureReason
from core.errors import Invalid
from core.profiles.export_options import ExportOptions
from core.profiles.import_options import ColumnRule, FileShape, ImportMode, ImportTarget


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
    ccpa_opt_out: bool  # said to others; no message is held back for it
    created_at: datetime
    updated_at: datetime

    def age(self, on: date) -> int | None:
        """Whole years on a day."""
        born = self.birth_date
        if born is None:
            return None
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


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


class MatchKey(StrEnum):
    """How a row of a file finds its profile."""

    EXTERNAL_ID = "external_id"
    CRYPTED_ID = "crypted_id"
    EMAIL = "email"  # not unique: the oldest match is taken, the others are reported
    ID = "id"  # Clarion's own number, as exports have it: never of somebody new
    MOBILE_PHONE = "mobile_phone"  # not unique, as emails


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
    file: FileShape = field(default_factory=FileShape)
    columns: tuple[ColumnRule, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)  # field → its cell in every row
    nulls: tuple[str, ...] = ()  # texts that stand for nothing in every column
    mode: ImportMode = ImportMode.INSERT_OR_UPDATE
    more_keys: tuple[str, ...] = ()  # tried in this order where the first finds nobody: a `MatchKey`, or a key of the team
    expected_columns: tuple[str, ...] | None = None  # the file has these and no others, in whatever order; None: any
    dry_run: bool = False  # count, and store nothing
    most_rejects: int | None = None  # stop after the chunk with which more rows than this are refused
    target: ImportTarget = field(default_factory=ImportTarget)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ImportOptions:
        """The options as they are stored."""
        return msgspec.convert(data, cls)


class MergeRule(StrEnum):
    """Whose value of a field a merge keeps."""

    SURVIVOR = "survivor"
    OTHER = "other"  # that of one who is merged, also when it is empty
    NEWEST = "newest"  # of those who have one, whose profile was changed last
    FIRST = "first"  # of the survivor, or else of the first of the others who has one
    VALUE = "value"  # that which is given


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """The rule for one field. `profile_id`: the other; needed where several are merged."""

    field: str
    rule: MergeRule
    profile_id: int | None = None
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Who becomes part of whom, and by which rules."""

    survivor_id: int
    other_ids: tuple[int, ...]
    default: MergeRule = MergeRule.FIRST
    rules: tuple[FieldRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedField:
    """What a field of the survivor becomes. `values` are those that people have, by their ids, the survivor first."""

    field: str
    value: Any
    profile_id: int | None  # whose it is; None: given, empty, or a refusal of any of them
    changed: bool  # for the survivor
    values: Mapping[int, Any]

    @property
    def is_conflict(self) -> bool:
        """Whether people have different values, of which only one stays."""
        return len(set(map(str, self.values.values()))) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePreview:
    """What a merge would do."""

    survivor_id: int
    other_ids: tuple[int, ...]
    brought_ids: tuple[int, ...]  # were merged into one of the others before
    fields: tuple[MergedField, ...]  # those that anybody has a value in

    @property
    def ids(self) -> tuple[int, ...]:
        """Everybody whose facts will be read as the survivor's."""
        return (self.survivor_id, *self.other_ids, *self.brought_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge that was done."""

    id: int
    survivor_id: int
    merged_ids: tuple[int, ...]
    merged_at: datetime
    merged_by: str
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What undoing a merge left as it is: fields of the survivor that were changed since, unique values that somebody else
    has by now, and links to rows that are gone, as (profile id, field)."""

    merge: Merge
    kept: tuple[str, ...]
    lost: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Profiles that a rule finds alike; of a big group not all are named."""

    rule: int  # counted from 0
    size: int
    ids: tuple[int, ...]


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
    template_id: int | None
    match_key: str  # a `MatchKey`, or a unique key of the team
    options: ImportOptions
    bytes_total: int
    bytes_read: int  # of the file as it was uploaded
    position: int = field(repr=False)  # behind the last chunk that was stored, as the format counts
    lines_read: int
    header: tuple[str, ...] | None  # known once it was read
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    skipped: int  # the mode does nothing with them: who is there already, or is not there
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
        done = self.inserted + self.updated + self.unchanged + self.deleted
        return done + self.skipped + self.rejected + self.repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportContent:
    """What an export holds."""

    columns: tuple[str, ...]  # fields, or names of computed ones
    dimension: str = "profile"  # what a row is: the name of an entity
    computed: Mapping[str, Any] = field(default_factory=dict)  # expressions by their columns, in the JSON spelling
    audience_id: int | None = None
    expression: Any = None  # which rows, in the JSON spelling
    time_zone: str = "UTC"  # whose days expressions mean


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRun:
    """Rows on their way out."""

    id: int
    state: RunState
    file_id: int
    dimension: str
    audience_id: int | None
    expression: Any  # the JSON spelling
    time_zone: str  # whose days expressions mean
    columns: tuple[str, ...]
    computed: Mapping[str, Any]
    options: ExportOptions
    rows_total: int | None
    rows_written: int
    error: RunError | None
    fence: int = field(repr=False)
    created_by: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
