"""What keys, indexes and links by fields are made of: fields, links that have a column, and some columns of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.datamodel.physical import ENUMERATION_LENGTH, column_of, has_column, link_column
from core.datamodel.records import AUDIT_KINDS, Entity, FieldKind

WIDEST = 2_600  # bytes of one entry: Postgres refuses a row whose entry has more than 2,704


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column with what it holds."""

    name: str
    kind: FieldKind
    max_length: int | None = None  # characters, of a text
    folded: bool = False  # a text that is compared without case
    ours: bool = True
    indexed: bool = False  # by Clarion itself: an index of it alone would be the same again


def _text(name: str, length: int, *, folded: bool = False, indexed: bool = False) -> Column:
    return Column(name=name, kind=FieldKind.TEXT, max_length=length, folded=folded, indexed=indexed)


def _of(kind: FieldKind, *names: str) -> dict[str, Column]:
    return {name: Column(name=name, kind=kind) for name in names}


_ID = Column(name="id", kind=FieldKind.INTEGER, indexed=True)
_NAME = _text("name", 64, indexed=True)
_DATASET: Mapping[str, Column] = {"id": _ID, **_of(FieldKind.INSTANT, "created_at", "updated_at")}
_FLAGS = (
    "opt_out", "opt_out_email", "opt_out_mobile", "opt_out_phone", "opt_out_fax", "opt_out_postal", "opt_out_push",
    "ccpa_opt_out",
)  # fmt: skip

# An email is compared in its normal form, which is a column of its own.
_OURS: Mapping[str, Mapping[str, Column]] = MappingProxyType(
    {
        "profile": {
            **_DATASET,
            "external_id": _text("external_id", 100, indexed=True),
            "email": _text("email_key", 254, indexed=True),
            "email_domain": _text("email_domain", 253),
            "mobile_phone": _text("mobile_phone", 32, indexed=True),
            "last_name": _text("last_name", 100, folded=True, indexed=True),
            "city": _text("city", 100, folded=True),
            "zip_code": _text("zip_code", 20, folded=True),
            "country": _text("country", 2),
            "language": _text("language", 35, folded=True),
            **_of(FieldKind.DATE, "birth_date"),
            **_of(FieldKind.DECIMAL, "latitude", "longitude"),
            **_of(FieldKind.BOOLEAN, *_FLAGS),
        },
        "campaign": {
            **_DATASET,
            "name": _NAME,
            **_of(FieldKind.DATE, "starts_on", "ends_on"),
        },
        "delivery": {
            **_DATASET,
            "name": _NAME,
            **_of(FieldKind.INSTANT, "contact_at"),
        },
        "service": {
            **_DATASET,
            "name": _NAME,
            **_of(FieldKind.INSTANT, "starts_at", "ends_at"),
        },
        "app_subscription": {
            **_DATASET,
            "app": _text("app", 100, indexed=True),
            **_of(FieldKind.BOOLEAN, "opted_out"),
        },
    }
)

# Of those, the ones that a link by fields may lead to.
_IDENTIFYING: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "profile": frozenset({"id", "external_id", "email"}),
        "campaign": frozenset({"id", "name"}),
        "delivery": frozenset({"id", "name"}),
        "service": frozenset({"id", "name"}),
    }
)


def columns_of(entity: Entity) -> dict[str, Column]:
    """What its keys and indexes may be made of, by name."""
    found = dict(_OURS.get(entity.name, _DATASET) if entity.built_in else _DATASET)
    for link in entity.links:
        if has_column(link):
            found[link.name] = Column(name=link_column(link.name), kind=FieldKind.INTEGER, ours=False)
    return found | fields_of(entity)


def fields_of(entity: Entity) -> dict[str, Column]:
    """The columns of its fields, by name: what a link by fields leads from."""
    return {
        one.name: Column(
            name=column_of(one.name), kind=one.kind, max_length=one.max_length, folded=one.kind is FieldKind.TEXT, ours=False
        )
        for one in entity.fields
    }


def reachable(entity: Entity) -> dict[str, Column]:
    """What a link by fields may lead to: its fields, and what we know its rows by."""
    ours = _OURS.get(entity.name, _DATASET) if entity.built_in else _DATASET
    known = _IDENTIFYING.get(entity.name, frozenset({"id"}))
    return {name: one for name, one in ours.items() if name in known} | fields_of(entity)


def width(column: Column) -> int:
    """Bytes that a value takes in an index, at most; of numbers, those that people write."""
    if column.kind is FieldKind.TEXT:
        return 4 * (column.max_length or 0)
    return ENUMERATION_LENGTH if column.kind in {FieldKind.ENUMERATION, *AUDIT_KINDS} else 16
