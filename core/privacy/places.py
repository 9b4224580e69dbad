"""Where values of namespaces stand: in columns of ours, or in fields of the team's; and how they are read and compared.

Rows of profiles are people. Rows of the other tables lead to them: devices, visitors and events by the profile that was told
for them, rows of datasets by their links. Rows of datasets that nothing ties to people are meant themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from types import MappingProxyType
from typing import TypeAlias

from channels.contract import AddressKind
from core.datamodel.personal import columns_compared
from core.datamodel.physical import EVENT_PREFIX, column_of, has_column, link_column, table_of
from core.datamodel.present import present_model
from core.datamodel.records import DataField, Entity, FieldKind, Link, LinkKind, Model
from core.datamodel.rules import a_kind
from core.db import Connection
from core.errors import Invalid
from core.events.physical import table_of as table_of_events
from core.events.present import present_event_types
from core.events.records import EventTypes
from core.ids import from_global_id
from core.privacy.records import NamespaceDraft
from core.profiles.address_keys import address_key
from core.profiles.errors import BadValue
from core.profiles.fields import Field, FieldType
from core.profiles.typed_values import read_typed

PROFILE, VISITOR, DEVICE = "profile", "visitor", "app_subscription"
NODES: Mapping[str, str] = MappingProxyType({PROFILE: "Profile", VISITOR: "Visitor", DEVICE: "AppSubscription"})

_VALUE = "reconciliation_value"
_FIELD = "reconciliation_field"

# Kinds of fields that may tell people apart, and how their values are read. Texts may be others than are authorised now.
_READ: Mapping[FieldKind, FieldType] = MappingProxyType(
    {
        FieldKind.TEXT: FieldType.TEXT,
        FieldKind.ENUMERATION: FieldType.TEXT,
        FieldKind.INTEGER: FieldType.INTEGER,
        FieldKind.DECIMAL: FieldType.DECIMAL,
        FieldKind.DATE: FieldType.DAY,
        FieldKind.INSTANT: FieldType.INSTANT,
        FieldKind.AUTOMATIC_ID: FieldType.UUID,
    }
)

Way: TypeAlias = tuple[tuple[str, str], ...]  # columns of rows and of profiles that are equal where a row leads to a profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The column in which the values of a namespace stand."""

    table: str
    column: str
    kind: FieldKind = FieldKind.TEXT  # what the column holds
    address: AddressKind | None = None  # the kind of address that its values are
    numbered: bool = False  # its values are the ids of the rows
    exact: bool = False  # its values are kept as they were told, blanks and all
    ways: tuple[Way, ...] = ()  # on which rows of a dataset lead to profiles
    untied: bool = False  # rows of a dataset that leads to nobody: each is what a value means

    def read(self, value: str, region: str) -> str:
        """A value as it is compared; `region`: of phone numbers without a prefix.

        Raises Invalid (BAD_VALUE, BAD_EMAIL, BAD_PHONE, BAD_ADDRESS, EMPTY_ADDRESS).
        """
        if self.address is not None:
            return address_key(self.address, value, region, _VALUE)
        if self.numbered:
            return str(_row_id(NODES[self.table], value.strip()))
        return self._typed(value)

    def read_again(self, value: str) -> str:
        """A value that was read before, for what the column holds by now. Raises Invalid (BAD_VALUE) without quoting it."""
        return value if self.address is not None or self.numbered else self._typed(value)

    def _typed(self, value: str) -> str:
        if self.exact:
            return value
        hint = None
        try:
            found = read_typed(Field(name="value", label="Value", type=_READ[self.kind]), value)
        except BadValue as error:
            found, hint = None, error.hint
        if found is None:
            raise Invalid(f"what this namespace names is {a_kind(self.kind)}", code="BAD_VALUE", path=_VALUE, hint=hint)
        return found.isoformat() if isinstance(found, date) else str(found)


def _row_id(node: str, value: str) -> int:
    if re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    try:
        return from_global_id(node, value)
    except Invalid:
        raise Invalid(
            f"this is not the id of {'an' if node[0] in 'AEIOU' else 'a'} {node}", code="BAD_VALUE", path=_VALUE,
            hint="Use the id that the API gave for it, or its number.",
        ) from None  # fmt: skip


# Fields of ours, by the table that has them.
OURS: Mapping[str, Mapping[str, Place]] = MappingProxyType(
    {
        PROFILE: {
            "email": Place(table=PROFILE, column="email_key", address=AddressKind.EMAIL),
            "mobile_phone": Place(table=PROFILE, column="mobile_phone", address=AddressKind.MOBILE),
            "phone": Place(table=PROFILE, column="phone", address=AddressKind.PHONE),
            "fax": Place(table=PROFILE, column="fax", address=AddressKind.FAX),
            "external_id": Place(table=PROFILE, column="external_id"),
            "crypted_id": Place(table=PROFILE, column="crypted_id"),
            "opt_in_id": Place(table=PROFILE, column="opt_in_id", kind=FieldKind.AUTOMATIC_ID),
            "id": Place(table=PROFILE, column="id", kind=FieldKind.INTEGER, numbered=True),
        },
        VISITOR: {
            "external_id": Place(table=VISITOR, column="external_id"),
            "email": Place(table=VISITOR, column="email", address=AddressKind.EMAIL),
            "id": Place(table=VISITOR, column="id", kind=FieldKind.INTEGER, numbered=True),
        },
        DEVICE: {
            "registration_token": Place(table=DEVICE, column="registration_token", address=AddressKind.PUSH),
            "id": Place(table=DEVICE, column="id", kind=FieldKind.INTEGER, numbered=True),
        },
    }
)  # fmt: skip
_KEY = "key"  # of an event, as its teller named it


