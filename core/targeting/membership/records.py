"""What is known of audiences whose members are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class KeptState(StrEnum):
    """How far the members are."""

    WAITING = "waiting"  # changes are not captured yet
    COUNTING = "counting"  # everybody is looked at
    KEPT = "kept"
    GIVEN_UP = "given_up"  # the count took too long: members stay as they were until it is tried again


class Upkeep(StrEnum):
    """What makes members right again."""

    INCREMENTAL = "incremental"  # what has changed, and who is due
    RECOUNTED_DAILY = "recounted_daily"  # that, and at midnight everybody is looked at
    RECOUNTED = "recounted"  # everybody is looked at again and again


RECOUNT_EVERY = timedelta(minutes=15)  # of what is only recounted
LONGEST_COUNT = timedelta(minutes=30)  # of one audience: the others wait meanwhile
TRIED_AGAIN_AFTER = timedelta(days=1)  # when a count was given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """How the members of an audience are kept. `freshness`: the age of the oldest change that is not looked at yet, in seconds;
    None while they are counted for the first time."""

    kept_id: int
    audience_id: int
    time_zone: str
    state: KeptState
    upkeep: Upkeep
    reasons: tuple[str, ...]  # why it is recounted
    trouble: str | None  # why it cannot be kept now
    members: int
    counted_at: datetime | None
    recount_at: datetime | None
    freshness: float | None
    position: int  # the newest of its log


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipChange:
    """Somebody entered an audience, or left it. The order of positions is the order of commits."""

    position: int
    profile_id: int
    entered: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An audience whose members are kept, as the upkeep needs it."""

    id: int
    audience_id: int
    time_zone: str
    state: KeptState
    stamp: bytes | None
    counting_since: datetime | None
    recount_at: datetime | None
    named: tuple[tuple[int, int], ...]  # itself and all audiences that it is made of, each with its version


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedChange:
    """What the database noted of a statement: which columns of whom (None: any, everybody)."""

    entity: str
    columns: frozenset[str] | None
    profile_ids: tuple[int, ...] | None
