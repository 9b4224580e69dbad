"""Two profiles that are one person become one, and two again when that was wrong.

Nothing of the past moves: messages, events and memberships keep the id that they have, and whoever reads them for a person
reads those of all ids (`merged_into`). Only the survivor's fields change, and its merge remembers what they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import record, record_many
from core.authored import not_found
from core.datamodel.physical import table_named
from core.datamodel.present import present_model
from core.datamodel.records import LinkKind
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.profiles import team_rows
from core.profiles.errors import FieldsInvalid
from core.profiles.fields import Field, columns_of
from core.profiles.merge_keys import Columns, given_up, take_out_lost, unique_columns
from core.profiles.merge_records import Merge, MergePlan, MergePreview, MergeRule, Undone
from core.profiles.merge_rules import Person, check_rules, decide
from core.profiles.profiles import DEFAULT_COUNTRY, OPT_OUTS, clean_values, refused
from core.profiles.store import merges as store
from core.profiles.team_fields import present_fields
from core.profiles.team_rows import Extended
from core.provenance import Provenance, tell_provenance

MOST_OTHERS = 20  # merged by one call


async def preview_merge(
    conn: Connection, plan: MergePlan, *, now: datetime, default_country: str = DEFAULT_COUNTRY
) -> MergePreview:
    """What a merge would do, by the same rules; nothing is written. Raises as `merge_profiles`."""
    preview, _, _ = await _plan(conn, plan, now, default_country, await unique_columns(conn))
    return preview


async def merge_profiles(
    conn: Connection, actor: Actor, plan: MergePlan, *, now: datetime, default_country: str = DEFAULT_COUNTRY
) -> Merge:
    """Make the survivor stand for the others, and for all that were merged into them before.

    Raises Invalid (NOBODY_ELSE, TOO_MANY, UNKNOWN_FIELD, DUPLICATE_RULE, RULE_NOT_ALLOWED, NO_OTHER, NO_VALUE), FieldsInvalid,
    NotFound (PROFILE_NOT_FOUND), Conflict (ALREADY_MERGED, VALUE_TAKEN).
    """
    require(actor, Permission.EDIT)
    _check(plan)
    await store.lock_merges(conn)
    await store.lock_people(conn, [plan.survivor_id, *plan.other_ids, *await store.list_aliases(conn, plan.other_ids)])
    keys = await unique_columns(conn)
    preview, changes, people = await _plan(conn, plan, now, default_country, keys)
    try:
        async with conn.transaction():
            merge_id = await store.insert_merge(
                conn, plan.survivor_id, changes, given_up(people, changes, keys), plan.other_ids, now, actor.name
            )
            await _tell(conn, actor, changes, f"merge:{merge_id}", now)
            await store.set_survivor(conn, plan.survivor_id, changes, now)
            await store.remember_after(conn, merge_id, list(changes))
    except asyncpg.UniqueViolationError as error:
        raise await refused(conn, error) from None
    changed = [one.field for one in preview.fields if one.changed]
    told = {"merge": merge_id, "profiles": list(preview.ids[1:]), "fields": changed}
    await record(conn, actor, "profile.merge", "profile", plan.survivor_id, told)
    await record_many(conn, actor, "profile.merged", "profile", preview.ids[1:], {"merge": merge_id, "into": plan.survivor_id})
    return await get_merge(conn, merge_id)


async def undo_merge(conn: Connection, actor: Actor, merge_id: int, *, now: datetime) -> Undone:
    """Separate what a merge put together; the last merge of a person first.

    Each profile that was merged is again what it was. Of the survivor, the fields that the merge changed and nobody changed
    since become what they were; later changes stay, and so do refusals made since by the person. Raises NotFound
    (MERGE_NOT_FOUND), Conflict (ALREADY_UNDONE, LATER_MERGE, VALUE_TAKEN).
    """
    require(actor, Permission.EDIT)
    await store.lock_merges(conn)
    merge = await get_merge(conn, merge_id)
    await store.lock_people(conn, [merge.survivor_id, *merge.merged_ids])
    if merge.undone_at is not None:
        raise Conflict("this merge was undone before", code="ALREADY_UNDONE", path="id", hint="There is nothing left to do.")
    later = await store.find_later(conn, merge)
    if later is not None:
        raise Conflict(
            f"merge {later} came later and has the same person in it", code="LATER_MERGE", path="id",
            hint="Undo that one first.",
        )  # fmt: skip
    fields = await _fields(conn)
    keys = await unique_columns(conn)
    columns = _columns(fields, keys)
    before, after, present, since = await store.read_undo(conn, merge_id, columns)
    restored, kept = _restored(fields, before, after, present, since)
    given_back = await store.get_given_up(conn, merge_id, columns)
    among = [merge.survivor_id, *merge.merged_ids]
    people = await store.get_people(conn, among, columns)
    lost = await take_out_lost(conn, among, keys, people, {merge.survivor_id: restored, **given_back})
    lost += await _take_out_gone(conn, merge, fields, restored)
    untouched = not kept and not lost and present["updated_at"] == after["updated_at"]
    await _tell(conn, actor, restored, f"undone merge:{merge_id}", now)
    try:
        async with conn.transaction():
            # Whom nobody touched since is again just what it was, also in when it was changed.
            await store.set_survivor(conn, merge.survivor_id, restored, before["updated_at"] if untouched else now)
            await store.separate(conn, merge_id, given_back)
    except asyncpg.UniqueViolationError as error:
        raise await refused(conn, error) from None
    await store.end_merge(conn, merge_id, now, actor.name)
    told = {"merge": merge_id, "profiles": list(merge.merged_ids), "kept": list(kept)}
    await record(conn, actor, "profile.undo_merge", "profile", merge.survivor_id, told)
    await record_many(conn, actor, "profile.unmerged", "profile", merge.merged_ids, {"merge": merge_id})
    names = {column: name for name, field in fields.items() for column in columns_of(field)}
    told_lost = tuple((profile_id, names.get(column, column)) for profile_id, column in lost)
    return Undone(merge=await get_merge(conn, merge_id), kept=kept, lost=told_lost)


async def get_merge(conn: Connection, merge_id: int) -> Merge:
    """Raises NotFound (MERGE_NOT_FOUND)."""
    merge = await store.find_merge(conn, merge_id)
    if merge is None:
        raise not_found("merge", merge_id)
    return merge


async def get_merges(conn: Connection, ids: Sequence[int]) -> list[Merge]:
    """Those that exist."""
    return await store.get_merges(conn, ids)


async def list_merges(conn: Connection, page: PageRequest, profile_id: int | None = None) -> Page[Merge]:
    """The newest first; of everybody, or those that a profile had a part in."""
    return cut(await store.list_merges(conn, profile_id, page.after, page.first + 1), page)


async def get_aliases(conn: Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """Who is merged into each of these; those with nobody are left out."""
    return await store.get_aliases(conn, ids)


async def _tell(conn: Connection, actor: Actor, changes: Mapping[str, Any], origin: str, now: datetime) -> None:
    """Who acts, to the ledger of consent, where flags change."""
    if not OPT_OUTS.isdisjoint(changes):
        await tell_provenance(conn, Provenance(actor=actor.name, now=now, origin=origin))


async def _plan(
    conn: Connection, plan: MergePlan, now: datetime, default_country: str, keys: Sequence[Columns]
) -> tuple[MergePreview, dict[str, Any], list[Person]]:
    """The preview, the survivor's columns that change, and the people: the survivor first."""
    _check(plan)
    fields = await _fields(conn)
    check_rules(plan, fields)
    columns = _columns(fields, keys)
    rows = await store.get_people(conn, [plan.survivor_id, *plan.other_ids], columns)
    people = [_person(rows, plan, n, one) for n, one in enumerate((plan.survivor_id, *plan.other_ids))]
    given = await _given(conn, plan, fields, people[0], now, default_country)
    merged, changes = decide(plan, fields, people, given)
    brought = await store.list_aliases(conn, plan.other_ids)
    preview = MergePreview(
        survivor_id=plan.survivor_id, other_ids=plan.other_ids, brought_ids=tuple(brought), fields=tuple(merged)
    )
    return preview, changes, people


