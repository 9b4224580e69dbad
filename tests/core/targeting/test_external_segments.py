"""Segments that outside systems fill by ids, in portions: who is a member, and what becomes of ids of nobody."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.datamodel import jobs as datamodel
from core.datamodel.physical import column_of
from core.db import Connection, transaction
from core.errors import ClarionError
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.profiles.profiles import delete_profile, update_profile
from core.runtime import Runtime
from core.targeting import external_segments, external_store, jobs, lists
from core.targeting.audiences import get_audience, open_question, sample
from core.targeting.external_segments import MOST_IDS, Portion, Pushed, create_segment
from core.targeting.parse import parse_text
from core.targeting.records import AudienceKind, ExternalSegment
from tests.core.datamodel.model import NOW, field, publish_draft, save, unique
from tests.core.profiles.house import Times
from tests.core.targeting.test_audience_files import people

ZONE = ZoneInfo("UTC")
ANN, BOB, CID = "ann@x.example", "bob@x.example", "cid@x.example"


async def segment(runtime: Runtime, name: str = "churners", key: str = "email", **more: Any) -> int:
    async with transaction(runtime.pool) as conn:
        made = await create_segment(conn, SYSTEM, name=name, label=name, source="Warehouse", key=key, **more)
    assert made.kind is AudienceKind.EXTERNAL
    return made.id


async def push(runtime: Runtime, audience_id: int, *add: str, **more: Any) -> Pushed:
    async with transaction(runtime.pool) as conn:
        return await external_segments.push(
            conn, SYSTEM, audience_id, Portion(add=add, **more), region="FR", now=runtime.clock()
        )  # fmt: skip


async def state(runtime: Runtime, audience_id: int) -> ExternalSegment:
    async with runtime.pool.acquire() as conn:
        return (await external_segments.find_segments(conn, [audience_id]))[audience_id]


async def counted(runtime: Runtime, audience_id: int) -> tuple[int, int, int]:
    found = await state(runtime, audience_id)
    return found.matched, found.unmatched, found.ambiguous


async def asked(runtime: Runtime, text: str) -> list[int]:
    async with runtime.pool.acquire() as conn:
        checked = await open_question(conn, parse_text(text))
        return await sample(conn, checked, size=100, at=runtime.clock(), zone=ZONE)


async def version(runtime: Runtime, audience_id: int) -> int:
    async with runtime.pool.acquire() as conn:
        return (await get_audience(conn, audience_id)).version


async def refused(code: str, doing: Awaitable[Any]) -> ClarionError:
    with pytest.raises(ClarionError) as caught:
        await doing
    assert caught.value.code == code
    return caught.value


async def test_ids_are_added_and_removed_and_questions_follow(runtime: Runtime, db: Connection) -> None:
    ann, bob, _ = await people(db, ANN, BOB, CID)
    audience_id = await segment(runtime)

    done = await push(runtime, audience_id, " ANN@x.example", ANN, BOB, "nobody@x.example", "no email")
    assert (done.added, done.known, done.removed, list(done.unreadable)) == (3, 0, 0, [4])
    assert await counted(runtime, audience_id) == (2, 1, 0)
    assert await asked(runtime, "in_audience('churners')") == [ann, bob]
    assert await asked(runtime, f"in_audience('churners') and email <> '{ANN}'") == [bob]
    assert await asked(runtime, "not in_audience('churners')") == [bob + 1]

    before = await version(runtime, audience_id)
    again = await push(runtime, audience_id, ANN)  # what is known already changes nothing
    assert (again.added, again.known) == (0, 1)
    assert await version(runtime, audience_id) == before

    gone = await push(runtime, audience_id, CID, remove=["ann@X.example", "else@x.example", "bad"])
    assert (gone.added, gone.removed) == (1, 1)
    assert await asked(runtime, "in_audience('churners')") == [bob, bob + 1]
    assert await version(runtime, audience_id) == before + 1


async def test_a_snapshot_replaces_all_in_portions(runtime: Runtime, db: Connection) -> None:
    ann, bob, cid = await people(db, ANN, BOB, CID)
    audience_id = await segment(runtime)
    await push(runtime, audience_id, ANN, "old@x.example")

    await push(runtime, audience_id, BOB, snapshot="1 March")
    await push(runtime, audience_id, CID)  # something of its own between
    assert await asked(runtime, "in_audience('churners')") == [ann, bob, cid]  # nobody leaves before it is complete
    done = await push(runtime, audience_id, "new@x.example", snapshot="1 March", complete=True)
    assert (done.added, done.removed) == (1, 2)
    assert await asked(runtime, "in_audience('churners')") == [bob, cid]
    assert await counted(runtime, audience_id) == (2, 1, 0)

    # The last portion comes again, after something else: it must not end that
    await push(runtime, audience_id, ANN)
    await refused("SNAPSHOT_COMPLETE", push(runtime, audience_id, "new@x.example", snapshot="1 March", complete=True))
    assert await asked(runtime, "in_audience('churners')") == [ann, bob, cid]

    # One that is never completed counts for nothing when another is
    await push(runtime, audience_id, ANN, snapshot="2 March")
    await push(runtime, audience_id, BOB, snapshot="3 March")
    await push(runtime, audience_id, snapshot="3 March", complete=True)
    assert await asked(runtime, "in_audience('churners')") == [bob]
    await push(runtime, audience_id, snapshot="4 March", complete=True)
    assert await asked(runtime, "in_audience('churners')") == []


async def test_who_comes_later_is_found_when_ids_are_looked_up_again(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_segments, "MOST_IDS", 2)
    audience_id, other = await segment(runtime), await segment(runtime, "settled")
    for one in (ANN, BOB, CID, "d@x.example", "e@x.example"):
        await push(runtime, audience_id, one)
    found = await people(db, CID, "e@x.example", "twin@x.example", "twin@x.example")
    await push(runtime, other, CID)
    await push(runtime, audience_id, "twin@x.example")
    assert await counted(runtime, audience_id) == (0, 5, 1)
    assert await external_store.list_unresolved(db) == [audience_id]

    await jobs.sweep_ids(runtime)
    told = await db.fetch("SELECT ids FROM outbox WHERE topic = 'audience.ids_unresolved'")
    assert [row["ids"] for row in told] == [{"audience_id": audience_id}]
    before = await version(runtime, audience_id)
    await jobs.look_up_ids(runtime, audience_id=audience_id)
    assert await asked(runtime, "in_audience('churners')") == found[:2]
    assert await counted(runtime, audience_id) == (2, 3, 1)
    assert await version(runtime, audience_id) > before
    before = await version(runtime, audience_id)
    await jobs.look_up_ids(runtime, audience_id=audience_id)
    assert await version(runtime, audience_id) == before

    # A snapshot keeps those that it named, whenever their people were found
    await push(runtime, audience_id, CID, snapshot="all", complete=True)
    assert await asked(runtime, "in_audience('churners')") == found[:1]


async def test_a_member_stays_for_as_long_as_one_of_several_ids(runtime: Runtime, db: Connection) -> None:
    ann, bob = await people(db, ANN, BOB)
    await merge_profiles(db, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bob,)), now=NOW)
    audience_id = await segment(runtime)
    await push(runtime, audience_id, ANN, BOB)
    assert await counted(runtime, audience_id) == (2, 0, 0)
    await push(runtime, audience_id, remove=[BOB])
    assert await asked(runtime, "in_audience('churners')") == [ann]
    await push(runtime, audience_id, remove=[ANN])
    assert await asked(runtime, "in_audience('churners')") == []


async def test_who_is_merged_stays_a_member_by_the_id_that_is_left(runtime: Runtime, db: Connection) -> None:
    ann, bob = await people(db, ANN, BOB)
    audience_id = await segment(runtime)
    await push(runtime, audience_id, BOB)
    await merge_profiles(db, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bob,)), now=NOW)
    await push(runtime, audience_id, ANN)
    await push(runtime, audience_id, remove=[BOB])
    assert await asked(runtime, "in_audience('churners')") == [ann]


async def test_an_id_follows_whoever_has_it_when_it_comes_again(runtime: Runtime, db: Connection) -> None:
    ann, bob = await people(db, ANN, BOB)
    audience_id = await segment(runtime)
    await push(runtime, audience_id, ANN)
    await update_profile(db, SYSTEM, ann, {"email": "other@x.example"}, now=NOW)
    await update_profile(db, SYSTEM, bob, {"email": ANN}, now=NOW)
    assert await asked(runtime, "in_audience('churners')") == [ann]
    await push(runtime, audience_id, ANN)
    assert await asked(runtime, "in_audience('churners')") == [bob]
    await delete_profile(db, SYSTEM, bob)
    assert await counted(runtime, audience_id) == (0, 1, 0)
    assert await asked(runtime, "in_audience('churners')") == []


@pytest.mark.parametrize("key", ["id", "external_id", "mobile_phone", "visitor"])
async def test_ids_are_of_whatever_tells_people_apart(runtime: Runtime, db: Connection, key: str) -> None:
    await save(db, field("visitor", max_length=40), "profile")
    await unique(db, "by_visitor", "visitor", entity="profile")
    await publish_draft(db)
    await datamodel.build(runtime)
    (ann,) = await people(db, ANN)
    await db.execute(
        f"UPDATE profile SET external_id = 'C-1', mobile_phone = '+33698765432', {column_of('visitor')} = 'v-1' WHERE id = $1",
        ann,
    )
    given = {"id": str(ann), "external_id": "C-1", "mobile_phone": "06 98 76 54 32", "visitor": "v-1"}[key]
    audience_id = await segment(runtime, key=key)
    assert (await push(runtime, audience_id, given, given)).added == 1
    assert await asked(runtime, "in_audience('churners')") == [ann]
    assert (await push(runtime, audience_id, remove=[given])).removed == 1
    assert await asked(runtime, "in_audience('churners')") == []


async def test_it_is_fresh_for_so_many_hours_after_a_push(runtime: Runtime, times: Times) -> None:
    audience_id, for_ever = await segment(runtime, fresh_hours=24), await segment(runtime, "rare")
    assert not (await state(runtime, audience_id)).is_fresh(times.now)
    for one in (audience_id, for_ever):
        await push(runtime, one, "a@x.example")
    pushed = await state(runtime, audience_id)
    assert pushed.received_at == times.now
    assert pushed.is_fresh(times.now + timedelta(hours=23, minutes=59))
    assert not pushed.is_fresh(times.now + timedelta(hours=24))
    assert (await state(runtime, for_ever)).is_fresh(times.now + timedelta(days=5000))


async def test_what_cannot_be_is_refused(runtime: Runtime, db: Connection) -> None:
    for key in ("city", "emial", ""):
        await refused("BAD_KEY", segment(runtime, key=key))
    await refused("BAD_FRESHNESS", segment(runtime, fresh_hours=0))
    await refused("BAD_NAME", segment(runtime, "No name"))
    audience_id = await segment(runtime)
    await refused("NAME_TAKEN", segment(runtime))

    error = await refused("CONTRADICTION", push(runtime, audience_id, ANN, remove=[BOB, "ANN@x.example"]))
    assert error.path == "remove.1"
    await refused("TOO_MANY_IDS", push(runtime, audience_id, *[ANN] * MOST_IDS, remove=[BOB]))
    await refused("BAD_SNAPSHOT", push(runtime, audience_id, ANN, complete=True))
    await refused("BAD_LABEL", push(runtime, audience_id, ANN, snapshot=" "))
    strange = ["\0", "\ud800@x.example", "a@x.example\n", "", "x" * 100_000]
    assert list((await push(runtime, audience_id, *strange)).unreadable) == [0, 1, 3, 4]
    assert await counted(runtime, audience_id) == (0, 1, 0)

    async with transaction(runtime.pool) as conn:
        made = await lists.create_list(conn, SYSTEM, name="list", label="List", whom=[], now=NOW, zone=ZONE)
        await refused("NOT_A_LIST", lists.add_to_list(conn, SYSTEM, audience_id, [1], now=NOW, zone=ZONE))
    await refused("NOT_EXTERNAL", push(runtime, made.id, ANN))
    await refused("AUDIENCE_NOT_FOUND", push(runtime, made.id + 1, ANN))
