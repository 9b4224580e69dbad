"""People who are merged while a delivery runs have its message once."""

from __future__ import annotations

from channels.contract import FailureReason
from core.access import SYSTEM
from core.db import Connection
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.delivery.store import leases
from core.profiles import merging
from core.profiles.merge_records import Merge, MergePlan
from core.runtime import Runtime
from tests.core.delivery.people import add_people, check_equation, confirmed, new_delivery, outcome_of, prepared

TWICE = (LedgerState.WITHDRAWN, FailureReason.DUPLICATE)


async def _running(engine: Engine, runtime: Runtime, db: Connection, audience: str = "id > 0") -> int:
    delivery_id = await new_delivery(runtime, db, audience=audience)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    await db.execute("UPDATE delivery_run SET state = 55")
    return delivery_id


async def _merge(runtime: Runtime, db: Connection, survivor: int, *others: int) -> Merge:
    async with db.transaction():
        return await merging.merge_profiles(db, SYSTEM, MergePlan(survivor_id=survivor, other_ids=others), now=runtime.clock())


async def _claim(runtime: Runtime, db: Connection, delivery_id: int, limit: int = 10) -> list[int]:
    async with db.transaction():
        claim = await leases.claim(
            db, delivery_id=delivery_id, account_id=1, address_kind="email", worker="a", connections=5, limit=limit, slot=1,
            cursor=None, now=runtime.clock(), hash_keys=(), expires_at=runtime.clock().replace(year=2027),
        )  # fmt: skip
    return [] if claim is None else [row.recipient_id for row in claim.rows]


async def test_whoever_is_merged_is_not_prepared(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    await _merge(runtime, db, 3, 1)

    delivery_id = await new_delivery(runtime, db)
    counts = await prepared(engine, runtime, db, delivery_id)

    assert (counts.targeted, counts.pending) == (2, 2)


async def test_the_survivor_has_the_message_and_who_is_merged_is_withdrawn(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 4)
    delivery_id = await _running(engine, runtime, db)
    await _merge(runtime, db, 3, 1, 4)

    assert await _claim(runtime, db, delivery_id) == [2, 3]
    assert await outcome_of(db, delivery_id, 1) == TWICE
    assert await outcome_of(db, delivery_id, 4) == TWICE
    await check_equation(db, delivery_id)


async def test_without_the_survivor_one_of_the_others_has_it(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 4)
    delivery_id = await _running(engine, runtime, db, "id < 4")
    await _merge(runtime, db, 4, 1, 3)

    assert await _claim(runtime, db, delivery_id) == [1, 2]
    assert await outcome_of(db, delivery_id, 3) == TWICE


async def test_whoever_had_it_before_the_merge_has_it_for_all(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    delivery_id = await _running(engine, runtime, db)
    assert await _claim(runtime, db, delivery_id, limit=1) == [1]
    await _merge(runtime, db, 2, 1, 3)

    assert await _claim(runtime, db, delivery_id) == []
    assert [await outcome_of(db, delivery_id, one) for one in (2, 3)] == [TWICE, TWICE]


async def test_the_survivors_refusal_holds_for_whoever_is_merged(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    delivery_id = await _running(engine, runtime, db, "id < 3")
    await _merge(runtime, db, 3, 1)
    await db.execute("UPDATE profile SET opt_out_email = true WHERE id = 3")

    assert await _claim(runtime, db, delivery_id) == [2]
    assert await outcome_of(db, delivery_id, 1) == (LedgerState.WITHDRAWN, FailureReason.DENYLISTED_ADDRESS)
