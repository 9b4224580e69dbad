"""A delivery's target beside those held back from it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from core.access import SYSTEM
from core.datamodel.drafts import save_dataset
from core.datamodel.links import save_link
from core.datamodel.records import FieldKind, Link, LinkKind
from core.db import Connection
from core.delivery import ending, lifecycle
from core.delivery.engine import Engine
from core.errors import Conflict, Invalid
from core.planning import holdouts
from core.planning.seed_records import ControlGroup, Extraction, HoldoutDraft
from core.reporting.comparison import compare, lift
from core.reporting.records import Conversion, Group, GroupResult
from core.runtime import Runtime
from core.targeting.parse import parse_text
from tests.core.datamodel.model import NOW, field, publish_draft, save
from tests.core.delivery.conftest import db, engine, runtime, times  # noqa: F401
from tests.core.delivery.people import Times, add_people, confirmed, new_delivery, prepared


def test_a_lift_is_the_textbook_s() -> None:
    target = GroupResult(group=Group.TARGET, people=1000, converted=120, value=None)
    control = GroupResult(group=Group.CONTROL_GROUP, people=500, converted=40, value=None)
    found = lift(target, control)
    assert found.baseline is Group.CONTROL_GROUP
    assert (found.difference, found.relative, found.additional) == pytest.approx((0.04, 0.5, 40.0))
    assert (found.low, found.high) == pytest.approx((0.0088, 0.0712), abs=0.0001)
    assert found.p_value == pytest.approx(0.0180, abs=0.0005)


@pytest.mark.parametrize(("people", "converted"), [(0, 0), (10, 0)])
def test_a_lift_over_nothing_is_none(people: int, converted: int) -> None:
    target = GroupResult(group=Group.TARGET, people=10, converted=0, value=None)
    found = lift(target, GroupResult(group=Group.CONTROL_GROUP, people=people, converted=converted, value=None))
    assert (found.relative, found.p_value) == (None, None)
    assert found.difference == (None if people == 0 else 0.0)


async def test_everybody_is_on_one_side_with_what_they_did_in_time(
    engine: Engine,  # noqa: F811
    runtime: Runtime,  # noqa: F811
    db: Connection,  # noqa: F811
    times: Times,  # noqa: F811
) -> None:
    # Given purchases, and a delivery with a holdout, a control group, somebody excluded and somebody merged
    async with db.transaction():
        await save_dataset(db, SYSTEM, name="purchase", label="Purchase", now=NOW)
        await save(db, field("amount", FieldKind.DECIMAL), "purchase")
        await save(db, field("bought_at", FieldKind.INSTANT), "purchase")
        await save(db, field("shipped_at", FieldKind.INSTANT), "purchase")
        owner = Link(
            name="buyer", label="Buyer", target="profile", kind=LinkKind.MANY_TO_ONE, reverse_name="purchases",
            reverse_label="Purchases",
        )  # fmt: skip
        await save_link(db, SYSTEM, "purchase", owner, now=NOW)
        await publish_draft(db)
    await add_people(db, 60)
    await db.execute("UPDATE profile SET opt_out = true WHERE id = 60")
    draft = HoldoutDraft(label="H", share=Decimal(20), starts_at=times.now)
    await holdouts.create_holdout(db, SYSTEM, draft, seed=3, now=times.now)
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        group = ControlGroup(extraction=Extraction.RANDOM, share=Decimal(25))
        await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, times.now)
    await prepared(engine, runtime, db, delivery_id)
    wanted = Conversion(link="purchases", days=2, time="bought_at", value="amount")
    with pytest.raises(Conflict, match="has not started"):
        await compare(db, delivery_id, wanted)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, times.now)
    rows = await db.fetch("SELECT recipient_id AS id, state, reason FROM ledger")
    sides = {
        Group.TARGET: [row["id"] for row in rows if row["state"] == 1],
        Group.CONTROL_GROUP: [row["id"] for row in rows if row["reason"] == 12],
        Group.GLOBAL_HOLDOUT: [row["id"] for row in rows if row["reason"] == 30],
    }
    assert all(len(one) > 3 for one in sides.values())

    # When some buy, before, in time, and too late; one twice, and one under the profile that hers became part of
    async def buy(who: int, amount: int, hours: float) -> None:
        at = times.now + timedelta(hours=hours)
        await db.execute("INSERT INTO x_purchase (x_buyer_id, x_amount, x_bought_at) VALUES ($1, $2, $3)", who, amount, at)

    first, second, merged, survivor = sides[Group.TARGET][:4]
    await db.execute("UPDATE profile SET merged_into = $1 WHERE id = $2", survivor, merged)
    await db.execute(
        "INSERT INTO profile_merge (survivor_id, before, after, merged_at, merged_by) VALUES ($1, '{}', '{}', $2, 'x')",
        survivor, times.now,
    )  # fmt: skip
    for who, amount, hours in (
        (first, 10, 1), (first, 20, 47), (second, 99, -1), (second, 99, 48), (merged, 5, 0),
        (sides[Group.CONTROL_GROUP][0], 7, 3), (60, 1000, 1),
    ):  # fmt: skip
        await buy(who, amount, hours)

    # Then each side has its people, each once, and what they did counts where they were
    found = await compare(db, delivery_id, wanted)
    sides[Group.TARGET].remove(merged)
    assert {one.group: one.people for one in found.groups} == {group: len(ids) for group, ids in sides.items()}
    assert [one.group for one in found.groups] == list(Group)
    told = {one.group: (one.converted, one.value) for one in found.groups}
    assert told == {Group.TARGET: (2, 35.0), Group.CONTROL_GROUP: (1, 7.0), Group.GLOBAL_HOLDOUT: (0, 0.0)}
    assert [one.baseline for one in found.lifts] == [Group.CONTROL_GROUP, Group.GLOBAL_HOLDOUT]

    # And rows without a time that is plain need one named
    with pytest.raises(Invalid, match="no time that counts"):
        await compare(db, delivery_id, Conversion(link="purchases", days=2))
    dear = Conversion(link="purchases", days=2, time="bought_at", where=parse_text("amount > 15"))
    assert [one.converted for one in (await compare(db, delivery_id, dear)).groups] == [1, 0, 0]
