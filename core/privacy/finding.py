"""Whom a request is about: every profile that has the value, with all that is merged with it, and what they are known by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from channels.contract import AddressKind
from core.channel_registry import ChannelRegistry
from core.datamodel.personal import linked_columns
from core.datamodel.physical import column_of, table_of
from core.datamodel.present import present_model
from core.datamodel.records import DataField, FieldKind, Model
from core.db import Connection
from core.errors import Invalid
from core.personal import Person
from core.privacy.places import DEVICE, OURS, PROFILE, VISITOR, Place, open_place
from core.privacy.records import Namespace
from core.privacy.store import finding
from core.privacy.store import people as store
from core.privacy.words import SHORTEST
from core.targeting.personal import key_columns

# What somebody's profile says that names them in a text; and what does when all of it stands there.
_WORDS = ("email", "email_key", "external_id", "crypted_id", "opt_in_id", "mobile_phone", "phone", "fax", "thumbnail_url")
_LONG_WORDS = ("address_line1",)
_NAMES = ("first_name", "last_name")
_LONG = 6  # characters from which a text of a field is taken for somebody's own


async def find_person(conn: Connection, namespace: Namespace, value: str, *, gone_too: bool) -> Person:
    """Whom a value names. `gone_too`: also by what is left of profiles that were deleted. Locks the profiles.

    Raises Invalid (UNKNOWN_FIELD, BAD_VALUE) where the namespace's field is there no longer, or holds other values, and
    (TOO_MANY_FOUND) where the value is that of too many to be anybody's own.
    """
    model = await present_model(conn)
    place = await open_place(conn, namespace)
    value = place.read_again(value)
    owners, nobodys = await _with(conn, place, value)
    _check_number(owners, nobodys)
    ids = await store.family_of(conn, owners)
    left = {*owners, *await _left_of(conn, place, value)}.difference(ids) if gone_too else set()
    rows = await store.lock_family(conn, ids)
    every = tuple(sorted({*ids, *left}))
    compared = dict.fromkeys((*await linked_columns(conn), *await key_columns(conn)))
    person = _known_by(rows, model, compared)
    said = await _said(conn, model, nobodys, every)
    addresses = dict.fromkeys((*person.addresses, *_named_address(place, value), *said.addresses))
    addresses |= dict.fromkeys(_with_kinds(await store.addresses_written_to(conn, list(every)))) if every else {}
    addresses |= {(AddressKind.PUSH.value, token): None for token in await store.devices_of(conn, list(every))}
    named = () if place.numbered and place.table != PROFILE else (value,)
    told = await _told_by_rows(conn, model, nobodys)
    words = dict.fromkeys((*person.words, *named, *said.words, *told, *(key for _, key in addresses)))
    # No word: it may be no more than a city. The street is one.
    addresses |= {(AddressKind.POSTAL.value, key): None for key in await store.postal_addresses_of(conn, ids)}
    sought = _sought_by(namespace, place, value)
    known_by = person.known_by if rows else tuple(sorted({*sought, *said.known_by}))
    return replace(
        person, profile_ids=every, addresses=tuple(addresses), words=tuple(words), names=(*person.names, *said.names),
        known_by=tuple(one for one in known_by if not left or one in sought), nobodys=nobodys,
    )  # fmt: skip


async def _with(conn: Connection, place: Place, value: str) -> tuple[list[int], dict[str, tuple[int, ...]]]:
    """The profiles to which rows with a value lead, and by table the rows that lead to none."""
    if place.table == PROFILE:
        return await finding.profiles_with(conn, place, value), {}
    if place.untied:
        found = await finding.rows_with(conn, place, value)
        return [], {place.table: tuple(found)} if found else {}
    if place.ways:
        return [one for way in place.ways for one in await finding.linked_with(conn, place, way, value)], {}
    owners = await finding.owners_of(conn, place, value)
    if place.table not in OURS:  # events, which always have a profile
        return owners, {}
    if place.address is AddressKind.EMAIL:  # whose address it is has it in a profile too
        owners += await finding.profiles_with(conn, OURS[PROFILE]["email"], value)
    nobodys = await finding.nobodys_with(conn, place, value)
    return owners, {place.table: tuple(nobodys)} if nobodys else {}


def _check_number(owners: Sequence[int], nobodys: Mapping[str, Sequence[int]]) -> None:
    if len({*owners}) + sum(map(len, nobodys.values())) > finding.MOST:
        raise Invalid(
            f"more than {finding.MOST:,} have this value: it names nobody", code="TOO_MANY_FOUND",
            hint="Use a namespace over a field that tells people apart.",
        )  # fmt: skip


async def _said(conn: Connection, model: Model, nobodys: Mapping[str, Sequence[int]], ids: Sequence[int]) -> Person:
    """What rows without a profile tell of the person, and visitors and devices of these profiles; addresses that another
    profile has are left out, for anybody can say them."""
    visitors = await store.said_by(conn, nobodys.get(VISITOR, ()))
    emails = (*(one["email"] for one in visitors if one["email"]), *await store.visitors_of(conn, ids))
    tokens = await store.tokens_of(conn, nobodys.get(DEVICE, ()))
    marked = [column_of(one.name) for one in _marked_fields(model, DEVICE)]
    told = await finding.said_of_devices(conn, marked, nobodys.get(DEVICE, ()), ids) if marked else []
    addresses = dict.fromkeys(
        (*((AddressKind.EMAIL.value, one) for one in emails), *((AddressKind.PUSH.value, one) for one in tokens))
    )
    others = await store.others_with(conn, [kind for kind, _ in addresses], [key for _, key in addresses], ids)
    shared = {(kind, key) for _, kind, key in others}
    own = tuple(one for one in addresses if one not in shared)
    full = [tuple(one[name] for name in _NAMES) for one in visitors]
    return Person(
        addresses=own,
        words=(*(one["external_id"] for one in visitors), *(one for one in told if len(one) >= _LONG)),
        names=tuple(dict.fromkeys(one for one in full if all(one))),
        known_by=("email",) if any(kind == AddressKind.EMAIL for kind, _ in own) else (),
    )


async def _told_by_rows(conn: Connection, model: Model, nobodys: Mapping[str, Sequence[int]]) -> list[str]:
    """What rows of datasets that nobody is tied to say of the person, without what anybody can say: somebody's address."""
    told: dict[str, None] = {}
    for entity in model.entities:
        marked = [column_of(one.name) for one in _marked_fields(model, entity.name)]
        if (found := nobodys.get(table_of(entity))) and marked and not entity.built_in:
            told |= dict.fromkeys(await finding.said_of_rows(conn, table_of(entity), marked, found))
    long = [one for one in told if len(one) >= _LONG]
    asked = [(kind.value, one.lower()) for one in long for kind in (AddressKind.EMAIL, AddressKind.MOBILE, AddressKind.PHONE)]
    others = await store.others_with(conn, [kind for kind, _ in asked], [key for _, key in asked], ()) if asked else []
    shared = {key for _, _, key in others}
    return [one for one in long if one.lower() not in shared]


