"""What subscriptions to apps keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import ClarionError
from core.profiles.identities import ProfileReference


class Platform(StrEnum):
    """What a device is reached through."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSubscription:
    """A device that an app may send to."""

    id: int
    app: str
    registration_token: str
    platform: Platform
    opted_out: bool
    profile_id: int | None  # None: nobody knows whose it is
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAppSubscription:
    """One as it is told. App and token say which."""

    app: str
    registration_token: str
    platform: Platform
    opted_out: bool | None = None  # None: as it was, and False of a new one
    profile: ProfileReference | None = None  # None: as it was
    forget_profile: bool = False  # it is nobody's
    team: Mapping[str, Any] = field(default_factory=dict)  # values of the team's fields by name; what is left out stays


class AppOutcome(StrEnum):
    """What became of a row of a call."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppResult:
    """A row of a call and what became of it."""

    index: int  # its place in the call, from 0
    outcome: AppOutcome
    error: ClarionError | None = None  # why it was rejected
