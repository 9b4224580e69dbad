"""What deliveries ask and compute besides their audience keeps the audiences that it names."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.delivery import lifecycle
from core.errors import Conflict
from core.planning.computed_records import SendDates, SendingLog
from core.planning.expiry import sweep
from core.planning.seed_records import ControlGroup, Extraction, Traps
from core.planning.store.asked import find_named
from core.planning.uses import check_audience_unnamed
from core.runtime import Runtime
from core.targeting.audiences import delete_audience, find_audience_by_name, update_audience
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from tests.core.delivery.conftest import db, runtime, times
from tests.core.delivery.people import add_people, new_delivery
from tests.core.delivery.test_columns import listed
from tests.core.planning.test_audience_uses import uses

__all__ = ["db", "runtime", "times"]


async def ask(db: Connection, runtime: Runtime, delivery_id: int, what: str, text: str | None) -> None:
    """Have a delivery ask or compute something by its traps, and so on; None: nothing more."""
    now = runtime.clock()
    asked = None if text is None else parse_text(text)
    async with db.transaction():
        match what:
            case "traps":
                await lifecycle.set_traps(db, SYSTEM, delivery_id, Traps(question=asked), now)
            case "control group":
                group = None if asked is None else ControlGroup(question=asked)
                await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, now)
            case "order":
                group = None if asked is None else ControlGroup(extraction=Extraction.FIRST, size=1, by=asked)
                await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, now)
            case "sending log":
                await lifecycle.set_sending_log(db, SYSTEM, delivery_id, SendingLog(segment_code=asked), now)
            case "send dates":
                dates = None if asked is None else SendDates(expression=asked)
                await lifecycle.set_send_dates(db, SYSTEM, delivery_id, dates, now)
            case _:
                raise AssertionError(what)


@pytest.mark.parametrize(
    ("what", "text", "told", "columns"),
    [
        ("traps", "in_audience('vip')", "traps", ()),
        ("control group", "audience_column('vip', 'spent') > 1 and country = 'FR'", "control group", ("spent",)),
        ("order", "audience_column('vip', 'points')", "control group", ("points",)),
        ("sending log", "concat(audience_column('vip', 'voucher_code'), country)", "sending log", ("voucher_code",)),
        ("send dates", "if(in_audience('vip'), now)", "send dates", ()),
    ],
)
async def test_an_audience_that_is_named_stays_under_its_name(
    runtime: Runtime, db: Connection, what: str, text: str, told: str, columns: tuple[str, ...]
) -> None:
    # Given a list that a delivery names, and whose time is over
    await add_people(db, 2)
    vip = await listed(db, runtime)
    delivery_id = await new_delivery(runtime, db)
    await ask(db, runtime, delivery_id, what, text)
    await update_audience(db, SYSTEM, vip.id, {"expires_at": runtime.clock() - timedelta(days=1)})

    # Then it is told as in use, and stays
    assert await uses(db, vip.id) == [(told.replace(" ", "_"), "spring", columns)]
    with pytest.raises(Conflict, match=f"'vip' is named by the {told} of the delivery 'spring'") as caught:
        await check_audience_unnamed(db, "vip")
    assert caught.value.code == "IN_USE"
    assert await find_named(db, ["vip", "spring-people", "else"]) == {"vip"}
    await sweep(runtime)
    assert await find_audience_by_name(db, "vip") is not None

    # Until nothing names it any more
    await ask(db, runtime, delivery_id, what, None)
    await check_audience_unnamed(db, "vip")
    assert await uses(db, vip.id) == []
    await sweep(runtime)
    assert await find_audience_by_name(db, "vip") is None


async def test_a_control_group_is_told_once_and_many_deliveries_are_shortened(runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1)
    vip = await listed(db, runtime)
    for number in range(6):
        delivery_id = await new_delivery(runtime, db, name=f"d{number}")
        group = ControlGroup(
            extraction=Extraction.FIRST, size=1, by=parse_text("audience_column('vip', 'points')"),
            question=parse_text("audience_column('vip', 'is_first')"), audience_id=vip.id,
        )  # fmt: skip
        await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, runtime.clock())
    told = [("control_group", f"d{number}", ("is_first", "points")) for number in range(6)]
    assert await uses(db, vip.id) == told
    with pytest.raises(Conflict, match="of the delivery 'd4' and others"):
        await check_audience_unnamed(db, "vip")


async def test_whoever_names_what_is_being_deleted_waits(runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1)
    vip = await listed(db, runtime)
    delivery_id = await new_delivery(runtime, db)
    async with runtime.pool.acquire() as other:
        async with db.transaction():
            await delete_audience(db, SYSTEM, vip.id, runtime.clock())
            await check_audience_unnamed(db, "vip")
            saving = asyncio.create_task(ask(other, runtime, delivery_id, "sending log", "if(in_audience('vip'), 'a')"))
            done, _ = await asyncio.wait({saving}, timeout=0.5)
            assert not done
        with pytest.raises(ExpressionError, match="vip"):
            await saving