async def _left_of(conn: Connection, place: Place, value: str) -> list[int]:
    """Profiles that are not there any more, of which ledgers still tell."""
    if place.address is not None:
        return await store.recipients_at(conn, value)
    if place.table == PROFILE and place.numbered and await store.was_written_to(conn, int(value)):
        return [int(value)]
    return []


def _known_by(rows: Sequence[Mapping[str, Any]], model: Model, compared: Iterable[str]) -> Person:
    fields = _marked_fields(model, PROFILE)
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


def _sought_by(namespace: Namespace, place: Place, value: str) -> tuple[str, ...]:
    """The field of profiles that the request itself names: all that is known of whose profile is gone."""
    is_of_profiles = place.table == PROFILE or place.address is AddressKind.EMAIL
    return (namespace.field,) if is_of_profiles and len(value) >= SHORTEST else ()


def _marked_fields(model: Model, name: str) -> list[DataField]:
    """The team's fields whose values are somebody's own."""
    entity = model.find(name)
    kinds = (FieldKind.TEXT, FieldKind.AUTOMATIC_ID)
    fields = () if entity is None else entity.fields
    return [one for one in fields if one.kind in kinds and (one.personal or one.sensitive)]


def _named_address(place: Place, value: str) -> list[tuple[str, str]]:
    return [] if place.address is None else [(place.address.value, value)]


def _with_kinds(written_to: Iterable[tuple[str | None, str]]) -> list[tuple[str, str]]:
    """Addresses of ledgers with the kinds of their channels; where a channel is not there any more, by what they look like."""
    registry = ChannelRegistry.load()
    kinds = {name: registry.manifest(name).address_kind for name in registry.names()}
    return [((kinds.get(channel or "") or _kind_of(key)).value, key) for channel, key in written_to]


def _kind_of(key: str) -> AddressKind:
    if " " in key:
        return AddressKind.POSTAL
    return AddressKind.EMAIL if "@" in key else AddressKind.MOBILE