async def open_place(conn: Connection, namespace: NamespaceDraft) -> Place:
    """Where a namespace's values stand now. Raises Invalid (UNKNOWN_FIELD) where the field is not there any more."""
    try:
        return find_place(await present_model(conn), await present_event_types(conn), namespace.entity, namespace.field)
    except Invalid:
        raise Invalid(
            f"the data model has no field {namespace.entity}.{namespace.field} by which people are known any more",
            code="UNKNOWN_FIELD", path="namespace_name", hint="Publish it again, or use another namespace.",
        ) from None  # fmt: skip


def find_place(model: Model, types: EventTypes, entity: str, field: str) -> Place:
    """What a namespace names. Raises Invalid (UNKNOWN_DATASET, UNKNOWN_FIELD, BAD_KIND, NOT_LINKED)."""
    ours = OURS.get(entity, {})
    if field in ours:
        return ours[field]
    if entity.startswith(EVENT_PREFIX):
        return _of_events(types, entity, field)
    found = model.find(entity)
    if entity not in OURS and (found is None or found.built_in):
        raise Invalid(
            f"no dataset {entity[:80]!r} is published", code="UNKNOWN_DATASET", path="dataset",
            hint=f"Name {', '.join(OURS)}, {EVENT_PREFIX} and a type of events, or a dataset.",
        )  # fmt: skip
    one = _known(entity, field, found.fields if found else (), ours)
    if found is None or entity in OURS:
        return Place(table=entity, column=column_of(field), kind=one.kind)
    ways = tuple(_way(model, found, link) for link in links_to_profiles(model, entity))
    if not ways and _is_tied(model, found):
        raise Invalid(
            f"no link leads straight from {entity} to profiles, and others tie its rows to them, or to what is the team's",
            code="NOT_LINKED", path="dataset",
            hint="Link it to profiles by a link that is not to many, or use a dataset that leads there.",
        )  # fmt: skip
    return Place(table=table_of(found), column=column_of(field), kind=one.kind, ways=ways, untied=not ways)


def _of_events(types: EventTypes, entity: str, field: str) -> Place:
    name = entity.removeprefix(EVENT_PREFIX)
    found = types.find(name)
    if found is None:
        near = get_close_matches(name[:80], types.by_name, 1)
        raise Invalid(
            f"there is no event type {name[:80]!r}", code="UNKNOWN_DATASET", path="dataset",
            hint=f"Did you mean {EVENT_PREFIX + near[0]!r}?" if near else "Save the type first.",
        )  # fmt: skip
    if field == _KEY:
        return Place(table=table_of_events(name), column=_KEY, exact=True)
    one = _known(entity, field, found.fields, (_KEY,))
    return Place(table=table_of_events(name), column=column_of(field), kind=one.kind)


def _known(entity: str, name: str, fields: Iterable[DataField], ours: Iterable[str]) -> DataField:
    """The field of a name. Raises Invalid (UNKNOWN_FIELD, BAD_KIND)."""
    by_name = {one.name: one for one in fields}
    if name not in by_name:
        known = ", ".join((*ours, *by_name))
        raise Invalid(
            f"{entity} has no published field {name[:80]!r}", code="UNKNOWN_FIELD", path=_FIELD,
            hint=f"Known: {known}." if known else "Publish it first.",
        )  # fmt: skip
    if (kind := by_name[name].kind) not in _READ:
        raise Invalid(
            f"{a_kind(kind)} tells nobody apart", code="BAD_KIND", path=_FIELD,
            hint=f"Use a field of one of the kinds {', '.join(one.value for one in _READ)}.",
        )  # fmt: skip
    return by_name[name]


def links_to_profiles(model: Model, entity: str) -> list[Link]:
    """The links of a dataset each of whose rows leads to profiles: by a column with their id, or by equal fields."""
    found = model.find(entity)
    if found is None or table_of(found) == PROFILE:
        return []
    return [one for one in found.links if one.target == PROFILE and one.kind is not LinkKind.MANY_TO_MANY]


def _is_tied(model: Model, entity: Entity) -> bool:
    """Whether rows of a dataset may be more than one row's own: over other datasets or by pairs a profile's, or pointed to by
    what is ours."""
    if any(link.target == entity.name for one in model.entities if one.built_in for link in one.links):
        return True
    if any(link.target == PROFILE for link in entity.links):
        return True
    above, new = {entity.name}, [entity]
    while new:
        links = [link for link in new.pop().links if link.kind is not LinkKind.MANY_TO_MANY]
        new += [one for one in map(model.find, {link.target for link in links} - above) if one is not None]
        above |= {link.target for link in links}
    return PROFILE in above


def _way(model: Model, entity: Entity, link: Link) -> Way:
    return ((link_column(link.name), "id"),) if has_column(link) else tuple(columns_compared(model, entity, link))
