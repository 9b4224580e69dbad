"""What the room hands out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.targeting.language import Expression


class AudienceKind(StrEnum):
    """How the members are known."""

    QUERY = "query"  # asked anew at each use
    LIST = "list"  # people who were put on it


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceMember:
    """Somebody on a list."""

    profile_id: int
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAudience:
    """An audience as a question that names it needs it."""

    id: int
    name: str
    kind: AudienceKind
    expression: Any  # of the version that was named


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceDraft:
    """What a new audience needs. The name is its handle: letters, digits, `_` and `-`, at most 64."""

    name: str
    label: str
    expression: Expression


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
