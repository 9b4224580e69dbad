"""What privacy requests keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class RequestKind(StrEnum):
    """What somebody asks for (feature map 2.70)."""

    ACCESS = "access"  # a file with everything that is kept of them
    DELETE = "delete"


class Regulation(StrEnum):
    """By which law (feature map 2.70)."""

    GDPR = "gdpr"
    CCPA = "ccpa"
    PDPA = "pdpa"
    LGPD = "lgpd"


class RequestState(StrEnum):
    """How far a request is (feature map 2.69)."""

    NEW = "new"
    PROCESSING = "processing"
    RETRY_PENDING = "retry_pending"
    RETRY_IN_PROGRESS = "retry_in_progress"
    DELETE_PENDING = "delete_pending"  # waits for somebody to confirm it
    DELETE_IN_PROGRESS = "delete_in_progress"
    COMPLETE = "complete"
    ERROR = "error"


OPEN = frozenset(
    {
        RequestState.NEW,
        RequestState.PROCESSING,
        RequestState.RETRY_PENDING,
        RequestState.RETRY_IN_PROGRESS,
        RequestState.DELETE_IN_PROGRESS,
    }
)
"""States in which a worker has something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceDraft:
    """What people say of a namespace."""

    name: str
    label: str
    entity: str  # "profile", "visitor", "app_subscription", "event_" and a type of events, or a dataset
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(NamespaceDraft):
    """What requests name somebody by."""

    id: int
    built_in: bool
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """What is asked for (feature map 2.70)."""

    name: str
    label: str
    kind: RequestKind
    regulation: Regulation
    namespace: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestError:
    """Why a request ended without a result."""

    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequest:
    """A request, without the value that names the person."""

    id: int
    name: str
    label: str
    kind: RequestKind
    regulation: Regulation
    namespace_id: int | None  # None: the namespace is gone
    namespace: str  # its name, kept for good
    value_hash: str  # keyed: the same for the same value
    state: RequestState
    needs_confirm: bool
    confirmed_at: datetime | None
    confirmed_by: str | None
    profiles_found: int | None  # None: nobody has looked yet
    waits_for: str | None  # of a deletion at work: what has to end before it can
    error: RequestError | None
    file_id: int | None
    erased_at: datetime | None  # since when nothing that was found is there any more
    counts: Mapping[str, int]  # rows that were given or erased, by table
    proof: Mapping[str, Any] | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
