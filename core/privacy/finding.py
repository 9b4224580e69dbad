"""Whom a request is about: every profile that has the value, with all that is merged with it, and what they are known by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from channels.contract import AddressKind
from core.channel_registry import ChannelRegistry
from core.datamodel.personal import columns_compared, linked_columns
from core.datamodel.physical import column_of, has_column, link_column, table_of
from core.datamodel.present import present_model
from core.datamodel.records import DataField, FieldKind, Model
from core.db import Connection
from core.errors import Invalid
from core.ids import from_global_id
from core.personal import Person
from core.privacy.namespaces import PROFILE, links_to_profiles
from core.privacy.records import Namespace
from core.privacy.store import people as store
from core.privacy.words import SHORTEST
from core.profiles.address_keys import address_key
from core.targeting.personal import key_columns

# The fields of ours that requests name somebody by, with the column that is compared.
_OURS = {"email": "email_key", "mobile_phone": "mobile_phone", "external_id": "external_id", "id": "id"}
_KINDS = {"email": AddressKind.EMAIL, "mobile_phone": AddressKind.MOBILE}

# What somebody's profile says that names them in a text; and what does when all of it stands there.
_WORDS = ("email", "email_key", "external_id", "crypted_id", "opt_in_id", "mobile_phone", "phone", "fax", "thumbnail_url")
_LONG_WORDS = ("address_line1",)
_NAMES = ("first_name", "last_name")
_LONG = 6  # characters from which a text of a field is taken for somebody's own


def normalised(namespace: Namespace, value: str, region: str) -> str:
    """A value as it is compared. Raises Invalid (BAD_EMAIL, BAD_PHONE, BAD_VALUE)."""
    if not namespace.built_in:
        return value.strip()
    if namespace.field in _KINDS:
        return address_key(_KINDS[namespace.field], value, region, "reconciliation_value")
    if namespace.field == "id":
        return str(_profile_id(value.strip()))
    return value.strip()


def _profile_id(value: str) -> int:
    if re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    try:
        return from_global_id("Profile", value, "reconciliation_value")
    except Invalid:
        raise Invalid(
            "this is not the id of a profile", code="BAD_VALUE", path="reconciliation_value",
            hint="Use the id that the API gave for it, or its number.",
        ) from None  # fmt: skip


async def find_person(conn: Connection, namespace: Namespace, value: str, *, gone_too: bool) -> Person:
    """Whom a value names. `gone_too`: also by what is left of profiles that were deleted. Locks the profiles.

    Raises Invalid (UNKNOWN_FIELD) where the data model has the namespace's field no longer.
    """
    model = await present_model(conn)
    ids = await store.family_of(conn, await _profiles(conn, model, namespace, value))
    left = await _left_of(conn, namespace, value) if gone_too else []
    rows = await store.lock_family(conn, ids)
    every = tuple(sorted({*ids, *left}))
    compared = dict.fromkeys((*await linked_columns(conn), *await key_columns(conn)))
    person = _known_by(rows, model, compared)
    addresses = dict.fromkeys((*person.addresses, *_named_address(namespace, value)))
    addresses |= dict.fromkeys(_with_kinds(await store.addresses_written_to(conn, list(every)))) if every else {}
    addresses |= {(AddressKind.PUSH.value, token): None for token in await store.devices_of(conn, list(every))}
    words = dict.fromkeys((*person.words, value, *(key for _, key in addresses)))
    # No word: it may be no more than a city. The street is one.
    addresses |= {(AddressKind.POSTAL.value, key): None for key in await store.postal_addresses_of(conn, ids)}
    named = _named_by(namespace, value)
    known_by = tuple(one for one in (person.known_by if rows else named) if not left or one in named)
    return replace(person, profile_ids=every, addresses=tuple(addresses), words=tuple(words), known_by=known_by)


async def _profiles(conn: Connection, model: Model, namespace: Namespace, value: str) -> list[int]:
    entity = model.find(namespace.entity)
    if namespace.built_in:
        is_text = namespace.field != "id"
        return await store.ids_by_column(conn, PROFILE, _OURS[namespace.field], value, is_text=is_text)
    field = None if entity is None else entity.find(namespace.field)
    if entity is None or field is None:
        raise Invalid(
            f"the data model has no field {namespace.entity}.{namespace.field} any more", code="UNKNOWN_FIELD",
            hint="Publish it again, or use another namespace.",
        )  # fmt: skip
    column, is_text = column_of(field.name), field.kind in (FieldKind.TEXT, FieldKind.ENUMERATION)
    if entity.name == PROFILE:
        return await store.ids_by_column(conn, PROFILE, column, value, is_text=is_text)
    found: list[int] = []
    for link in links_to_profiles(model, entity.name):
        compared = [(link_column(link.name), "id")] if has_column(link) else columns_compared(model, entity, link)
        found += await store.ids_by_link(conn, table_of(entity), compared, column, value, is_text=is_text)
    return found


async def _left_of(conn: Connection, namespace: Namespace, value: str) -> list[int]:
    """Profiles that are not there any more, of which ledgers still tell."""
    if namespace.built_in and namespace.field in _KINDS:
        return await store.recipients_at(conn, value)
    if namespace.built_in and namespace.field == "id" and await store.was_written_to(conn, int(value)):
        return [int(value)]
    return []


def _known_by(rows: Sequence[Mapping[str, Any]], model: Model, compared: Iterable[str]) -> Person:
    fields = [one for one in _team_fields(model) if one.personal or one.sensitive]
    addresses: dict[tuple[str, str], None] = {}
    own = [_words_of(row, fields) for row in rows]
    names: dict[tuple[str, ...], None] = {}
    for row in rows:
        found = (("email", row["email_key"]), ("mobile", row["mobile_phone"]), ("phone", row["phone"]), ("fax", row["fax"]))
        addresses |= {(kind, key): None for kind, key in found if key}
        if all(row[name] for name in _NAMES):
            names[tuple(row[name] for name in _NAMES)] = None
    return Person(
        addresses=tuple(addresses),
        words=tuple(dict.fromkeys(word for words in own for word in words.values())),
        names=tuple(names),
        known_by=_known_in_all(own),
        linked={name: tuple({str(row[name]) for row in rows if row.get(name) is not None}) for name in compared},
    )


def _words_of(row: Mapping[str, Any], fields: Iterable[DataField]) -> dict[str, str]:
    """What is somebody's own in a profile, by field."""
    ours = {name: str(row[name]) for name in _WORDS if row[name]}
    long = {name: row[name] for name in _LONG_WORDS} | {one.name: row.get(column_of(one.name)) for one in fields}
    return ours | {name: str(one) for name, one in long.items() if one and len(str(one)) >= _LONG}


