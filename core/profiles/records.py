"""What profiles keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum
from uuid import UUID


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
