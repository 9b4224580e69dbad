"""External segments: audiences whose members an outside system tells by the ids that it knows them by (feature map 3.04).

Ids of nobody are kept, and looked up again each hour. A segment is changed in portions, each in one transaction, while the
audience is held; a snapshot replaces all of it by as many portions as it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.access import SYSTEM, Actor, Permission, require
from core.audit import record
from core.authored import check_label, name_taken
from core.db import Connection
from core.errors import Conflict, Invalid
from core.profiles.values import Reading
from core.targeting import external_store, file_store, store
from core.targeting.audiences import check_words, lock_audience, of_list
from core.targeting.records import Audience, AudienceDraft, AudienceKind, ExternalSegment, PushedId, RowKey
from core.targeting.row_keys import OpenedKey, open_row_keys

MOST_IDS = 10_000  # of one portion
MOST_FRESH = 24 * 366  # hours
_ID = "id"  # what stands for the column of a key


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What an outside system says at once. `snapshot` names the whole of which it is a part; `complete`: the last part."""

    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    snapshot: str | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of a portion: ids by what they did, and the positions among those to add that can be of nobody."""

    audience: Audience
    added: int
    known: int
    removed: int
    unreadable: Sequence[int]


async def create_segment(
    conn: Connection, actor: Actor, *, name: str, label: str, source: str, key: str, fresh_hours: int | None = None,
    description: str = "", expires_at: datetime | None = None,
) -> Audience:  # fmt: skip
    """An empty segment of an outside system. `key`: the field of profiles whose values its ids are.

    Raises Invalid (BAD_NAME, BAD_LABEL, BAD_SOURCE, BAD_KEY, BAD_FRESHNESS, BAD_DESCRIPTION, BAD_EXPIRY), Conflict
    (NAME_TAKEN).
    """
    require(actor, Permission.IMPORT)
    draft = AudienceDraft(
        name=name, label=label, expression=of_list(name), description=description, expires_at=expires_at
    )  # fmt: skip
    check_words(draft)
    check_label(source, "source")
    if fresh_hours is not None and not 1 <= fresh_hours <= MOST_FRESH:
        raise Invalid(
            f"a segment is fresh for 1 to {MOST_FRESH:,} hours", code="BAD_FRESHNESS", path="freshHours",
            hint="Leave it out for one that never grows old.",
        )  # fmt: skip
    await _open_key(conn, key)
    audience = await store.insert_audience(conn, draft, AudienceKind.EXTERNAL, [], [], actor.name)
    if audience is None:
        raise name_taken("audience", name)
    await external_store.insert_segment(conn, audience.id, source=source, key=key, fresh_hours=fresh_hours)
    told = {"name": {"to": name}, "source": {"to": source}, "key": {"to": key}}
    await record(conn, actor, "audience.create", "audience", audience.id, told)
    return audience


async def push(
    conn: Connection, actor: Actor, audience_id: int, portion: Portion, *, region: str, now: datetime
) -> Pushed:  # fmt: skip
    """Add and remove ids. `region`: of phone numbers without a prefix.

    Ids are looked up anew whenever they come. With the last portion of a snapshot whoever it did not name leaves. Another
    snapshot takes the place of one that was not completed.

    Raises NotFound (AUDIENCE_NOT_FOUND), Invalid (NOT_EXTERNAL, TOO_MANY_IDS, CONTRADICTION, BAD_SNAPSHOT), Conflict
    (SNAPSHOT_COMPLETE).
    """
    require(actor, Permission.IMPORT)
    _check(portion)
    audience, segment = await _open(conn, audience_id)
    segment = _begun(segment, portion.snapshot)
    key, reading = await _open_key(conn, segment.key), Reading(region=region, today=now.date())
    read = [_read(key, one, reading) for one in portion.add]
    wanted = list(dict.fromkeys(one for one in read if one is not None))
    unwanted = {one for each in portion.remove if (one := _read(key, each, reading)) is not None}
    if both := unwanted.intersection(wanted):
        raise Invalid(
            "an id is to be added and removed", code="CONTRADICTION", path=f"remove.{_place(portion, key, reading, both)}",
            hint="Say one of them.",
        )  # fmt: skip
    before = await external_store.take_ids(conn, audience_id, [*wanted, *unwanted])
    found = await _look_up(conn, key, wanted, reading)
    await external_store.put_ids(conn, audience_id, found, segment.snapshots)
    if portion.complete:
        dropped = await external_store.drop_older(conn, audience_id, segment.snapshots)
        segment = replace(segment, snapshot=None, completed=segment.snapshot)
    else:
        dropped = 0
    await external_store.note_push(conn, segment, now)
    among = None if portion.complete else [one for _, one in before if one is not None]
    audience = await _change_members(conn, audience, found, among, now)
    was = {value for value, _ in before}
    removed = len(was & unwanted) + dropped
    counts = {"added": len(wanted) - len(was - unwanted), "removed": removed}
    if any(counts.values()):
        told = {name: {"to": number} for name, number in counts.items()}
        await record(conn, actor, "audience.push", "audience", audience_id, told)
    return Pushed(
        audience=audience, **counts, known=len(was - unwanted),
        unreadable=[number for number, one in enumerate(read) if one is None],
    )  # fmt: skip


async def look_up_again(conn: Connection, audience_id: int, after: str, *, region: str, now: datetime) -> str | None:
    """Look some of the ids up that are nobody's, after one; returns the last of them, None where there are no more.

    Raises NotFound (AUDIENCE_NOT_FOUND), Invalid (NOT_EXTERNAL, BAD_KEY).
    """
    audience, segment = await _open(conn, audience_id)
    values = await external_store.page_unresolved(conn, audience_id, after, MOST_IDS)
    if not values:
        return None
    reading = Reading(region=region, today=now.date())
    found = await _look_up(conn, await _open_key(conn, segment.key), values, reading)
    await external_store.settle_ids(conn, audience_id, found)
    changed = await _change_members(conn, audience, found, (), now)
    if changed.version != audience.version:
        matched = sum(one.profile_id is not None for one in found)
        await record(conn, SYSTEM, "audience.reconciled", "audience", audience_id, {"matched": {"to": matched}})
    return values[-1]


async def find_segments(conn: Connection, audience_ids: Sequence[int]) -> Mapping[int, ExternalSegment]:
    """What those audiences are that are external segments, by audience."""
    return {one.audience_id: one for one in await external_store.find_segments(conn, audience_ids)}


def _check(portion: Portion) -> None:
    if len(portion.add) + len(portion.remove) > MOST_IDS:
        raise Invalid(
            f"a portion has up to {MOST_IDS:,} ids", code="TOO_MANY_IDS", path="add", hint="Push them in several portions.",
        )  # fmt: skip
    if portion.snapshot is not None:
        check_label(portion.snapshot, "snapshot")
    elif portion.complete:
        raise Invalid(
            "only a snapshot can be complete", code="BAD_SNAPSHOT", path="snapshot", hint="Name the snapshot in each portion.",
        )  # fmt: skip


async def _open(conn: Connection, audience_id: int) -> tuple[Audience, ExternalSegment]:
    audience = await lock_audience(conn, audience_id)
    found = await external_store.find_keys(conn, [audience_id])
    if not found:
        raise Invalid(
            f"the audience {audience.name!r} is no external segment", code="NOT_EXTERNAL", path="id",
            hint="Create one, or use addToList for a list.",
        )  # fmt: skip
    return audience, found[0]


def _begun(segment: ExternalSegment, snapshot: str | None) -> ExternalSegment:
    """With the snapshot that a portion is a part of. What is pushed besides counts as named by it."""
    if snapshot is None or snapshot == segment.snapshot:
        return segment
    if snapshot == segment.completed:  # a portion that is sent again would begin it anew, and end the others
        raise Conflict(
            f"the snapshot {snapshot!r} was completed", code="SNAPSHOT_COMPLETE", path="snapshot",
            hint="Nothing is to be done, or another snapshot begins under another name.",
        )  # fmt: skip
    return replace(segment, snapshot=snapshot, snapshots=segment.snapshots + 1)


async def _open_key(conn: Connection, key: str) -> OpenedKey:
    """Raises Invalid (BAD_KEY)."""
    (opened,) = await open_row_keys(conn, [RowKey(field=key, column=_ID)])
    return opened


def _read(key: OpenedKey, value: str, reading: Reading) -> str | None:
    """An id as profiles would keep it; None for what no profile can have."""
    found = key.read({_ID: value}, reading)
    return None if found is None else str(found[0])


def _place(portion: Portion, key: OpenedKey, reading: Reading, both: set[str]) -> int:
    return next(number for number, one in enumerate(portion.remove) if _read(key, one, reading) in both)


async def _look_up(conn: Connection, key: OpenedKey, values: Sequence[str], reading: Reading) -> list[PushedId]:
    """Whose ids are. The profiles are held until the end of the transaction."""
    asked = {one: found for one in values if (found := key.read({_ID: one}, reading)) is not None}
    known = await file_store.find_by_key(conn, key.columns, key.types, list(asked.values())) if asked else {}
    alone = {one: known[value][0] for one, value in asked.items() if value in known and known[value][1] == 1}
    there = await file_store.hold_profiles(conn, sorted(set(alone.values())))
    return [
        PushedId(
            value=one, profile_id=alone[one] if alone.get(one) in there else None,
            ambiguous=one in asked and asked[one] in known and one not in alone,
        )
        for one in values
    ]  # fmt: skip


async def _change_members(
    conn: Connection, audience: Audience, found: Sequence[PushedId], among: Sequence[int] | None, now: datetime
) -> Audience:
    """Members are whose ids are in the segment. Other members are another version; the same are none."""
    left = await external_store.drop_members(conn, audience.id, among) if among is None or among else 0
    people = sorted({one.profile_id for one in found if one.profile_id is not None})
    entered = await external_store.add_members(conn, audience.id, people, now) if people else 0
    return await store.touch_audience(conn, audience.id) if left or entered else audience
