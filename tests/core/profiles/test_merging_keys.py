"""Merges of profiles whose team has unique keys of its own."""

from __future__ import annotations

from typing import Any

import pytest

from core.access import SYSTEM
from core.datamodel import jobs as datamodel
from core.datamodel.records import FieldKind
from core.db import Connection
from core.errors import Conflict
from core.profiles import merging, profiles
from core.profiles.merge_records import FieldRule, Merge, MergePlan, MergeRule, Undone
from core.profiles.records import Profile
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, field, publish_draft, save, unique


@pytest.fixture
async def db(db: Connection, runtime: Runtime) -> Connection:
    """Profiles have a card and a badge, which are keys, and a row and a seat, which together are one."""
    for one in (
        field("card", max_length=20), field("badge", FieldKind.DECIMAL), field("row", FieldKind.INTEGER),
        field("seat", FieldKind.INTEGER),
    ):  # fmt: skip
        await save(db, one)
    await unique(db, "by_card", "card", entity="profile")
    await unique(db, "by_badge", "badge", entity="profile")
    await unique(db, "by_seat", "row", "seat", entity="profile")
    await unique(db, "by_email", "email", "seat", entity="profile")
    await publish_draft(db)
    await datamodel.build(runtime)
    return db


async def create(db: Connection, email: str | None = None, **team: Any) -> Profile:
    return await profiles.create_profile(db, SYSTEM, {} if email is None else {"email": email}, team, now=NOW)


async def merge(db: Connection, survivor: Profile, *others: Profile, **rules: MergeRule) -> Merge:
    told = tuple(FieldRule(field=name, rule=rule) for name, rule in rules.items())
    plan = MergePlan(survivor_id=survivor.id, other_ids=tuple(one.id for one in others), rules=told)
    async with db.transaction():
        return await merging.merge_profiles(db, SYSTEM, plan, now=NOW)


async def undo(db: Connection, done: Merge) -> Undone:
    async with db.transaction():
        return await merging.undo_merge(db, SYSTEM, done.id, now=NOW)


async def rows(db: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch("SELECT * FROM profile ORDER BY id")]


async def keys(db: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await db.fetch("SELECT x_card, x_badge::text, x_row, x_seat FROM profile ORDER BY id")]


async def test_what_the_survivor_lacks_of_a_key_moves_and_comes_back(db: Connection) -> None:
    ann = await create(db, row=1)
    bea = await create(db, card="B", badge="12345678901234567.25", row=1, seat=2)
    cat = await create(db, card="C", row=7, seat=2)
    before = await rows(db)

    done = await merge(db, ann, bea, cat)

    assert await keys(db) == [("B", "12345678901234567.25", 1, 2), (None, None, 1, None), ("C", None, 7, 2)]
    assert (await undo(db, done)).lost == ()
    assert await rows(db) == before


async def test_a_rule_may_take_it_and_what_is_emptied_is_free_for_nobody_twice(db: Connection) -> None:
    ann, bea = await create(db, card="A"), await create(db, card="B")
    before = await rows(db)
    done = await merge(db, ann, bea, card=MergeRule.OTHER)
    assert [row[0] for row in await keys(db)] == ["B", None]
    with pytest.raises(Conflict) as caught:
        await create(db, card="B")
    assert caught.value.code == "VALUE_TAKEN"

    assert await undo(db, done) is not None
    assert await rows(db) == before


async def test_what_somebody_else_has_by_now_is_lost_and_the_rest_comes_back(db: Connection) -> None:
    ann, bea = await create(db, card="A", row=1, seat=1), await create(db, card="B", row=2, seat=2)
    done = await merge(db, ann, bea, card=MergeRule.OTHER, row=MergeRule.OTHER, seat=MergeRule.OTHER)
    assert [row[2:] for row in await keys(db)] == [(2, 2), (None, None)]
    await create(db, card="A", row=1, seat=1)  # which nobody had

    undone = await undo(db, done)

    assert undone.lost == ((ann.id, "card"), (ann.id, "row"), (ann.id, "seat"))
    assert await keys(db) == [(None, None, None, None), ("B", None, 2, 2), ("A", None, 1, 1)]


async def test_a_key_with_a_field_of_ours_leaves_the_address(db: Connection) -> None:
    ann, bea = await create(db, seat=3), await create(db, email="bea@shop.example", seat=3)
    before = await rows(db)

    done = await merge(db, ann, bea)

    assert [(row["email"], row["x_seat"]) for row in await rows(db)] == [("bea@shop.example", 3), ("bea@shop.example", None)]
    await undo(db, done)
    assert await rows(db) == before
