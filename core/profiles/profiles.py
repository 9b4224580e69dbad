"""People: create, change, delete, find. Values are checked by the table of fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.datamodel.refusals import REFUSED
from core.db import Connection
from core.errors import Conflict, Invalid
from core.outbox import announce
from core.paging import Page, PageRequest, cut
from core.profiles import team_rows
from core.profiles.addresses import EmailAddress
from core.profiles.errors import BadValue, FieldsInvalid
from core.profiles.fields import EMAIL_COLUMNS, FIELDS, SETTABLE, WRITTEN_COLUMNS, Field
from core.profiles.phones import is_region
from core.profiles.records import Profile
from core.profiles.store import merges
from core.profiles.store import profiles as store
from core.profiles.team_rows import Extended
from core.profiles.values import UNSTORABLE, Reading, clean
from core.provenance import Provenance, tell_provenance

LOOKUPS = frozenset({"external_id", "crypted_id", "opt_in_id"})
DEFAULT_COUNTRY = "US"
OPT_OUTS = frozenset(field.name for field in SETTABLE.values() if field.opt_out)
BY_HAND = "profile"  # where a refusal came from that was set or lifted with the profile's other fields

_EMPTY: dict[str, Any] = dict.fromkeys(WRITTEN_COLUMNS) | {
    field.name: field.default for field in SETTABLE.values() if field.required
}


async def create_profile(
    conn: Connection,
    actor: Actor,
    values: Mapping[str, Any],
    team: Mapping[str, Any] = MappingProxyType({}),
    *,
    now: datetime,
    default_country: str = DEFAULT_COUNTRY,
) -> Profile:
    """A new profile; values are typed or in their text spelling, `team` are those of the team's fields.

    Raises FieldsInvalid, Conflict (VALUE_TAKEN), Invalid (ROW_TOO_BIG).
    """
    require(actor, Permission.EDIT)
    columns = clean_values(values, now=now, country=None, default_country=default_country)
    added = await team_rows.clean_new(conn, Extended.PROFILE, team)
    if any(columns.get(name) for name in OPT_OUTS):
        await tell_provenance(conn, Provenance(actor=actor.name, now=now, origin=BY_HAND))
    try:
        async with conn.transaction():
            profile = await store.insert_profile(conn, _EMPTY | columns, now)
            await team_rows.write(conn, Extended.PROFILE, profile.id, added)
    except REFUSED as error:
        raise await refused(conn, error) from None
    told = {"fields": sorted(name for name, value in {**values, **team}.items() if value is not None)}
    await record(conn, actor, "profile.create", "profile", profile.id, told)
    return profile


async def update_profile(
    conn: Connection,
    actor: Actor,
    profile_id: int,
    changes: Mapping[str, Any],
    team: Mapping[str, Any] = MappingProxyType({}),
    *,
    now: datetime,
    default_country: str = DEFAULT_COUNTRY,
) -> Profile:
    """Change the fields given, `team` those of the team; None clears. Nothing is written when nothing differs. Of one that is
    merged, its survivor changes.

    Raises FieldsInvalid, NotFound (PROFILE_NOT_FOUND), Conflict (VALUE_TAKEN), Invalid (ROW_TOO_BIG).
    """
    require(actor, Permission.EDIT)
    profile = await _lock_whole(conn, profile_id)
    profile_id = profile.id
    columns = clean_values(changes, now=now, country=profile.country, default_country=default_country)
    added = await team_rows.clean_changed(conn, Extended.PROFILE, profile_id, team)
    before = {column: getattr(profile, column) for column in WRITTEN_COLUMNS}
    after = before | columns
    changed = sorted(column for column in WRITTEN_COLUMNS if after[column] != before[column])
    if not changed and not added:
        return profile
    if not OPT_OUTS.isdisjoint(changed):
        await tell_provenance(conn, Provenance(actor=actor.name, now=now, origin=BY_HAND))
    try:
        async with conn.transaction():
            updated = await store.update_profile(conn, profile_id, after, now)
            await team_rows.write(conn, Extended.PROFILE, profile_id, added)
    except REFUSED as error:
        raise await refused(conn, error) from None
    told = {"fields": [*(column for column in changed if column in FIELDS), *team_rows.told(team, added)]}
    await record(conn, actor, "profile.update", "profile", profile_id, told)
    return updated


async def delete_profile(conn: Connection, actor: Actor, profile_id: int) -> None:
    """Delete a profile and what is merged into it; what was sent to it stays in the ledgers' totals.

    Raises NotFound (PROFILE_NOT_FOUND), Conflict (PROFILE_MERGED; LINKED where rows of a dataset are linked to it by a link
    that refuses).
    """
    require(actor, Permission.EDIT)
    _, survivor = await store.lock_profile(conn, profile_id)
    if survivor is not None:
        raise Conflict(
            f"this profile is merged into profile {survivor}", code="PROFILE_MERGED", path="id",
            hint="Delete that one, or undo the merge first.",
        )  # fmt: skip
    merged = await merges.list_aliases(conn, [profile_id])  # nobody merges or separates them while their survivor is locked
    try:
        async with conn.transaction():
            there = await store.delete_profile(conn, profile_id)
    except REFUSED as error:
        raise await refused(conn, error) from None
    if not there:
        raise not_found("profile", profile_id)
    await record(conn, actor, "profile.delete", "profile", profile_id)
    for one in (profile_id, *merged):
        await announce(conn, "profile.deleted", profile_id=one)


async def get_profile(conn: Connection, profile_id: int) -> Profile:
    """Of one that is merged, its survivor. Raises NotFound (PROFILE_NOT_FOUND)."""
    profile = await store.find_profile(conn, profile_id)
    if profile is None:
        raise not_found("profile", profile_id)
    return profile


async def find_profile(conn: Connection, profile_id: int) -> Profile | None:
    """The profile, or None; of one that is merged, its survivor."""
    return await store.find_profile(conn, profile_id)


async def find_profile_by(conn: Connection, field: str, value: object) -> Profile | None:
    """By `external_id`, `crypted_id` or `opt_in_id`. Raises Invalid (UNKNOWN_FIELD) for another field."""
    if field not in LOOKUPS:
        hint = f"Use {', '.join(sorted(LOOKUPS))}."
        raise Invalid(f"profiles are not looked up by {field!r}", code="UNKNOWN_FIELD", path=field, hint=hint)
    if isinstance(value, str) and UNSTORABLE.search(value):
        return None
    return await store.find_profile_by(conn, field, value)


async def get_profiles(conn: Connection, ids: Sequence[int]) -> dict[int, Profile]:
    """Those of the given profiles that exist, by the ids given; of one that is merged, its survivor."""
    return await store.get_profiles(conn, ids) if ids else {}


async def list_profiles(conn: Connection, page: PageRequest) -> Page[Profile]:
    """A page in the order of ids."""
    return cut(await store.list_profiles(conn, page.after, page.first + 1), page)


async def count_profiles(conn: Connection) -> int:
    """How many there are."""
    return await store.count_profiles(conn)


async def _lock_whole(conn: Connection, profile_id: int) -> Profile:
    """A profile, or the survivor of one that is merged, locked. Raises NotFound (PROFILE_NOT_FOUND)."""
    asked: int | None = profile_id
    profile = None
    while asked is not None:
        profile, asked = await store.lock_profile(conn, asked)
    if profile is None:
        raise not_found("profile", profile_id)
    return profile


def clean_values(values: Mapping[str, Any], *, now: datetime, country: str | None, default_country: str) -> dict[str, Any]:
    """The columns that these fields set, checked and normalised. Phone numbers are read for the person's country.

    Raises FieldsInvalid with every problem at once.
    """
    problems: list[Invalid] = []
    columns: dict[str, Any] = {}
    region = _region(values.get("country", country), default_country)
    reading = Reading(region=region, today=now.date())
    for name, value in values.items():
        field = SETTABLE.get(name)
        if field is None:
            problems.append(_unknown(name))
            continue
        try:
            columns |= _columns(field, clean(field, value, reading))
        except BadValue as error:
            problems.append(error.at(name, field.label))
    if problems:
        raise FieldsInvalid(problems)
    return columns


def _columns(field: Field, value: Any) -> dict[str, Any]:
    if field.name != "email":
        return {field.name: field.default if value is None and field.required else value}
    if value is None:
        return dict.fromkeys(EMAIL_COLUMNS)
    assert isinstance(value, EmailAddress)
    return dict(zip(EMAIL_COLUMNS, (value.address, value.key, value.domain), strict=True))


def _region(country: object, default_country: str) -> str:
    code = country.strip().upper() if isinstance(country, str) else ""
    return code if is_region(code) else default_country


def _unknown(name: str) -> Invalid:
    if name in FIELDS:
        return Invalid(f"{FIELDS[name].label} cannot be set", code="READ_ONLY_FIELD", path=name)
    near = get_close_matches(name, SETTABLE, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Fields: {_listed(SETTABLE)}."
    return Invalid(f"a profile has no field {name[:80]!r}", code="UNKNOWN_FIELD", path=name[:80], hint=hint)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


async def refused(conn: Connection, error: asyncpg.PostgresError) -> Exception:
    """What the database refused as an error of ours; what is none is our own mistake, and stays what it is."""
    found = await team_rows.refused(conn, error)
    if found is not None:
        return found
    return taken(error) if isinstance(error, asyncpg.UniqueViolationError) else error


def taken(error: asyncpg.UniqueViolationError) -> Conflict:
    """Somebody else has a unique value."""
    name = (error.constraint_name or "").removeprefix("profile_")
    label = FIELDS[name].label if name in FIELDS else "a value"
    return Conflict(
        f"another profile has this {label.lower()}", code="VALUE_TAKEN", path=name or None,
        hint="Change that profile, or use another value.",
    )  # fmt: skip
