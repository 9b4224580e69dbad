"""What the room hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from core.profiles.import_options import FileShape
from core.profiles.run_records import ImportOptions, RunError, RunState
from core.targeting.catalogue import Kind
from core.targeting.language import Expression, Literal, Relative


class AudienceKind(StrEnum):
    """How the members are known."""

    QUERY = "query"  # asked anew at each use
    LIST = "list"  # people who were put on it
    FILE = "file"  # people whom the rows of a file name, once it is reconciled with profiles
    EXTERNAL = "external"  # people whose ids an outside system pushes


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A saved question. `version` grows with every change of it."""

    id: int
    name: str
    label: str
    kind: AudienceKind
    expression: Any  # the JSON spelling
    expression_text: str  # as its author typed it, or as the JSON spelling reads
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str
    description: str
    expires_at: datetime | None  # past it, the audience goes as soon as nothing names it
    counted: int | None  # by the last job that counted it
    counted_at: datetime | None

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over: nothing new may target it."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberColumn:
    """A column that the members of a list or a file bring along. The name is how questions and templates call it."""

    name: str
    label: str
    kind: Kind
    personal: bool = True  # its values go when a person is erased


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceMember:
    """Somebody on a list, with the values of its columns by their names."""

    profile_id: int
    added_at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonMembership:
    """An audience that somebody is in, with the values of its columns by their names."""

    audience_id: int
    profile_id: int  # as it stands there, maybe merged since
    added_at: datetime
    data: Mapping[str, Any]


class RowOutcome(StrEnum):
    """What became of a row of a file when it was reconciled."""

    WAITING = "waiting"  # nobody has looked yet
    MATCHED = "matched"
    REPEATED = "repeated"  # about somebody whom an earlier row is about
    UNMATCHED = "unmatched"
    AMBIGUOUS = "ambiguous"  # several profiles have this key


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRow:
    """A row of a file, with its cells by the names of columns."""

    line: int
    outcome: RowOutcome
    profile_id: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileColumn:
    """What is said of a column of a file before it is read; of the others all is found out, and they are texts."""

    column: str  # as the header calls it
    name: str | None = None
    kind: Kind = Kind.TEXT
    personal: bool = True
    keep: bool = True  # else it is left out


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How the file of an audience is read."""

    delimiter: str | None = None  # None: found in the header
    file: FileShape = field(default_factory=FileShape)
    unescape_formulas: bool = True  # take the ' away that exports put before what a spreadsheet would compute
    columns: tuple[FileColumn, ...] = ()

    @property
    def reading(self) -> ImportOptions:
        """As those want it who open files."""
        return ImportOptions(delimiter=self.delimiter, file=self.file, unescape_formulas=self.unescape_formulas)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKey:
    """What tells whom a row is about: a field by which profiles are known, and the column that holds it; `also` are the other
    fields of a unique key of several."""

    field: str
    column: str
    also: tuple[RowKey, ...] = ()

    @property
    def parts(self) -> tuple[RowKey, ...]:
        """Each field with its column."""
        return (self, *self.also)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceFile:
    """The file of an audience, and how far it is."""

    audience_id: int
    file_id: int
    options: FileOptions
    loaded_at: datetime | None
    reconciled_at: datetime | None  # since then the audience is of profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSegment:
    """What an audience is that an outside system fills, and how many of its ids are whose."""

    audience_id: int
    source: str
    key: str  # the field of profiles whose values the ids are
    fresh_hours: int | None  # after the last push; None: for ever
    received_at: datetime | None  # when something was pushed last
    snapshot: str | None  # that is being pushed
    snapshots: int  # so many were begun; an id has the number of the last that named it
    completed: str | None  # the last that was
    ids: int
    matched: int
    ambiguous: int  # several profiles have them

    @property
    def unmatched(self) -> int:
        """Ids of nobody."""
        return self.ids - self.matched - self.ambiguous

    def is_fresh(self, now: datetime) -> bool:
        """Whether the last push is recent enough; before the first there is nothing that could be."""
        if self.received_at is None:
            return False
        return self.fresh_hours is None or now < self.received_at + timedelta(hours=self.fresh_hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedId:
    """An id, as profiles keep it, and whose it is: one profile's, several (`ambiguous`), or nobody's."""

    value: str
    profile_id: int | None
    ambiguous: bool


class Task(StrEnum):
    """Work on audiences that takes its time."""

    LOAD = "load"  # read a file's rows
    RECONCILE = "reconcile"  # find the profiles that rows are about
    COUNT = "count"
    FREEZE = "freeze"
    SEGMENT = "segment"
    EXPORT = "export"  # rows of a file or members of a list, into a file


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRun:
    """One such work: what was asked, how far it is, and what came of it."""

    id: int
    task: Task
    state: RunState
    audience_id: int | None
    file_id: int | None
    request: Any
    time_zone: str
    seconds: int  # the longest that a question of it may take
    total: int | None
    done: int
    position: int
    lines_read: int
    result: Mapping[str, Any]
    error: RunError | None
    fence: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAudience:
    """An audience as a question that names it needs it."""

    id: int
    name: str
    kind: AudienceKind
    expression: Any  # of the version that was named
    columns: Mapping[str, Kind]  # of its members
    reconciled: bool  # of a file: whether its members are known


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceDraft:
    """What a new audience needs. The name is its handle: letters, digits, `_` and `-`, at most 64."""

    name: str
    label: str
    expression: Expression
    description: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A table that would be read from one end to the other."""

    table: str
    rows: int  # it has, about
    wanted: int  # of them, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What Postgres says of a question before it is asked."""

    sql: str
    cost: float  # in Postgres' units: about 1 for a page read in order
    estimate: int  # how many it would find, about
    scans: tuple[Scan, ...]
    advice: tuple[str, ...]  # in words


@dataclass(frozen=True, slots=True, kw_only=True)
class RowValue:
    """What an expression computes on a row; values as JSON has them."""

    key: int
    value: Any  # None: there is none
    row: Mapping[str, Any]  # its fields by their names


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A place in a filter's question that its callers fill. With a default (a value, or a time) it may be left out."""

    name: str
    label: str
    kind: Kind
    default: Literal | Relative | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterDraft:
    """What a new filter needs. The name is how questions call it."""

    name: str
    label: str
    expression: Expression
    parameters: tuple[Parameter, ...] = ()
    entity: str = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A question under a name, with parameters, that other questions call. `version` grows with every change of it."""

    id: int
    name: str
    label: str
    entity: str
    parameters: tuple[Parameter, ...]
    expression: Any  # the JSON spelling
    expression_text: str
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str
