"""What visitors keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from core.errors import ClarionError
from core.profiles.fields import FIELDS, Field, FieldType
from core.profiles.identities import ProfileReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who came to a form or a page, before or after one knows who they are."""

    id: int
    external_id: str  # by which the page knows them
    email: str | None  # as addresses are compared, as that of the referrer
    first_name: str | None
    last_name: str | None
    origin: str | None  # the form or page
    forward_url: str | None  # where they were led on to
    referrer_email: str | None  # who sent them, as they or the page said
    referrer_first_name: str | None
    referrer_last_name: str | None
    referrer_comment: str | None
    referrer_id: int | None  # the profile of who sent them
    profile_id: int | None  # None: nobody knows who they are
    created_at: datetime
    updated_at: datetime


def _text(name: str, label: str, max_length: int) -> Field:
    return Field(name=name, label=label, type=FieldType.TEXT, max_length=max_length)


def _like(other: str, name: str, label: str) -> Field:
    return replace(FIELDS[other], name=name, label=label, aliases=())


_SAID = (
    FIELDS["email"], FIELDS["first_name"], FIELDS["last_name"], _text("origin", "Origin", 100),
    _like("thumbnail_url", "forward_url", "Forward URL"), _like("email", "referrer_email", "Referrer's email"),
    _like("first_name", "referrer_first_name", "Referrer's first name"),
    _like("last_name", "referrer_last_name", "Referrer's last name"), _text("referrer_comment", "Referrer's comment", 255),
)  # fmt: skip

# What is told of a visitor in words, and whom it leads to.
SAID: Mapping[str, Field] = MappingProxyType({one.name: one for one in _SAID})
OWNERS: Mapping[str, Field] = MappingProxyType(
    {
        name: Field(name=name, label=label, type=FieldType.INTEGER)
        for name, label in (("profile_id", "Profile"), ("referrer_id", "Referrer"))
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentVisitor:
    """One as it is told."""

    external_id: str  # it says which
    values: Mapping[str, str | None] = field(default_factory=dict)  # by the names of SAID; what is left out stays
    profile: ProfileReference | None = None  # None: as it was
    forget_profile: bool = False  # nobody knows who it is
    referrer: ProfileReference | None = None  # None: as it was
    forget_referrer: bool = False


class VisitorOutcome(StrEnum):
    """What became of a row of a call."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorResult:
    """A row of a call and what became of it."""

    index: int  # its place in the call, from 0
    outcome: VisitorOutcome
    error: ClarionError | None = None  # why it was rejected
