"""By which columns profiles are reached over a kind of address: what a message is addressed to, and what is compared.

A kind that is not here is refused at preparation (ADDRESS_KIND_UNKNOWN): devices and applications are no columns of people.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, Text, case, column, func, literal, table
from sqlalchemy.dialects.postgresql import asyncpg

from channels.contract import AddressKind
from core.profiles.address_keys import LONGEST_POSTAL

COLUMNS = {
    AddressKind.EMAIL: ("email", "email_key"),
    AddressKind.MOBILE: ("mobile_phone", "mobile_phone"),
    AddressKind.PHONE: ("phone", "phone"),
    AddressKind.FAX: ("fax", "fax"),
}
KINDS = frozenset({*COLUMNS, AddressKind.POSTAL})

_NAME = ("salutation", "first_name", "middle_name", "last_name")
_STREET = ("address_line1", "address_line2", "address_line3", "address_line4")
_PLACE = ("zip_code", "city")
POSTAL = frozenset({*_STREET, *_PLACE, "state", "country"})  # where somebody lives


def address_of(kind: AddressKind, profile: FromClause) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """A person's address as a message is addressed, and as it is compared. Raises KeyError for a kind not in `KINDS`."""
    if kind is AddressKind.POSTAL:
        return _postal(profile)
    address, key = COLUMNS[kind]
    return profile.c[address], profile.c[key]


def key_text(kind: AddressKind, alias: str) -> str:
    """The compared form for SQL that people write, of profiles under an alias. Raises KeyError for a kind not in `KINDS`."""
    names = sorted({*_NAME, *_STREET, *_PLACE, *(one for both in COLUMNS.values() for one in both)})
    _, key = address_of(kind, table("profile", *map(column, names)).alias(alias))
    return str(key.compile(dialect=asyncpg.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]


def _postal(profile: FromClause) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """The lines of `core.profiles.postal.postal_lines`; NULL without any but the name. Compared as `address_key` compares."""
    street = (func.nullif(profile.c[name], "") for name in _STREET)
    where = func.concat_ws("\n", *street, _line(profile, _PLACE), type_=Text())
    block = case((where != "", func.concat_ws("\n", _line(profile, _NAME), where, type_=Text())))
    folded = func.normalize(func.lower(func.normalize(block)), type_=Text())
    return block, func.left(func.btrim(func.regexp_replace(folded, r"\s+", " ", "g")), LONGEST_POSTAL, type_=Text())


def _line(profile: FromClause, names: tuple[str, ...]) -> ColumnElement[str]:
    parts = (func.nullif(profile.c[name], "") for name in names)
    return func.nullif(func.concat_ws(literal(" "), *parts, type_=Text()), "")
