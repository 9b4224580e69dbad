"""Suppression lists: addresses and domains that are not written to, whoever owns them (feature map 1.46).

A list applies to all deliveries, or to those that name it. `suppression_entries` changes what stands in them,
`suppression_imports` and `suppression_exports` take whole files in and out. Preparations leave suppressed people out, claims
ask again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import asyncpg

from channels.contract import AddressKind
from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.profiles.address_keys import address_key
from core.profiles.store import suppression as store
from core.profiles.suppression_forms import all_forms, domains_of, hashes
from core.profiles.suppression_records import (
    EntryForm,
    SuppressionEntry,
    SuppressionKind,
    SuppressionList,
    SuppressionListDraft,
    SuppressionScope,
)


@dataclass(frozen=True, slots=True)
class SuppressionReach:
    """Which lists a preparation has to look into, by the form of their entries; nothing where lists are empty."""

    lists: Mapping[EntryForm, Sequence[int]]


async def create_list(conn: Connection, actor: Actor, draft: SuppressionListDraft) -> SuppressionList:
    """A new, empty list. Raises Invalid (BAD_NAME, BAD_LABEL), Conflict (NAME_TAKEN)."""
    require(actor, Permission.ADMINISTER)
    _check(draft)
    made = await store.insert_list(conn, draft, actor.name)
    if made is None:
        raise name_taken("suppression list", draft.name)
    await record(conn, actor, "suppression_list.create", "suppression_list", made.id, difference({}, _told(draft)))
    return made


async def update_list(
    conn: Connection, actor: Actor, list_id: int, changes: Mapping[str, Any], *, expected_version: int | None = None
) -> SuppressionList:
    """Change `name`, `label` or `scope`. What changes nothing makes no new version.

    Raises as `create_list`, Invalid (FIXED_KIND), NotFound (SUPPRESSION_LIST_NOT_FOUND), Stale (VERSION_CHANGED).
    """
    require(actor, Permission.ADMINISTER)
    found = await lock_list(conn, list_id)
    check_version("suppression list", found.version, expected_version)
    before = SuppressionListDraft(name=found.name, label=found.label, kind=found.kind, scope=found.scope)
    draft = changed(before, changes)
    if draft.kind is not before.kind:
        raise Invalid("the kind of a list stays", code="FIXED_KIND", path="kind", hint="Create another list.")
    if draft == before:
        return found
    _check(draft)
    try:
        async with conn.transaction():
            updated = await store.update_list(conn, list_id, draft)
    except asyncpg.UniqueViolationError:
        raise name_taken("suppression list", draft.name) from None
    told = difference(_told(before), _told(draft))
    await record(conn, actor, "suppression_list.update", "suppression_list", list_id, told)
    return updated


async def delete_list(conn: Connection, actor: Actor, list_id: int) -> None:
    """Delete a list with its entries. Raises NotFound, Conflict (IN_USE) when a delivery names it."""
    require(actor, Permission.ADMINISTER)
    found = await lock_list(conn, list_id)
    entries = (await store.count_entries(conn, [list_id])).get(list_id, 0)
    try:
        async with conn.transaction():
            await store.delete_list(conn, list_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict(
            f"deliveries name the suppression list {found.name!r}", code="IN_USE", hint="Take it out of them first."
        ) from None
    told = {"name": {"from": found.name}, "entries": {"from": entries}}
    await record(conn, actor, "suppression_list.delete", "suppression_list", list_id, told)


async def get_list(conn: Connection, list_id: int, path: str | None = None) -> SuppressionList:
    """Raises NotFound (SUPPRESSION_LIST_NOT_FOUND)."""
    found = await store.find_lists(conn, [list_id])
    if not found:
        raise not_found("suppression list", list_id, path)
    return found[0]


async def find_lists(conn: Connection, ids: Sequence[int]) -> list[SuppressionList]:
    """Those of the ids that exist."""
    return await store.find_lists(conn, ids) if ids else []


async def lock_list(conn: Connection, list_id: int) -> SuppressionList:
    """The list, locked until the end of the transaction. Raises NotFound (SUPPRESSION_LIST_NOT_FOUND)."""
    found = await store.lock_list(conn, list_id)
    if found is None:
        raise not_found("suppression list", list_id)
    return found


async def list_lists(conn: Connection, page: PageRequest) -> Page[SuppressionList]:
    """Lists, oldest first."""
    return cut(await store.list_lists(conn, page.after, page.first + 1), page)


async def count_lists(conn: Connection) -> int:
    """How many lists there are."""
    return await store.count_lists(conn)


async def count_entries(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many entries each list has, by its id; nothing for those that have none."""
    return await store.count_entries(conn, ids)


async def find_matches(
    conn: Connection, kind: AddressKind, address: str, *, now: datetime, region: str = "US"
) -> list[SuppressionEntry]:
    """The entries of any list that suppress an address, in any spelling. Raises Invalid (BAD_EMAIL, BAD_PHONE, …)."""
    key = address_key(kind, address, region)
    meant = [(EntryForm.PLAIN, key), *hashes(key), *(domains_of(key) if kind is AddressKind.EMAIL else [])]
    return await store.find_entries(conn, _kinds(kind), meant, now)


async def find_reach(conn: Connection, kind: AddressKind, named: Sequence[int]) -> SuppressionReach:
    """What a preparation for addresses of a kind has to look into; `named`: the lists that the delivery names."""
    lists: dict[EntryForm, list[int]] = {}
    for list_id, form in await store.list_reach(conn, _kinds(kind), named):
        lists.setdefault(form, []).append(list_id)
    return SuppressionReach(lists)


async def forget_addresses(conn: Connection, kind: AddressKind, address_keys: Sequence[str]) -> int:
    """For an erasure: the addresses go from every list, and so do their hashes, which whoever tries all addresses can read.

    Returns in how many entries they stood. That nobody is written to there again is what `erased` keeps a keyed hash for.
    """
    meant = [entry for key in address_keys for entry in all_forms((EntryForm.PLAIN, key))]
    return await store.delete_addresses(conn, kind.value, meant) if meant else 0


def _kinds(kind: AddressKind) -> list[str]:
    return [kind.value, *([SuppressionKind.EMAIL_DOMAIN.value] if kind is AddressKind.EMAIL else [])]


def _check(draft: SuppressionListDraft) -> None:
    check_name(draft.name)
    check_label(draft.label)


def _told(draft: SuppressionListDraft) -> dict[str, Any]:
    return {**asdict(draft), "kind": draft.kind.value, "scope": SuppressionScope(draft.scope).value}