def _check(plan: MergePlan) -> None:
    if not plan.other_ids:
        raise Invalid("nobody else is to be merged", code="NOBODY_ELSE", path="merged_ids", hint="Name the others.")
    if len(plan.other_ids) > MOST_OTHERS:
        raise Invalid(
            f"at most {MOST_OTHERS} profiles are merged at once", code="TOO_MANY", path="merged_ids",
            hint="Merge them in steps.",
        )  # fmt: skip
    if len({plan.survivor_id, *plan.other_ids}) <= len(plan.other_ids):
        raise Invalid("a profile is named twice", code="NOBODY_ELSE", path="merged_ids", hint="Name each once.")


def _person(rows: Mapping[int, Mapping[str, Any]], plan: MergePlan, n: int, profile_id: int) -> Person:
    row = rows.get(profile_id)
    path = "survivor_id" if n == 0 else f"merged_ids.{n - 1}"
    if row is None:
        raise not_found("profile", profile_id, path)
    if row["merged_into"] is not None:
        raise Conflict(
            f"this profile is merged into profile {row['merged_into']} already", code="ALREADY_MERGED", path=path,
            hint="Name that profile in its place, or undo the merge first.",
        )  # fmt: skip
    return Person(id=profile_id, updated_at=row["updated_at"], columns=row)


