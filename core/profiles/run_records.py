"""What imports and exports are told to do, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from core.profiles.export_options import ExportOptions
from core.profiles.import_options import ColumnRule, FileShape, ImportMode, ImportTarget


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