def _known_in_all(profiles: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The fields by which each of the profiles is found in a file."""
    sought = [{name for name, word in words.items() if len(word) >= SHORTEST} for words in profiles]
    return tuple(sorted(set.intersection(*sought))) if sought else ()


def _named_by(namespace: Namespace, value: str) -> tuple[str, ...]:
    """The field that the request itself names: all that is known of whose profile is gone."""
    return (namespace.field,) if namespace.entity == PROFILE and len(value) >= SHORTEST else ()


def _team_fields(model: Model) -> list[DataField]:
    entity = model.find(PROFILE)
    kinds = (FieldKind.TEXT, FieldKind.AUTOMATIC_ID)
    return [] if entity is None else [one for one in entity.fields if one.kind in kinds]


def _named_address(namespace: Namespace, value: str) -> list[tuple[str, str]]:
    return [(_KINDS[namespace.field].value, value)] if namespace.built_in and namespace.field in _KINDS else []


def _with_kinds(written_to: Iterable[tuple[str | None, str]]) -> list[tuple[str, str]]:
    """Addresses of ledgers with the kinds of their channels; where a channel is not there any more, by what they look like."""
    registry = ChannelRegistry.load()
    kinds = {name: registry.manifest(name).address_kind for name in registry.names()}
    return [((kinds.get(channel or "") or _kind_of(key)).value, key) for channel, key in written_to]


def _kind_of(key: str) -> AddressKind:
    if " " in key:
        return AddressKind.POSTAL
    return AddressKind.EMAIL if "@" in key else AddressKind.MOBILE