async def _given(
    conn: Connection, plan: MergePlan, fields: Mapping[str, Field], survivor: Person, now: datetime, default_country: str
) -> dict[str, Any]:
    """The columns of the values that the rules name, checked. Raises FieldsInvalid."""
    named = {rule.field: rule.value for rule in plan.rules if rule.rule is MergeRule.VALUE}
    ours = {name: value for name, value in named.items() if fields[name].stored_as is None}
    team = {name: value for name, value in named.items() if name not in ours}
    country = survivor.columns["country"]
    try:
        columns = clean_values(ours, now=now, country=country, default_country=default_country)
        return columns | await team_rows.clean_new(conn, Extended.PROFILE, team)
    except FieldsInvalid as error:
        places = {rule.field: f"rules.{n}" for n, rule in enumerate(plan.rules)}
        for problem in error.problems:
            problem.path = places[(problem.path or "").rpartition(".")[2]]
        raise FieldsInvalid(error.problems) from None


def _columns(fields: Mapping[str, Field], keys: Sequence[Columns]) -> list[str]:
    """Those of the fields that can be set, and of all keys, once each."""
    named = [column for field in fields.values() for column in columns_of(field)]
    return list(dict.fromkeys([*named, *(column for key in keys for column in key)]))


def _restored(
    fields: Mapping[str, Field], before: Mapping[str, Any], after: Mapping[str, Any], present: Mapping[str, Any],
    refused: Sequence[str],
) -> tuple[dict[str, Any], tuple[str, ...]]:  # fmt: skip
    """The survivor's columns that go back, and the fields that stay as they were changed since."""
    restored: dict[str, Any] = {}
    kept = []
    for name, field in fields.items():
        columns = [column for column in columns_of(field) if column in after]
        if not columns:
            continue
        if all(present[column] == after[column] for column in columns) and field.column not in refused:
            restored |= {column: before[column] for column in columns}
        else:
            kept.append(name)
    return restored, tuple(kept)


async def _take_out_gone(
    conn: Connection, merge: Merge, fields: Mapping[str, Field], restored: dict[str, Any]
) -> list[tuple[int, str]]:
    """Links to rows that are gone by now lead nowhere again: whose they are, and their names."""
    lost = []
    for name, one in fields.items():
        key = restored.get(one.column)
        if one.leads_to is not None and key is not None and not await store.hold_row(conn, table_named(one.leads_to), key):
            restored[one.column] = None
            lost.append((merge.survivor_id, name))
    return lost


async def _fields(conn: Connection) -> dict[str, Field]:
    """What a merge decides on. Whom a link of one to one leads to stays where it is: two cannot have it meanwhile."""
    profile = (await present_model(conn)).find("profile")
    alone = {one.name for one in (profile.links if profile else ()) if one.kind is LinkKind.ONE_TO_ONE}
    return {name: one for name, one in (await present_fields(conn)).settable.items() if name not in alone}
