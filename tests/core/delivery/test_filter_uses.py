"""Saved filters that deliveries call in what they ask and compute: neither lost nor left without a meaning."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.delivery.engine import Engine
from core.delivery.filter_uses import check_no_delivery_calls, renew_deliveries_calling
from core.delivery.records import DeliveryState
from core.errors import Conflict, Stale
from core.planning.computed import get_sending_logs
from core.planning.deliveries import get_delivery
from core.planning.seed_records import ControlGroup, Extraction
from core.runtime import Runtime
from core.targeting import filters
from core.targeting.audiences import create_audience, update_audience
from core.targeting.catalogue import Kind
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft, Filter, FilterDraft, Parameter
from tests.core.delivery.people import add_people, confirmed, new_delivery, prepared
from tests.core.delivery.test_held_back import hold_back
from tests.core.delivery.test_sending_log import keep
from tests.core.planning.test_asked import ask

LEAST = filters.parameter_of(name="least", label="Least", kind=Kind.INTEGER, default=None)
ASKED = [
    ("traps", "inside(1)", "traps"), ("control group", "not inside(1)", "control group"),
    ("order", "if(inside(1), 1, 2)", "control group"), ("sending log", "if(inside(1), 'a')", "sending log"),
    ("send dates", "if(inside(1), now)", "send dates"),
]  # fmt: skip


async def saved(db: Connection, name: str, question: str, *parameters: Parameter) -> Filter:
    draft = FilterDraft(name=name, label=name, expression=parse_text(question), parameters=parameters)
    return await filters.create_filter(db, SYSTEM, draft)


async def change(db: Connection, one: Filter, **changes: Any) -> None:
    """As a door does."""
    async with db.transaction():
        await filters.update_filter(db, SYSTEM, one.id, changes)
        await renew_deliveries_calling(db, one.name)


async def delete(db: Connection, one: Filter) -> None:
    """As a door does."""
    async with db.transaction():
        await filters.delete_filter(db, SYSTEM, one.id)
        await check_no_delivery_calls(db, one.name)


@pytest.mark.parametrize(("what", "text", "told"), ASKED)
async def test_what_a_delivery_calls_stays_and_keeps_its_meaning(
    runtime: Runtime, db: Connection, what: str, text: str, told: str
) -> None:
    # Given a delivery that calls a filter
    one = await saved(db, "inside", "age >= parameter('least')", LEAST)
    other = await saved(db, "other", "age >= 3")
    delivery_id = await new_delivery(runtime, db)
    await ask(db, runtime, delivery_id, what, text)

    # When it is deleted, renamed, or has no place for the argument any more, that is refused
    for work in (
        delete(db, one),
        change(db, one, name="belonging"),
        change(db, one, parameters=(), expression=parse_text("age > 1")),
    ):
        with pytest.raises(Conflict, match=f"the {told} of the delivery 'spring'") as caught:
            await work
        assert caught.value.code == "IN_USE"
    await delete(db, other)

    # And what it asks otherwise is another version of the delivery, which reads what it asks about
    before = await get_delivery(db, delivery_id)
    await change(db, one, expression=parse_text("country = 'FR' and id > parameter('least')"))
    assert (await get_delivery(db, delivery_id)).version == before.version + 1
    tables = ("delivery_trap_question", "delivery_control_group", "delivery_sending_log", "delivery_send_dates")
    (reads,) = [row for table in tables for row in await db.fetch(f"SELECT reads FROM {table}")]
    assert reads["reads"] == ["country", "id"]

    # Until nothing calls it
    await ask(db, runtime, delivery_id, what, None)
    await delete(db, one)


async def test_what_calls_it_through_another_is_renewed_with_all_that_it_reads(runtime: Runtime, db: Connection) -> None:
    inner = await saved(db, "inner", "age >= 18")
    await saved(db, "outer", "inner() and country = 'FR'")
    delivery_id = await new_delivery(runtime, db)
    await keep(db, runtime, delivery_id, "if(outer(), 'a')", "city")
    group = ControlGroup(
        extraction=Extraction.FIRST, size=1, by=parse_text("if(outer(), 1, 2)"), question=parse_text("first_name = 'Ann'")
    )
    await hold_back(db, runtime, delivery_id, group)
    silent = await new_delivery(runtime, db, name="silent")
    before = [await get_delivery(db, key) for key in (delivery_id, silent)]
    kept = await get_sending_logs(db, [delivery_id])
    await change(db, inner, expression=parse_text("last_name = 'Lee'"))
    assert await db.fetchval("SELECT reads FROM delivery_sending_log") == ["city", "country", "last_name"]
    assert await db.fetchval("SELECT reads FROM delivery_control_group") == ["country", "first_name", "last_name"]
    after = [await get_delivery(db, key) for key in (delivery_id, silent)]
    assert [one.version for one in after] == [before[0].version + 1, before[1].version]
    assert await get_sending_logs(db, [delivery_id]) == kept


async def test_a_change_of_it_makes_a_preparation_stale(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    one = await saved(db, "held", "id = 1")
    delivery_id = await new_delivery(runtime, db)
    await hold_back(db, runtime, delivery_id, ControlGroup(question=parse_text("held()")))
    await prepared(engine, runtime, db, delivery_id)
    await change(db, one, expression=parse_text("id = 2"))
    with pytest.raises(Stale, match="the delivery changed"):
        await confirmed(db, runtime, delivery_id)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)


async def test_so_does_another_version_of_an_audience_that_it_names(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:  # fmt: skip
    await add_people(db, 3)
    draft = AudienceDraft(name="first", label="First", expression=parse_text("id = 1"))
    first = await create_audience(db, SYSTEM, draft)
    await saved(db, "inner", "in_audience('first')")
    await saved(db, "held", "inner() and id > 0")
    delivery_id = await new_delivery(runtime, db)
    await hold_back(db, runtime, delivery_id, ControlGroup(question=parse_text("held()")))
    await prepared(engine, runtime, db, delivery_id)
    await update_audience(db, SYSTEM, first.id, {"expression": parse_text("id = 2")})
    with pytest.raises(Stale, match="the audience 'first' changed"):
        await confirmed(db, runtime, delivery_id)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)


async def test_a_delivery_that_is_over_keeps_nothing(runtime: Runtime, db: Connection) -> None:
    one = await saved(db, "inside", "age >= 18")
    delivery_id = await new_delivery(runtime, db)
    await keep(db, runtime, delivery_id, "if(inside(), 'a')")
    await db.execute("UPDATE delivery_run SET state = $2 WHERE delivery_id = $1", delivery_id, DeliveryState.FINISHED.value)
    version = (await get_delivery(db, delivery_id)).version
    await change(db, one, expression=parse_text("age >= 21"))
    assert (await get_delivery(db, delivery_id)).version == version
    await delete(db, one)


async def test_whoever_calls_what_is_being_deleted_waits(runtime: Runtime, db: Connection) -> None:
    one = await saved(db, "inside", "age >= 18")
    delivery_id = await new_delivery(runtime, db)
    async with runtime.pool.acquire() as other:
        async with db.transaction():
            await filters.delete_filter(db, SYSTEM, one.id)
            await check_no_delivery_calls(db, "inside")
            saving = asyncio.create_task(keep(other, runtime, delivery_id, "if(inside(), 'a')"))
            done, _ = await asyncio.wait({saving}, timeout=0.5)
            assert not done
        with pytest.raises(ExpressionError, match="inside"):
            await saving
