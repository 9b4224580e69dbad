"""The one table of a profile's fields. Changes, import, export and the API are derived from it.

A test holds it together with the real table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType

from core.profiles.records import EmailFormat, Gender

Choices = type[IntEnum]


class FieldType(StrEnum):
    """What a value is, and so how it is read, checked and written."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    COUNTRY = "country"
    LANGUAGE = "language"
    TIME_ZONE = "time_zone"
    URL = "url"
    DATE = "date"
    BOOLEAN = "boolean"
    NUMBER = "number"
    ENUMERATION = "enumeration"
    INTEGER = "integer"
    UUID = "uuid"
    INSTANT = "instant"
    DECIMAL = "decimal"
    DAY = "day"  # of any century
    CHOICE = "choice"  # one of the field's choices
    JSON = "json"  # as its text
    POINT = "point"  # longitude and latitude


# How the columns of those that may be keys are typed; all others are texts.
SQL_TYPES: Mapping[FieldType, str] = MappingProxyType(
    {
        FieldType.INTEGER: "bigint", FieldType.DECIMAL: "numeric", FieldType.BOOLEAN: "boolean", FieldType.DAY: "date",
        FieldType.INSTANT: "timestamptz", FieldType.UUID: "uuid",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a profile."""

    name: str
    label: str
    type: FieldType
    max_length: int | None = None  # characters
    settable: bool = True  # by people and files; the others are the house's
    personal: bool = True  # goes when the person is erased
    unique: bool = False  # no two profiles have the same
    required: bool = False  # never empty: cleared means `default`
    default: int | bool | None = None
    values: Choices | None = None  # of an enumeration
    low: float | None = None  # of a number
    high: float | None = None
    aliases: tuple[str, ...] = ()  # further headers that files use for it
    opt_out: bool = False  # true is a person's refusal
    choices: tuple[tuple[str, str], ...] = ()  # authorised values with their labels; none: all
    stored_as: str | None = None  # its column, where that is not called as it is
    leads_to: str | None = None  # of a link: the entity whose row's number it holds

    @property
    def column(self) -> str:
        """Where it is stored; of an email, as the person spells it."""
        return self.stored_as or self.name


def _text(name: str, label: str, max_length: int, *aliases: str, unique: bool = False) -> Field:
    return Field(name=name, label=label, type=FieldType.TEXT, max_length=max_length, unique=unique, aliases=aliases)


def _of(name: str, label: str, kind: FieldType, max_length: int | None = None, *aliases: str) -> Field:
    return Field(name=name, label=label, type=kind, max_length=max_length, aliases=aliases)


def _flag(name: str, label: str, *, opt_out: bool = False) -> Field:
    return Field(
        name=name, label=label, type=FieldType.BOOLEAN, personal=False, required=True, default=False, opt_out=opt_out
    )  # fmt: skip


def _choice(name: str, label: str, values: Choices) -> Field:
    return Field(name=name, label=label, type=FieldType.ENUMERATION, required=True, default=0, values=values)


def _coordinate(name: str, label: str, limit: float) -> Field:
    return Field(name=name, label=label, type=FieldType.NUMBER, low=-limit, high=limit)


def _house(name: str, label: str, kind: FieldType, *, personal: bool = False, required: bool = True) -> Field:
    return Field(
        name=name, label=label, type=kind, settable=False, personal=personal, required=required,
        unique=kind is FieldType.UUID,
    )  # fmt: skip


ALL: tuple[Field, ...] = (
    _house("id", "Id", FieldType.INTEGER),
    _text("external_id", "External id", 100, "customer_id", unique=True),
    _text("crypted_id", "Crypted id", 100, unique=True),
    _house("opt_in_id", "Opt-in id", FieldType.UUID, personal=True, required=False),
    _of("email", "Email", FieldType.EMAIL, 254, "email_address", "mail"),
    _house("email_domain", "Email domain", FieldType.TEXT, personal=True, required=False),
    _text("first_name", "First name", 100, "given_name"),
    _text("middle_name", "Middle name", 100),
    _text("last_name", "Last name", 100, "family_name", "surname"),
    _text("salutation", "Salutation", 50, "title"),
    _choice("gender", "Gender", Gender),
    _of("birth_date", "Birth date", FieldType.DATE, None, "date_of_birth", "birthday"),
    _of("thumbnail_url", "Thumbnail URL", FieldType.URL, 1000),
    _of("mobile_phone", "Mobile phone", FieldType.PHONE, 32, "mobile", "cell_phone"),
    _of("phone", "Phone", FieldType.PHONE, 32, "phone_number", "telephone"),
    _of("fax", "Fax", FieldType.PHONE, 32),
    _text("address_line1", "Address, line 1", 200, "address_line_1", "address", "street"),
    _text("address_line2", "Address, line 2", 200, "address_line_2"),
    _text("address_line3", "Address, line 3", 200, "address_line_3"),
    _text("address_line4", "Address, line 4", 200, "address_line_4"),
    _text("zip_code", "Zip code", 20, "zip", "postal_code", "postcode"),
    _text("city", "City", 100),
    _text("state", "State or province", 100, "province"),
    _of("country", "Country (ISO 3166-1 alpha-2)", FieldType.COUNTRY, 2, "country_code"),
    _flag("address_defined", "Postal address is complete"),
    _coordinate("latitude", "Latitude", 90.0),
    _coordinate("longitude", "Longitude", 180.0),
    _choice("email_format", "Email format", EmailFormat),
    _of("language", "Language (BCP 47)", FieldType.LANGUAGE, 35, "preferred_language", "locale"),
    _of("time_zone", "Time zone (IANA)", FieldType.TIME_ZONE, 64, "timezone"),
    _flag("opt_out", "No longer contact by any channel", opt_out=True),
    _flag("opt_out_email", "No longer contact by email", opt_out=True),
    _flag("opt_out_mobile", "No longer contact by mobile", opt_out=True),
    _flag("opt_out_phone", "No longer contact by phone", opt_out=True),
    _flag("opt_out_fax", "No longer contact by fax", opt_out=True),
    _flag("opt_out_postal", "No longer contact by post", opt_out=True),
    _flag("opt_out_push", "No longer contact by push notification", opt_out=True),
    _flag("ccpa_opt_out", "No sale of personal data (CCPA)", opt_out=True),
    _house("created_at", "Created at", FieldType.INSTANT),
    _house("updated_at", "Updated at", FieldType.INSTANT),
)

FIELDS: Mapping[str, Field] = MappingProxyType({field.name: field for field in ALL})
SETTABLE: Mapping[str, Field] = MappingProxyType({field.name: field for field in ALL if field.settable})

# Columns that follow from the email and are written with it.
EMAIL_COLUMNS = ("email", "email_key", "email_domain")


def columns_of(field: Field) -> tuple[str, ...]:
    """The columns that are written when the field is."""
    return EMAIL_COLUMNS if field.type is FieldType.EMAIL else (field.column,)


# Every column that people and files can change, in the order of the statements that write them.
WRITTEN_COLUMNS: tuple[str, ...] = tuple(column for field in SETTABLE.values() for column in columns_of(field))
